"""A command that is told to stop.

Owns: that a SIGTERM interrupts as Ctrl-C does.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def told_when_stopped() -> Iterator[None]:
    """Makes a SIGTERM what Ctrl-C is, so that a run ends in order, and a command in its sentence: Ray's own handling of
    it ends the process with a dump of its stack. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has been heard
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)  # None: one that is no Python's
