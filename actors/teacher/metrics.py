"""A worker's sendings as metrics of `actors.watching.table`.

Owns: what of a sending is counted. Invariant: no tag holds a key or a text.
"""

from __future__ import annotations

from actors.endpoint.usage import Usage
from actors.watching import table
from actors.watching.meters import Meters
from reasoning.teacher.calls import TeacherFailure, TeacherReply
from reasoning.teacher.prices import dollars


class TeacherMetrics:
    """The sendings to `teacher` for `run`."""

    def __init__(self, teacher: str, run: str = "") -> None:
        self._meters = Meters(run=run, teacher=teacher)

    def waited(self, endpoint: str, seconds: float) -> None:
        """Counts one wait for a lease."""
        self._meters.observe(table.LEASE_SECONDS, seconds, endpoint=endpoint)

    def sent(
        self, endpoint: str, result: TeacherReply | TeacherFailure, usage: Usage | None, cost: int, seconds: float
    ) -> None:
        """Counts one sending; `cost` in nanodollars."""
        outcome = "answered" if isinstance(result, TeacherReply) else result.kind.value
        self._meters.add(table.REQUESTS, endpoint=endpoint, outcome=outcome)
        if usage is not None and usage.tokens:
            self._meters.add(table.TOKENS, usage.prompt_tokens, endpoint=endpoint, kind="prompt")
            self._meters.add(table.TOKENS, usage.completion_tokens, endpoint=endpoint, kind="completion")
        self._meters.add(table.COST, dollars(cost), endpoint=endpoint)
        self._meters.observe(table.SEND_SECONDS, seconds, endpoint=endpoint)
