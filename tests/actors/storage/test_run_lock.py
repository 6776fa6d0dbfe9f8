"""One run at a time in a run's directory, and the next one as soon as that has ended, however it did."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.storage.run_lock import RunInProgress, RunLock
from tests.actors.journal.entries import fill

HOLDER = (
    "import sys, time; from pathlib import Path; from actors.storage.run_lock import RunLock; "
    "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
)


def test_a_second_run_is_refused_until_the_first_one_is_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(RunInProgress, match=rf"is being run by process {process.pid} on .*give this run another name"):
        RunLock(tmp_path, wait_s=0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    RunLock(tmp_path, wait_s=1.0).release()


def test_it_may_be_taken_again_once_it_is_released(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    lock.release()
    lock.release()
    again = RunLock(tmp_path, wait_s=0.1)
    with pytest.raises(RunInProgress):
        RunLock(tmp_path, wait_s=0.1)
    again.release()


def test_a_full_disk_does_not_keep_it_from_being_held(small_disk: Path) -> None:
    fill(small_disk)
    lock = RunLock(small_disk)
    with pytest.raises(RunInProgress, match="another process"):
        RunLock(small_disk, wait_s=0.1)
    lock.release()
