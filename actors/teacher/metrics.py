"""The teacher pool's figures as Ray metrics, for a dashboard or Prometheus.

Owns: their names and labels. Outside of a Ray process nothing is counted. No label holds a key or a text.

  tailor_teacher_requests_total    sendings, by teacher, endpoint and outcome ("answered" or a failure's kind)
  tailor_teacher_tokens_total      tokens, by teacher, endpoint and kind ("prompt", "completion")
  tailor_teacher_cost_dollars_total
  tailor_teacher_seconds           from sending to the recorded outcome, by teacher and endpoint

and what the live line of a run shows, by run (a gauge that is not known has its last value, or none):

  tailor_teacher_open_requests, tailor_teacher_seconds_left
  tailor_teacher_answers_per_second, tailor_teacher_permitted_per_second
  tailor_teacher_settled_dollars, tailor_teacher_reserved_dollars, tailor_teacher_cap_dollars
  tailor_teacher_endpoints_left_alone
"""

from __future__ import annotations

from typing import Any

from actors.endpoint.usage import Usage
from reasoning.rounds.progress import TeacherFigures
from reasoning.teacher.calls import TeacherFailure, TeacherReply
from reasoning.teacher.prices import dollars

_SECONDS = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0]

_GAUGES = {
    "open_requests": "Requests without an outcome",
    "seconds_left": "Estimated seconds until all open requests are done",
    "answers_per_second": "Requests finished per second, over the last half minute",
    "permitted_per_second": "Requests per second that the limits permit",
    "settled_dollars": "Dollars spent",
    "reserved_dollars": "Dollars reserved for requests in flight",
    "cap_dollars": "The most that may be spent",
    "endpoints_left_alone": "Endpoints that are paused after failures",
}


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
                Counter("tailor_teacher_tokens_total", "Tokens used at the teacher", (*where, "kind")),
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


class TeacherGauges:
    """How the teachers of one run are doing, as `TeacherFigures` has it."""

    def __init__(self, run: str) -> None:
        from ray.util.metrics import Gauge

        self._where = {"run": run}
        self._gauges = {name: Gauge(f"tailor_teacher_{name}", what, ("run",)) for name, what in _GAUGES.items()}

    def show(self, figures: TeacherFigures) -> None:
        values = {
            "open_requests": figures.open,
            "seconds_left": figures.eta_s,
            "answers_per_second": figures.per_second,
            "permitted_per_second": figures.permitted_per_second,
            "settled_dollars": figures.cost,
            "reserved_dollars": figures.reserved,
            "cap_dollars": figures.max_cost,
            "endpoints_left_alone": len(figures.open_circuits),
        }
        for name, value in values.items():
            if value is not None:
                self._gauges[name].set(value, self._where)
