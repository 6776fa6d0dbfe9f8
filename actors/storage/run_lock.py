"""One run at a time in a run's directory.

Owns: the lock on `run.lock`. The kernel drops it when the process that holds it ends, however that ends; it needs no
cleaning up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path

LOCK_FILE = "run.lock"


class RunInProgress(RuntimeError):
    """Another process runs in this directory. The message says which, and what to do."""


class RunLock:
    """The lock on a run's directory, held from construction to `release`."""

    def __init__(self, directory: Path, wait_s: float = 10.0) -> None:
        """`wait_s` bounds the wait for a holder that is just ending, such as a killed run's. Raises `RunInProgress`."""
        self._descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                holder = os.read(self._descriptor, 200).decode("utf-8", "replace").strip() or "another process"
                os.close(self._descriptor)
                raise RunInProgress(
                    f"{directory} is being run by {holder}. Only one run at a time can use a directory: wait until "
                    "it has ended or stop it, or give this run another name"
                ) from None
        with contextlib.suppress(OSError):  # for people to read; only the lock counts
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next run in. A second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
