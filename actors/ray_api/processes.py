"""How an actor's process behaves beside others on its machine.

Owns: what is set once, when a process has started. Nothing here changes what a process computes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path

WAITING = 10  # a ninth of the turns of one that computes, where all want one; such a process wants few
_COLLECT_AFTER = (50_000, 20, 50)  # new objects, and collections of the young before one of the older


def collect_seldom() -> None:
    """For a process whose start is over, and where thousands of requests come and go from then on: what is there stays,
    and the garbage collector, which would go through all of it again and again, leaves it alone and comes less often.
    It took a tenth of a coordinator's time in an exam (`python -m bench.scaling`)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def give_way() -> None:
    """For a process that mostly waits: when it wakes up it does not interrupt one that computes, an engine above all,
    and has its turn when that one's is over (Linux's `SCHED_BATCH` and a niceness of `WAITING`, of all threads;
    elsewhere nothing). With fewer processors than there is work for, exam and feedback together took 15.3 and 15.8 s
    with the first where they took 16.5 (`python -m bench.round --in-flight 64`, two cores); with enough of them there
    is nobody to interrupt."""
    if sys.platform != "linux":
        return
    for thread in (int(folder.name) for folder in Path("/proc/self/task").iterdir()):
        with contextlib.suppress(OSError):  # a thread that has ended, a machine that does not allow it
            if os.sched_getscheduler(thread) == os.SCHED_OTHER:
                os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
            if os.getpriority(os.PRIO_PROCESS, thread) < WAITING:
                os.setpriority(os.PRIO_PROCESS, thread, WAITING)
