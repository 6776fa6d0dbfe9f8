"""A submitted run's program: started again when it was lost, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.run.jobs.driver import run
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Its handlers of signals are of a process of its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def program(folder: Path, *ends: str) -> list[str]:
    """A program that counts its starts in `folder` and ends as `ends` say, one start after another."""
    script = f"echo x >> {folder}/starts; case $(wc -l < {folder}/starts) in "
    script += " ".join(f"{number}) {end};;" for number, end in enumerate(ends, 1)) + " *) exit 99;; esac"
    return ["sh", "-c", script]


@pytest.mark.parametrize(
    ("ends", "restarts", "code", "starts"),
    [
        (("exit 0",), 3, 0, 1),
        (("exit 1",), 3, 1, 1),  # it said why; the same again would do the same
        (("exit 2",), 3, 2, 1),
        (("kill -KILL $$", "exit 0"), 3, 0, 2),
        (("kill -SEGV $$", "kill -KILL $$", "exit 1"), 3, 1, 3),
        (("kill -KILL $$",), 0, 137, 1),
        (("kill -KILL $$",) * 4, 2, 137, 3),
        (("kill -TERM $$",), 3, 143, 1),  # somebody wanted it to end
        (("kill -INT $$; sleep 5",), 3, 130, 1),
    ],
)
def test_a_lost_program_goes_on_a_bounded_number_of_times(
    ends: tuple[str, ...], restarts: int, code: int, starts: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(program(tmp_path, *ends), restarts, pause_s=0.0) == code
    assert len((tmp_path / "starts").read_text().splitlines()) == starts
    told = capfd.readouterr().out
    assert told.count("goes on from the last finished phase") == starts - 1
    assert starts == 1 or f"(restart {starts - 1} of {restarts})" in told


def test_a_stopped_program_is_waited_for_and_not_started_again(tmp_path: Path) -> None:
    ends = f"touch {tmp_path}/up; sleep 0.3; echo kept > {tmp_path}/kept; kill -KILL $$"

    def stop() -> None:
        while not (tmp_path / "up").exists():
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop)
    stopping.start()
    assert run(program(tmp_path, ends), 3, pause_s=0.0) == 137
    stopping.join()
    assert (tmp_path / "kept").exists() and len((tmp_path / "starts").read_text().splitlines()) == 1


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """The script as it lies in a job's folder, with a shell on whose way another Python stands."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "start.sh").write_text((ROOT / "pipelines/run/jobs/start.sh").read_text(), encoding="utf-8")
    return tmp_path


def python_in(folder: Path, body: str) -> Path:
    """A program in place of a Python, which does what `body` says."""
    python = folder / "bin" / "other-python"
    python.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def started(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Runs the script below a process whose command line is that of Ray's node process, as far as the script looks."""
    worker = f"--python_worker_command={python} /x/setup_worker.py /x/default_worker.py --node-ip-address=1"
    node = [
        sys.executable,
        "-c",
        "import subprocess, sys; sys.exit(subprocess.call(['sh', 'start.sh', *sys.argv[2:]]))",
    ]
    return subprocess.run(
        [*node, worker, "--restarts", "3", "tailored"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_job_runs_in_the_python_of_its_nodes_ray(start: Path) -> None:
    done = started(start, str(python_in(start, '[ "$1" = -c ] || echo "$0 $*"')))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{start}/bin/other-python -m pipelines.run.jobs.driver --restarts 3 tailored\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('[ "$1" = --version ] && echo Python 3.9.1; exit 1', "Python 3.9.1: Tailor needs Python 3.11. Nothing was"),
        (
            'case "$2" in *version_info*) exit 0;; esac; exit 1',
            "Tailor is not installed in the environment of this node",
        ),
    ],
)
def test_a_node_without_the_environment_is_told(body: str, said: str, start: Path) -> None:
    python = python_in(start, body)
    done = started(start, str(python))
    assert done.returncode == 2 and said in done.stderr and str(python) in done.stderr
