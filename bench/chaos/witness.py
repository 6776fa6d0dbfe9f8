"""The teacher's own account of what it was asked, beside the journal's.

Owns: noting each request as it arrives, outside of the run's cluster.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from reasoning.offline.teacher import Teacher


class Witness:
    """A teacher that notes when it was asked what."""

    def __init__(self, teacher: Teacher, clock: Callable[[], float] = time.time) -> None:
        self._teacher, self._clock = teacher, clock
        self._asked: list[tuple[float, str]] = []

    def complete(self, content: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        self._asked.append((self._clock(), content))
        return self._teacher.complete(content, n, temperature, seed)

    def continue_text(self, prompt: str, n: int = 1, temperature: float = 0.0, seed: int | None = None) -> list[str]:
        self._asked.append((self._clock(), prompt))
        return self._teacher.continue_text(prompt, n, temperature, seed)

    def asked_again(self, journal: Path) -> int:
        """How many requests came whose reply the journal had by then."""
        if not journal.exists():
            return 0
        replied: dict[str, float] = {}
        with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT request, CASE status WHEN 'answered' THEN ended_at END FROM calls").fetchall()
        for request, ended_at in rows:  # requests that differ in a setting alone look the same here
            text = json.loads(request)["messages"][-1][-1]
            replied[text] = max(replied.get(text, 0.0), math.inf if ended_at is None else ended_at)
        return sum(at > replied.get(text, math.inf) for at, text in self._asked)
