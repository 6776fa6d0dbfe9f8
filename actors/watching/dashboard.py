"""The Grafana dashboard, made of a list of panels; and what docs/watching.md says of the metrics.

Owns: which queries a person who watches a run wants to see. `python -m actors.watching.dashboard` writes
`grafana.json` beside this module and the table in docs/watching.md; tests say when either is stale, and whether each
query finds something in a real run.

`$run` is the dashboard's choice of runs, `$__rate_interval` Grafana's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.watching import table
from actors.watching.table import Kind, Metric

FILE = Path(__file__).with_name("grafana.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "watching.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"
WIDTH, HEIGHT, COLUMNS = 8, 7, 3
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and how its lines are named."""

    expression: str
    legend: str = "{{run}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit` is Grafana's name for one."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"


def exported(metric: Metric) -> str:
    """The name that Prometheus knows it by."""
    return f"ray_{metric.name}"


def _now(metric: Metric, by: str = "run") -> str:
    """A gauge. A process that took over from a lost one has another WorkerId: the larger value is the newer one."""
    return f'max by ({by}) ({exported(metric)}{{run=~"$run"}})'


def _rate(metric: Metric, by: str = "run") -> str:
    return f'sum by ({by}) (rate({exported(metric)}{{run=~"$run"}}[$__rate_interval]))'


def _sum(metric: Metric, by: str = "run") -> str:
    return f'sum by ({by}) ({exported(metric)}{{run=~"$run"}})'


def _quantile(share: float, metric: Metric, by: str) -> str:
    buckets = f'sum by (le, {by}) (rate({exported(metric)}_bucket{{run=~"$run"}}[$__rate_interval]))'
    return f"histogram_quantile({share}, {buckets})"


