"""Does what ships install? Runs a cluster file's own commands, or a Dockerfile's own steps, on a fresh system.

    python -m bench.node_install recipes/clusters/Dockerfile
    python -m bench.node_install cluster.yaml --release noble --keyring ubuntu-archive-keyring.gpg --python PREFIX

The system is a chroot made by debootstrap, without Python or a compiler. The commands are read from the file; only
three things differ from a cloud. The lock is that of machines without a GPU (`--lock`). The key comes from here
instead of the cloud's secret store. And where uv cannot download its Python, `--python` names an installed 3.11 that
is put on the PATH. Then Ray is started by the file's own command, alone in a network of its own, and asked what it
shows to whom. Needs root, debootstrap, and 6 GiB in `--folder`; takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from actors.ray_api.internals import cluster_file
from bench.node_install import dockerfile
from bench.node_install.chroot import Chroot, bootstrap, why_not
from bench.node_install.probe import Seen

ROOT = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.py")
TOKEN = "token-of-a-cluster-that-is-none-0123456789"
SECRET = "sk-key-of-a-teacher-that-is-none"
SHIPPED_LOCK = "locks/gpu.txt"
LOOPBACK, ANYWHERE = "0100007F", "00000000"  # 127.0.0.1 and 0.0.0.0 as the kernel writes them
EXAMINED = "tailor/recipes/quickstart.yaml --address 127.0.0.1:6379"
CLOUD_STORES = ("secretsmanager", "gcloud secrets")
# What a cloud's Ubuntu image has beyond debootstrap's smallest system, and this file's commands use.
CLOUD_IMAGE = ("ca-certificates", "sudo")
# What a Python that was installed elsewhere is linked with.
STANDIN_LIBRARIES = "libsqlite3-0 libreadline8t64 libffi8 libbz2-1.0 libssl3t64"
_PATHS = "export PATH=~/venv/bin:$PATH"


class Failed(RuntimeError):
    """A step of the installation failed, or a door is open. The message says which."""


@dataclass
class Node:
    """A system under installation, with the seconds that each step of it took."""

    chroot: Chroot
    user: str

    def does(self, command: str, user: str | None = None, network: bool = True) -> str:
        begun = time.monotonic()
        done = self.chroot.run(command, user or self.user, network=network)
        shown = " ".join(command.split())
        print(f"{time.monotonic() - begun:6.0f} s  {shown[:110]}{'...' if len(shown) > 110 else ''}", flush=True)
        if done.returncode:
            raise Failed(f"{shown}\nended with {done.returncode}:\n{done.stdout[-4000:]}")
        return done.stdout

    def look(self, starts: list[str], python: str, doctor: str) -> Seen:
        """Starts Ray by these commands, with no network but a loopback, prints what `tailor doctor` finds there and
        says what the probe saw."""
        self.chroot.path("/tmp/probe.py").parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROBE, self.chroot.path("/tmp/probe.py"))
        as_ray_up = (
            "export OMP_NUM_THREADS=1 RAY_enable_autoscaler_v2=1 RAY_CLOUD_INSTANCE_ID=i-0 RAY_NODE_TYPE_NAME=head"
        )
        commands = [
            as_ray_up,
            *(f"( {one} ) >&2" for one in starts),
            f"{python} /tmp/probe.py {TOKEN} {SECRET}",
            doctor,
        ]
        output = self.does(" && ".join(commands), network=False)
        _, _, after = output.partition("SEEN ")
        line, _, found = after.partition("\n")
        print(found.rstrip())
        return Seen(**json.loads(line))


def install_from_cluster_file(path: Path, chroot: Chroot, lock: str, python: Path | None) -> None:
    """Sets a node up and starts its Ray, as `ray up` does on the head. Raises `Failed`."""
    config = cluster_file(path)
    node = Node(chroot, config["auth"]["ssh_user"])
    home = f"/home/{node.user}"
    copy_sources(chroot.path(f"{home}/tailor"), everything=True)
    for name, text in ((".ray/auth_token", TOKEN), (".config/tailor/secrets.env", f"OPENAI_API_KEY={SECRET}\n")):
        chroot.path(f"{home}/{name}").parent.mkdir(parents=True, exist_ok=True)
        chroot.path(f"{home}/{name}").write_text(text)
    chroot.path(f"{home}/ray_bootstrap_config.yaml").write_text(yaml.safe_dump(config))
    node.does(
        f"useradd --create-home --shell /bin/bash {node.user}; cp -n /etc/skel/.bashrc {home}; "
        f"chown -R {node.user}: {home}; echo '{node.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{node.user}",
        "root",
    )
    if python is not None:
        node.does(
            f"chmod 755 /root; apt-get -qq update && apt-get -qq -y install {STANDIN_LIBRARIES} && "
            f"ln -sf {python}/bin/python3.11 /usr/local/bin/python3.11",
            "root",
        )
    for command in [*config["initialization_commands"], *config["head_setup_commands"]]:
        if any(store in command for store in CLOUD_STORES):
            print(f"  here    {command[:110]}...")
            continue
        node.does(command.replace(SHIPPED_LOCK, lock))
    node.does(
        f"{_PATHS}; cd ~/tailor && tailor --help > /dev/null && python -c 'import vllm, torch, ray, pipelines.cli'"
    )
    # A second node beside the head joins it, without `ray stop`, which would end both.
    joining = f"export RAY_HEAD_IP=127.0.0.1; {config['worker_start_ray_commands'][-1]}"
    doctor = f"{_PATHS} RAY_AUTH_MODE=token; cd ~ && tailor doctor {EXAMINED}"
    seen = node.look([*config["head_start_ray_commands"], joining], "~/venv/bin/python", doctor)
    judge(seen, f"{home}/venv/bin/python", {LOOPBACK}, nodes=2)


def install_from_dockerfile(path: Path, chroot: Chroot, lock: str) -> None:
    """Builds what an image would hold, and starts its Ray as KubeRay does. Raises `Failed`."""
    image = dockerfile.read(
        path, {"LOCK": lock}, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    node = Node(chroot, image.user)
    for step in image.steps:
        for source, target in step.copies:
            if (source, target) != (".", "."):
                raise Failed(f"{path}: COPY {source} {target}: only COPY . . is known here")
            copy_sources(chroot.path(step.folder), everything=False)
        node.does(f"{exports(step.environment)}; mkdir -p {step.folder}; cd {step.folder}; {step.command}", step.user)
    inside = f"{exports(image.environment)}; cd {image.folder}"
    node.does(f"{inside}; tailor --help > /dev/null && python -c 'import vllm, torch, ray, pipelines.cli'")
    node.does(f"{inside}; ray start --head 2>&1 | grep -q 'no authentication token was found'", network=False)
    start = f"{inside}; RAY_AUTH_TOKEN={TOKEN} OPENAI_API_KEY={SECRET} ray start --head --dashboard-host=0.0.0.0"
    python = f"{image.environment['VENV']}/bin/python"
    doctor = f"export RAY_AUTH_TOKEN={TOKEN}; cd /runs && tailor doctor /opt/{EXAMINED}"
    judge(node.look([start], python, f"{inside}; {doctor}"), python, {ANYWHERE}, nodes=1)


def judge(seen: Seen, python: str, addresses: set[str], nodes: int) -> None:
    """Raises `Failed` where a door is open, a node is missing or a job runs elsewhere than in `python`."""
    if set(seen.without_token.values()) != {401} or set(seen.with_token.values()) != {200}:
        raise Failed(f"statuses without the token: {seen.without_token}, with it: {seen.with_token}")
    if set(seen.listening) != addresses:
        raise Failed(f"the job server listens at {seen.listening}, not at {addresses} alone")
    if seen.job_python != python:
        raise Failed(f"a job's python is {seen.job_python}, not {python}:\n{seen.job_output}")
    if seen.nodes != nodes:
        raise Failed(f"{seen.nodes} nodes are in the cluster, not {nodes}:\n{seen.job_output}")
    if seen.leaks:
        raise Failed(f"the teacher's key stands in {seen.leaks}")
    print(f"          without the token {seen.without_token}; a job's python: {seen.job_python}; no key in Ray's files")


def copy_sources(target: Path, everything: bool) -> None:
    """The project's files, as rsync sends them to a node; for an image only what its .dockerignore lets through."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    lines = (ROOT / "recipes/clusters/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    for name in listed:
        if name and (ROOT / name).is_file() and (everything or name.split("/")[0] in sent):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def exports(environment: object) -> str:
    assert isinstance(environment, dict)
    return "export " + " ".join(f"{name}={value}" for name, value in environment.items())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a cluster file, or a Dockerfile")
    parser.add_argument("--release", default="bookworm", help="what debootstrap makes: bookworm, noble, jammy ...")
    parser.add_argument("--keyring", type=Path, help="the keyring of Ubuntu's archive, for its releases")
    parser.add_argument("--lock", default="locks/cpu.txt")
    parser.add_argument("--python", type=Path, help="where a Python 3.11 is installed, in place of uv's download")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tailor-node-install")
    given = parser.parse_args(arguments)
    if reason := why_not():
        print(f"not run: {reason}")
        return 2
    base, work = given.folder / given.release, given.folder / f"{given.release}-{given.file.stem}"
    try:
        bootstrap(given.release, base, given.keyring, CLOUD_IMAGE)
        shutil.rmtree(work, ignore_errors=True)
        chroot = Chroot(base, work, shared=(given.python,) if given.python else ())
        if given.file.suffix == ".yaml":
            install_from_cluster_file(given.file, chroot, given.lock, given.python)
        else:
            install_from_dockerfile(given.file, chroot, given.lock)
    except (Failed, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"failed: {error}\n{getattr(error, 'output', None) or ''}", file=sys.stderr)
        return 1
    print(f"{given.file} installs and runs on {given.release}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
