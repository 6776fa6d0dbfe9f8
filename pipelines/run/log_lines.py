"""What a program prints, as JSON lines where the user wants logs: one object for each line of text.

Owns: that form, and the consoles that print in it. What actors log is `actors.watching.logs`.

Invariant: what is printed is the same, with or without; only its form differs.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from typing import TextIO, cast

from rich.console import Console

from actors.watching.logs import FORMAT_VARIABLE, LEVEL_VARIABLE, context, wants_json
from pipelines.command_line.console import plain_console
from pipelines.errors import errors

_WIDTH = 200  # of tables; a line of text is never broken


def set_up(log_format: str | None, log_level: str | None) -> None:
    """Has this process and the actors of its run log as asked; None: as the environment says, or as text."""
    for variable, value in ((FORMAT_VARIABLE, log_format), (LEVEL_VARIABLE, log_level)):
        if value is not None:
            os.environ[variable] = value
    if wants_json():
        errors.file = cast(TextIO, JsonLines(sys.stderr, "ERROR"))


def console() -> Console:
    """What a run prints on."""
    if wants_json():
        return plain_console(file=cast(TextIO, JsonLines(sys.stdout)), width=_WIDTH)
    return plain_console()


class JsonLines(io.TextIOBase):
    """A text file whose lines are written to `stream` as JSON objects: time, level, message, and what stands beside
    this process's messages. Empty lines are left out."""

    def __init__(self, stream: TextIO, level: str = "INFO") -> None:
        self._stream = stream
        self._level = level
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self._stream.write(json.dumps(self._record(line.rstrip()), ensure_ascii=False) + "\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def _record(self, line: str) -> dict[str, str | int]:
        now = time.time_ns()
        shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now // 10**9)) + f",{now // 10**6 % 1000:03d}"
        return {
            "asctime": shown,
            "levelname": self._level,
            "message": line.strip(),
            "process": os.getpid(),
            "actor": "driver",
            **context(),
            "timestamp_ns": now,
        }
