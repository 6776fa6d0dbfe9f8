"""The process of a submitted run on the cluster: it takes the run's keys over and has the run's program work until it
has ended.

Owns: the restart of a program that was lost (killed for memory, say), which goes on from the last finished phase, and
the deletion of the keys at the end.

Invariants
- A program that ended by itself, or was stopped, is not started again; one that keeps being lost is given up.
- The exit code is the program's (`pipelines.errors`).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from actors.ray_api import job_keys
from reasoning.files.secrets_file import SecretsFileError

PROGRAMS = ("tailored", "fine_tune_cot")
_ASKED_TO_END = {-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP}
_PAUSE_S = 5.0  # for what the lost program leaves behind to end


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Runs a submitted run. `tailor submit` calls this.")
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("program", choices=PROGRAMS)
    wanted, rest = parser.parse_known_args(arguments)
    address = os.environ["RAY_ADDRESS"]  # set in every Ray job
    try:
        job_keys.take_over(address)
    except (job_keys.KeysGone, SecretsFileError) as error:
        print(f"error: {error}. Nothing was started.", file=sys.stderr)
        return 2
    try:
        return run([sys.executable, "-m", f"pipelines.{wanted.program}", *rest], wanted.restarts)
    finally:
        if id := os.environ.get(job_keys.VARIABLE):
            with suppress(Exception):  # the cluster may be ending, and its memory with it
                job_keys.take_back(address, id)


def run(command: Sequence[str], restarts: int, pause_s: float = _PAUSE_S) -> int:
    """Runs `command` to its end, `restarts` times more where it is lost; its exit code. Ray signals the command, too,
    when the job is stopped: it is waited for."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    lost = 0
    while True:
        code = subprocess.run(command, check=False).returncode
        if code >= 0:
            return code
        if stopping or code in _ASKED_TO_END or lost == restarts:
            return 128 - code
        lost += 1
        print(
            f"The run's driver was lost ({signal.Signals(-code).name}); it goes on from the last finished phase "
            f"(restart {lost} of {restarts}).",
            flush=True,
        )
        time.sleep(pause_s)


if __name__ == "__main__":
    sys.exit(main())
