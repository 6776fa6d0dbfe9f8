"""Measuring one of the table's metrics in this process.

Owns: Ray's meters, made when they are first used. Invariant: outside of a Ray process nothing is measured, so that the
same code runs in a test and in a notebook.

A record costs some 3 microseconds (`python -m bench.watching`), so what is recorded is a request, a step or a look once
a second, never a token.
"""

from __future__ import annotations

from typing import Any

from actors.watching.table import Kind, Metric


class Meters:
    """Records values, each with the tags that are `always` there and those that are given."""

    def __init__(self, **always: str) -> None:
        import ray

        self._always = always
        self._on = bool(ray.is_initialized())
        self._made: dict[Metric, Any] = {}

    @property
    def made(self) -> frozenset[Metric]:
        """The metrics of Ray's that something was recorded with."""
        return frozenset(self._made)

    def add(self, metric: Metric, value: float = 1, **tags: str) -> None:
        """Adds to a counter; nothing happens for 0 or less."""
        if self._on and value > 0:
            self._meter(metric).inc(value, self._always | tags)

    def set(self, metric: Metric, value: float | None, **tags: str) -> None:
        """Sets a gauge. None: it is not known, and keeps what it had."""
        if self._on and value is not None:
            self._meter(metric).set(value, self._always | tags)

    def observe(self, metric: Metric, value: float, **tags: str) -> None:
        """Counts one value of a histogram."""
        if self._on:
            self._meter(metric).observe(value, self._always | tags)

    def _meter(self, metric: Metric) -> Any:
        made = self._made.get(metric)
        if made is None:
            from ray.util.metrics import Counter, Gauge, Histogram

            if metric.kind is Kind.HISTOGRAM:
                made = Histogram(metric.name, metric.meaning, list(metric.buckets), metric.tags)
            else:
                made = {Kind.COUNTER: Counter, Kind.GAUGE: Gauge}[metric.kind](metric.name, metric.meaning, metric.tags)
            self._made[metric] = made
        return made
