"""On a spot machine: waits for the cloud's notice that the machine is taken away, and has Ray drain its node.

    python -m actors.ray_api.machines.notice aws|gcp

The cluster files start it beside Ray on every worker. AWS says two minutes before when a spot instance ends, Google
Cloud thirty seconds, each at an address that only the machine itself can ask. Ray knows of neither; what a run does
with a node that Ray drains is in `docs/reliability.md`.

Invariants: the addresses are asked directly, whatever proxy the machine has. A metadata server that is slow or errs is
asked again, for as long as the machine is there. The node is drained once.

Source: AWS, Spot Instance interruption notices (IMDSv2); Google Cloud, handling of preemption by `instance/preempted`.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

LOOK_S = 5.0  # what AWS recommends
TIMEOUT_S = 2.0
AWS = "http://169.254.169.254"
AWS_NOTICE_S = 120.0
TOKEN_S = 300
DRAIN_S = 30.0
GCP = "http://metadata.google.internal"
GCP_NOTICE_S = 30.0
GONE_FOR_GOOD = ("terminate", "stop", "hibernate")  # of AWS; the node leaves the cluster by any of them

_open = build_opener(ProxyHandler({})).open


def _asked(url: str, headers: Mapping[str, str], method: str = "GET") -> str:
    with _open(Request(url, headers=dict(headers), method=method), timeout=TIMEOUT_S) as answer:
        return str(answer.read().decode("utf-8"))


def aws(at: str = AWS) -> float | None:
    """The seconds until this spot instance is taken away; None if nothing is announced."""
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
    token = _asked(f"{at}/latest/api/token", lifetime, "PUT")
    try:
        said = _asked(f"{at}/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": token})
    except HTTPError as error:
        if error.code == 404:
            return None
        raise
    action = json.loads(said)
    if not isinstance(action, dict):
        raise ValueError(f"an instance action is {said[:100]!r}")
    if action.get("action") not in GONE_FOR_GOOD:
        return None
    try:
        when = datetime.fromisoformat(action["time"])
    except (KeyError, TypeError, ValueError):
        return AWS_NOTICE_S
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def gcp(at: str = GCP) -> float | None:
    """The seconds until this spot machine is taken away; None if nothing is announced."""
    said = _asked(f"{at}/computeMetadata/v1/instance/preempted", {"Metadata-Flavor": "Google"})
    return GCP_NOTICE_S if said.strip().upper() == "TRUE" else None


CLOUDS: dict[str, tuple[Callable[[str], float | None], str]] = {"aws": (aws, AWS), "gcp": (gcp, GCP)}


def wait_for_notice(remaining: Callable[[], float | None], say: Callable[[str], None]) -> float:
    """Asks until a notice is there; the seconds that remain then. What fails is told to `say`, and what fails again in
    the same words is not."""
    told = None
    while True:
        try:
            seconds = remaining()
        except (OSError, HTTPException, ValueError) as error:
            if (words := f"{type(error).__name__}: {error}") != told:
                say(f"cannot read the notices for this machine, and keeps trying: {words}")
                told = words
        else:
            told = None
            if seconds is not None:
                return max(0.0, seconds)
        time.sleep(LOOK_S)


def drain(seconds: float, node: str | None = None) -> None:
    """Has Ray drain `node`, by default this machine's, which is there for `seconds` more. Raises `SubprocessError`
    where Ray does not accept it, or says nothing."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "drain-node"]
    reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "a spot machine's notice"]
    deadline = ["--deadline-remaining-seconds", str(math.floor(seconds))]
    which = ["--node-id", node] if node else []
    subprocess.run([*command, *reason, *deadline, *which], check=True, timeout=DRAIN_S)


def main() -> None:
    parser = argparse.ArgumentParser(description="Drain this spot machine's Ray node when its cloud takes it away.")
    parser.add_argument("cloud", choices=sorted(CLOUDS))
    parser.add_argument("--metadata", metavar="URL", help="where the cloud's metadata are, if not at its usual address")
    parser.add_argument("--node", metavar="ID", help="the Ray node to drain, if not the one of this machine")
    options = parser.parse_args()
    read, usual = CLOUDS[options.cloud]

    def say(text: str) -> None:
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}", flush=True)

    say(f"waiting for notice from {options.cloud} that this machine will be taken away")
    seconds = wait_for_notice(lambda: read((options.metadata or usual).rstrip("/")), say)
    ends = time.monotonic() + seconds
    while True:
        remain = max(0.0, ends - time.monotonic())
        say(f"this machine will be taken away in {remain:.0f} s: Ray drains its node")
        try:
            return drain(remain, options.node)
        except subprocess.SubprocessError as error:
            if not remain:
                sys.exit(f"Ray did not drain the node: {error}")
            time.sleep(1.0)


if __name__ == "__main__":
    main()
