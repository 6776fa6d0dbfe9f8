"""The names of metrics keep the rules that Prometheus' users expect."""

from __future__ import annotations

import re

import pytest

from actors.watching.table import METRICS, Kind, Metric


@pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
def test_a_name_says_what_it_is(metric: Metric) -> None:
    assert re.fullmatch(r"tailor_[a-z_]+", metric.name) and metric.meaning
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets)) and all(bucket > 0 for bucket in metric.buckets)
    stem = metric.name.removesuffix("_total")
    if metric.unit in ("seconds", "bytes", "dollars"):
        assert metric.unit in stem
    assert "run" in metric.tags and len(set(metric.tags)) == len(metric.tags)
    assert not {"question", "prompt", "key", "text", "WorkerId"} & set(metric.tags)


def test_no_name_is_used_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS) > 30
