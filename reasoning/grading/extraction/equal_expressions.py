"""Whether two mathematical expressions are the same, by Math-Verify, in a time that is bounded.

Owns: the process in which Math-Verify runs, which ends when a comparison takes more processor time than `LIMIT`.

Invariants
- A comparison ends, whatever the expressions ask for (9^9^9^9): what takes too long is not the same. Processor time
  counts, so that a busy machine judges as a quiet one does; `WAIT` is for a process that gets none.
- The process is started when it is first needed, serves this process alone, and ends with it.
- The same two texts are compared once.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
from functools import lru_cache

LIMIT = 5.0  # seconds of the processor for a comparison
WAIT = 120.0  # seconds in which it must have had them, and in which the libraries must have been imported
LONGEST = 300  # characters


@lru_cache(maxsize=8192)
def equal_expressions(left: str, right: str) -> bool:
    """Whether two expressions, in LaTeX or plain, are the same; False where that cannot be said within the limit."""
    if not left or not right or max(len(left), len(right)) > LONGEST:
        return False
    return _process.ask(left, right)


class _Process:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def ask(self, left: str, right: str) -> bool:
        with self._lock:
            running = self._started()
            if running is None or running.stdin is None:
                return False
            try:
                running.stdin.write(json.dumps([left, right]).encode() + b"\n")
                running.stdin.flush()
            except OSError:
                self.stop()
                return False
            said = self._line(running)
            if said not in (b"true", b"false"):
                self.stop()
            return said == b"true"

    def stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.kill()
            running.wait()

    def _started(self) -> subprocess.Popen[bytes] | None:
        if self._running is not None and self._running.poll() is None:
            return self._running
        self.stop()
        command = [sys.executable, "-m", "reasoning.grading.extraction.math_worker", str(LIMIT)]
        paths = os.pathsep.join(path for path in sys.path if path)
        self._running = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        if self._line(self._running) != b"ready":
            self.stop()
        return self._running

    def _line(self, running: subprocess.Popen[bytes]) -> bytes:
        assert running.stdout is not None
        with selectors.DefaultSelector() as selector:  # `select` knows no descriptor from 1024 on
            selector.register(running.stdout, selectors.EVENT_READ)
            return running.stdout.readline().strip() if selector.select(WAIT) else b""


_process = _Process()
atexit.register(_process.stop)