PANELS = (
    Panel("Phase", (Query(f"{_now(table.PHASE, 'run, phase')} > 0", "{{run}} {{phase}}"),)),
    Panel("Round", (Query(_now(table.ROUND)),)),
    Panel("Done of the phase", (Query(f"{_now(table.PHASE_DONE)} / ({_now(table.PHASE_WORK)} > 0)"),), "percentunit"),
    Panel(
        "Phases, mean duration",
        (
            Query(
                f'sum by (phase) ({exported(table.PHASE_SECONDS)}_sum{{run=~"$run"}}) '
                f'/ sum by (phase) ({exported(table.PHASE_SECONDS)}_count{{run=~"$run"}})',
                "{{phase}}",
            ),
        ),
        "s",
    ),
    Panel("Waiting for machines", (Query(_now(table.WAITING_SECONDS)),), "s"),
    Panel("Coordinator's loop is late by", (Query(_now(table.LOOP_LAG)),), "s"),
    Panel(
        "Questions answered by the student",
        (
            Query(_rate(table.EXAM_QUESTIONS), "{{run}} exam"),
            Query(_rate(table.EVALUATED), "{{run}} evaluation"),
        ),
        "reqps",
    ),
    Panel(
        "Exam: right",
        (
            Query(
                f'(sum by (run, round) ({exported(table.EXAM_ATTEMPTS)}{{run=~"$run", verdict="right"}}) '
                f"or 0 * {_sum(table.EXAM_ATTEMPTS, 'run, round')}) / {_sum(table.EXAM_ATTEMPTS, 'run, round')}",
                "{{run}} round {{round}}",
            ),
        ),
        "percentunit",
    ),
    Panel("Mistakes shown", (Query(_sum(table.MISTAKES, "run, round"), "{{run}} round {{round}}"),)),
    Panel("Student's tokens a second", (Query(_rate(table.STUDENT_TOKENS)),)),
    Panel(
        "Samplers: round of the weights",
        (Query(_now(table.SAMPLER_ROUND, "run, sampler"), "{{run}} sampler {{sampler}}"),),
    ),
    Panel(
        "Samplers: stale, and brought back",
        (
            Query(_now(table.SAMPLER_STALE, "run, sampler"), "{{sampler}} stale"),
            Query(_now(table.SAMPLER_REVIVALS, "run, sampler"), "{{sampler}} brought back"),
        ),
    ),
    Panel("Samplers: questions", (Query(_now(table.SAMPLER_REQUESTS, "run, sampler"), "{{run}} {{sampler}}"),)),
    Panel(
        "Samplers: prefix cache",
        (Query(_now(table.SAMPLER_PREFIX, "run, sampler"), "{{run}} {{sampler}}"),),
        "percentunit",
    ),
    Panel(
        "Samplers: time to new weights", (Query(_now(table.SAMPLER_SYNC, "run, sampler"), "{{run}} {{sampler}}"),), "s"
    ),
    Panel(
        "Training: loss",
        (
            Query(_now(table.LOSS, "run, round"), "{{run}} round {{round}}"),
            Query(_now(table.LM_LOSS, "run, round"), "language model, round {{round}}"),
            Query(_now(table.TRIPLET_LOSS, "run, round"), "triplet, round {{round}}"),
            Query(_now(table.REFLECTION_LOSS, "run, round"), "reflection, round {{round}}"),
        ),
    ),
    Panel("Training: tokens a second", (Query(_now(table.TRAINING_SPEED)),)),
    Panel("Training: steps", (Query(_sum(table.TRAINING_STEPS, "run, round"), "{{run}} round {{round}}"),)),
    Panel("Training: learning rate", (Query(_now(table.LEARNING_RATE, "run, round"), "{{run}} round {{round}}"),)),
    Panel(
        "Teacher: sendings by outcome",
        (Query(_rate(table.REQUESTS, "run, endpoint, outcome"), "{{endpoint}} {{outcome}}"),),
        "reqps",
    ),
    Panel(
        "Teacher: answers against what is permitted",
        (
            Query(_now(table.ANSWER_RATE), "{{run}}"),
            Query(_now(table.PERMITTED_RATE), "{{run}} permitted"),
        ),
        "reqps",
    ),
    Panel("Teacher: open requests", (Query(_now(table.OPEN_REQUESTS)),)),
    Panel("Teacher: time left", (Query(_now(table.SECONDS_LEFT)),), "s"),
    Panel("Teacher: paused endpoints", (Query(_now(table.LEFT_ALONE)),)),
    Panel(
        "Teacher: time of a sending",
        (
            Query(_quantile(0.5, table.SEND_SECONDS, "endpoint"), "{{endpoint}} median"),
            Query(_quantile(0.95, table.SEND_SECONDS, "endpoint"), "{{endpoint}} 95 %"),
        ),
        "s",
    ),
    Panel(
        "Teacher: wait for a lease, 95 %",
        (Query(_quantile(0.95, table.LEASE_SECONDS, "endpoint"), "{{endpoint}}"),),
        "s",
    ),
    Panel(
        "Limiter",
        (
            Query(_now(table.LIMITER_IN_FLIGHT), "{{run}} leases"),
            Query(_now(table.LIMITER_WAITING), "{{run}} waiting"),
        ),
    ),
    Panel("Limiter: share of its time at work", (Query(_now(table.LIMITER_BUSY)),), "percentunit"),
    Panel("Teacher: tokens a second", (Query(_rate(table.TOKENS, "run, kind"), "{{run}} {{kind}}"),)),
    Panel(
        "Money",
        (
            Query(_now(table.SETTLED), "{{run}} spent"),
            Query(_now(table.RESERVED), "{{run}} reserved"),
            Query(_now(table.CAP), "{{run}} cap"),
        ),
        "currencyUSD",
    ),
    Panel(
        "Money by endpoint",
        (Query(_sum(table.COST, "endpoint"), "{{endpoint}}"),),
        "currencyUSD",
    ),
    Panel("Journal", (Query(_now(table.JOURNAL_BYTES)),), "bytes"),
    Panel("Trackers that failed", (Query(_now(table.TRACKER_FAILED, "run, tracker"), "{{run}} {{tracker}}"),)),
)


def dashboard() -> dict[str, Any]:
    """The dashboard in Grafana's JSON model."""
    return {
        "title": "Tailor",
        "uid": "tailor",
        "tags": ["tailor", "ray"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source_variable(), _run_variable()]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _source_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}


def _run_variable() -> dict[str, Any]:
    query = f"label_values({exported(table.ROUND)}, run)"
    return {
        "name": "run",
        "label": "Run",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "runs"},
        "definition": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for place, query in enumerate(panel.queries)
        ],
    }


def markdown() -> str:
    """The table of metrics in docs/watching.md."""
    lines = ["| metric | kind | unit | tags | meaning |", "| --- | --- | --- | --- | --- |"]
    for one in table.METRICS:
        tags = ", ".join(f"`{tag}`" for tag in one.tags)
        name = one.name + ("_bucket, _sum, _count" if one.kind is Kind.HISTOGRAM else "")
        lines.append(f"| `{name}` | {one.kind} | {one.unit} | {tags} | {one.meaning} |")
    return "\n".join(lines)


def page_with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def document() -> str:
    """The dashboard's file."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
