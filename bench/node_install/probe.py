"""What a node's Ray shows to whom: run on the node itself, by the environment that was installed there.

Prints one line: SEEN and a `Seen` as JSON. Needs nothing but the standard library and Ray's own `ray job`, so that it
can be handed to a node whose installation is in question.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

JOB_SERVER = "http://127.0.0.1:8265"
PATHS = ("/api/jobs/", "/api/cluster_status", "/nodes?view=summary")
_JOB = (
    "import sys, pipelines.cli, ray; ray.init(logging_level='ERROR'); "
    "print('JOB-SAYS', sum(node['Alive'] for node in ray.nodes()), sys.executable)"
)


@dataclass
class Seen:
    """`without_token` and `with_token`: the status of each path; `listening`: the addresses that the job server's port
    is open at; `job_python`: the Python in which a job's `python` ran, None where it failed; `nodes`: how many it saw
    alive; `leaks`: the files of Ray's in which the secret was found."""

    without_token: dict[str, int] = field(default_factory=dict)
    with_token: dict[str, int] = field(default_factory=dict)
    listening: list[str] = field(default_factory=list)
    job_python: str | None = None
    nodes: int = 0
    job_output: str = ""
    leaks: list[str] = field(default_factory=list)


def status(path: str, token: str | None) -> int:
    request = urllib.request.Request(JOB_SERVER + path)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def listening(port: int) -> list[str]:
    """The addresses, as the kernel writes them (hexadecimal, reversed), at which a TCP port is open."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, _, state = line.split()[1:4]
            address, _, number = local.partition(":")
            if state == "0A" and int(number, 16) == port:
                found.append(address)
    return found


def look(token: str, secret: str) -> Seen:
    seen = Seen()
    seen.without_token = {path: status(path, None) for path in PATHS}
    seen.with_token = {path: status(path, token) for path in PATHS}
    seen.listening = listening(8265)
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    ray = str(Path(sys.executable).with_name("ray"))
    job = subprocess.run(
        [ray, "job", "submit", "--address", JOB_SERVER, "--", "python", "-c", _JOB],
        env=environment,
        capture_output=True,
        text=True,
    )
    seen.job_output = job.stdout[-2000:] + job.stderr[-2000:]
    for line in job.stdout.splitlines():
        if line.startswith("JOB-SAYS "):
            _, nodes, seen.job_python = line.split(maxsplit=2)
            seen.nodes = int(nodes)
    for path in Path("/tmp/ray").rglob("*"):
        if path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes():
            seen.leaks.append(str(path))
    return seen


if __name__ == "__main__":
    print("SEEN", json.dumps(asdict(look(*sys.argv[1:3]))))
