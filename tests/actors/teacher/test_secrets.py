"""A key in the environment is sent to its endpoint and is found nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from serve.provider.args import ProviderArgs
from serve.provider.faults import FaultArgs
from serve.provider.server import Provider
from tests.conftest import ROOT

SECRET, WRONG = "tk-7f3a9c51e8d2", "tk-wrong-55b1c0de"


@pytest.mark.slow
def test_no_log_row_error_or_metric_of_a_pool_on_ray_holds_a_key(tmp_path: Path) -> None:
    """A whole pool on a Ray of its own, with faults, a refused key and a cap: all that it left is searched. Half a
    minute, most of it waiting for Ray to export its metrics."""
    faults = FaultArgs(share=0.3, retry_after_s=0.1, stall_s=0.5, trickle_s=0.2)
    with Provider(ProviderArgs(teacher="echo", api_keys=(SECRET,), faults=faults)) as provider:
        done = subprocess.run(
            [sys.executable, "-m", "tests.actors.teacher.secret_run", str(tmp_path), provider.base_url],
            cwd=ROOT,
            env={**os.environ, "TEACHER_KEY": SECRET, "WRONG_KEY": WRONG},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert provider.stats().answered > 20  # the key was sent
    told = done.stdout + done.stderr
    assert "tailor_teacher_cap_dollars{" in told and 'run="run"' in told
    assert "tailor_teacher_requests_total" in told and 'outcome="answered"' in told
    session = Path(next(line for line in told.splitlines() if line.startswith("session ")).removeprefix("session "))
    files = [file for folder in (tmp_path, session) for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "journal.sqlite" for file in files) and any("worker" in file.name for file in files)
    for key in (SECRET, WRONG):
        assert key not in told
        holding = [str(file) for file in files if key.encode() in file.read_bytes()]
        assert holding == []
