"""The teacher pool's figures as Ray metrics, for a dashboard or Prometheus.

Owns: their names and labels. Outside of a Ray process nothing is counted. No label holds a key or a text.

  tailor_teacher_requests_total    sendings, by teacher, endpoint and outcome ("answered" or a failure's kind)
  tailor_teacher_tokens_total      tokens, by teacher, endpoint and kind ("prompt", "completion")
  tailor_teacher_cost_dollars_total
  tailor_teacher_seconds           from sending to the recorded outcome, by teacher and endpoint
"""

from __future__ import annotations

from typing import Any

from actors.replies import Usage
from reasoning.prices import dollars
from reasoning.teacher_calls import TeacherFailure, TeacherReply

_SECONDS = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]


class TeacherMetrics:
    def __init__(self, teacher: str) -> None:
        self._teacher = teacher
        self._counters: tuple[Any, Any, Any, Any] | None = None
        import ray

        if ray.is_initialized():
            from ray.util.metrics import Counter, Histogram

            where = ("teacher", "endpoint")
            self._counters = (
                Counter("tailor_teacher_requests_total", "Sendings by outcome", (*where, "outcome")),
                Counter("tailor_teacher_tokens_total", "Tokens of the teacher", (*where, "kind")),
                Counter("tailor_teacher_cost_dollars_total", "Dollars spent on the teacher", where),
                Histogram("tailor_teacher_seconds", "Seconds a sending takes", _SECONDS, where),
            )

    def sent(
        self, endpoint: str, result: TeacherReply | TeacherFailure, usage: Usage | None, cost: int, seconds: float
    ) -> None:
        """Counts one sending; `cost` in nanodollars."""
        if self._counters is None:
            return
        requests, tokens, money, times = self._counters
        where = {"teacher": self._teacher, "endpoint": endpoint}
        outcome = "answered" if isinstance(result, TeacherReply) else result.kind.value
        requests.inc(1, {**where, "outcome": outcome})
        if usage is not None and usage.tokens:
            tokens.inc(max(usage.prompt_tokens, 1), {**where, "kind": "prompt"})
            tokens.inc(max(usage.completion_tokens, 1), {**where, "kind": "completion"})
        if cost:
            money.inc(dollars(cost), where)
        times.observe(seconds, where)
