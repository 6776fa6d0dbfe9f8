"""What a process is set to: all its threads give way, and nothing that it computes changes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from actors.ray_api.processes import WAITING, collect_seldom

GIVES_WAY = """
import os, threading
from actors.ray_api.processes import give_way

def ways():
    threads = [int(thread) for thread in os.listdir("/proc/self/task")]
    return [f"{os.sched_getscheduler(thread)}/{os.getpriority(os.PRIO_PROCESS, thread)}" for thread in threads]

before = threading.Thread(target=threading.Event().wait, daemon=True)
before.start()
give_way()
after = threading.Thread(target=threading.Event().wait, daemon=True)
after.start()
print(*ways())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's ways to share processors")
def test_a_process_gives_way_with_all_its_threads() -> None:
    mine = os.sched_getscheduler(0)
    ran = subprocess.run([sys.executable, "-c", GIVES_WAY], capture_output=True, text=True, check=True)
    expected = os.SCHED_BATCH if mine == os.SCHED_OTHER else mine  # one that gives way already does so as before
    assert ran.stdout.split() == [f"{expected}/{max(os.getpriority(os.PRIO_PROCESS, 0), WAITING)}"] * 3
    assert os.sched_getscheduler(0) == mine


def test_what_is_there_when_a_process_starts_is_not_collected_again() -> None:
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    try:
        collect_seldom()
        assert gc.get_freeze_count() > frozen
        assert gc.get_threshold()[0] > thresholds[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
