"""A machine in a folder: a release made by debootstrap, in which commands run as on a fresh node.

Owns: the folder's layers and what a command in it sees: its own processes, this machine's network or none, and the
package indexes that pip and uv are configured with here. The release itself is never changed: what commands write lies
in a layer of its own, so that one debootstrap serves many tries.

Needs root, debootstrap and a reachable archive; `why_not` says what is missing.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What a machine's own configuration of pip, uv and certificates is called. Their values name hosts and folders of this
# machine, so they are handed on and never written down.
_CONFIGURED = ("PIP_", "UV_", "SSL_", "CURL_CA_", "REQUESTS_CA_", "http_proxy", "https_proxy", "no_proxy")
_CONFIGURATION_FILES = ("/etc/pip.conf", "/etc/xdg/pip", "/etc/uv", "/root/.config/pip", "/root/.config/uv")
_SYSTEM_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs")


def why_not() -> str | None:
    """Why no chroot can be made here, or None."""
    if os.geteuid() != 0:
        return "needs root (chroot, mount)"
    if shutil.which("debootstrap") is None:
        return "needs debootstrap (apt-get install debootstrap)"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode:
        return "needs mount and process namespaces"
    return None


def bootstrap(release: str, folder: Path, keyring: Path | None, packages: tuple[str, ...]) -> None:
    """Makes `folder` a minimal system of `release`, unless it is one. Raises CalledProcessError with the last lines."""
    if (folder / "etc/os-release").exists() and not (folder / "debootstrap").exists():
        return
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    if keyring is not None:  # one of Ubuntu's: its universe is on, as on cloud images
        command += ["--components=main,universe", f"--keyring={keyring}"]
    command += [release, str(folder)]
    if not Path(
        "/usr/share/debootstrap/scripts", release
    ).exists():  # newer than this debootstrap: all Ubuntus share one
        command += ["", "gutsy"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, "\n".join(done.stdout.splitlines()[-5:]))


@dataclass(frozen=True)
class Chroot:
    """A release in `base` with a layer of its own in `work`. `shared` folders of this machine are seen, not written."""

    base: Path
    work: Path
    shared: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("upper", "scratch", "root"):
            (self.work / name).mkdir(parents=True, exist_ok=True)

    def path(self, inside: str) -> Path:
        """Where a file that is to be seen as `inside` has to be put, before the first command."""
        return self.work / "upper" / inside.lstrip("/")

    def run(
        self, command: str, user: str = "root", *, network: bool = True, timeout: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command by `user`'s login shell, output and errors together. Every process it leaves behind is ended
        with it. Without `network` it has a loopback of its own and nothing else."""
        root = self.work / "root"
        lines = [
            "set -e",
            f"mount -t overlay overlay -o lowerdir={self.base},upperdir={self.work}/upper,"
            f"workdir={self.work}/scratch {root}",
            f"mount -t proc proc {root}/proc",
            f"mount -t sysfs -o ro sysfs {root}/sys",
            f"mount --rbind /dev {root}/dev && mount -t tmpfs tmpfs {root}/dev/shm",
        ]
        for source in [*map(Path, _SYSTEM_FILES), *configuration(), *self.shared]:
            target = f"{root}{source}"
            made = f"mkdir -p {target}" if source.is_dir() else f"mkdir -p {Path(target).parent} && touch {target}"
            lines.append(f"{made} && mount --rbind -o ro {source} {target}")
        if not network:
            lines.append("ip link set lo up")
        environment = {**configured(), **self.environment}
        assigned = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        shell = f"{assigned} exec bash --login -c -i {shlex.quote(f'source ~/.bashrc; {command}')}"
        lines.append(f"exec chroot {root} su --login {user} -c {shlex.quote(shell)}")
        namespaces = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        return subprocess.run(
            ["unshare", *namespaces, "bash", "-c", "\n".join(lines)],
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )


def configured() -> dict[str, str]:
    """This machine's settings of pip, uv, proxies and certificates."""
    return {name: value for name, value in os.environ.items() if name.startswith(_CONFIGURED)}


def configuration() -> list[Path]:
    """The files and folders that those settings lie in and point to."""
    found = {Path(name) for name in _CONFIGURATION_FILES if Path(name).exists()}
    listed = subprocess.run(["pip", "config", "list"], text=True, capture_output=True).stdout
    for setting in [*shlex.split(listed.replace("=", " ")), *configured().values()]:
        found |= folders_in(setting)
    return sorted(found)


def folders_in(setting: str) -> set[Path]:
    """The folders of this machine in which what a setting names lies: packages and indexes, by path or address."""
    found = set()
    for word in setting.split():
        path = Path(word.removeprefix("file://"))
        if path.is_absolute() and path.exists() and not str(path).startswith(("/etc/", "/usr/", "/root/")):
            found.add(Path(*path.parts[:3]))  # an index refers to files beside it
    return found
