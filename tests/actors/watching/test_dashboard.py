"""The dashboard's file and the page's table are what the code says; each query is of a metric that is exported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from actors.watching.dashboard import FILE, PAGE, PANELS, Panel, dashboard, document, exported, page_with_table
from actors.watching.table import METRICS, Kind


def test_the_file_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run `python -m actors.watching.dashboard`"


def test_the_page_is_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_table(page), "run `python -m actors.watching.dashboard`"
    assert all(f"| `{metric.name}" in page for metric in METRICS)


@pytest.mark.parametrize("panel", PANELS, ids=[panel.title for panel in PANELS])
def test_a_panel_asks_for_what_is_exported(panel: Panel) -> None:
    names = {
        exported(metric) + ending: metric
        for metric in METRICS
        for ending in (("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",))
    }
    for query in panel.queries:
        asked = re.findall(r"ray_tailor_\w+", query.expression)
        assert asked and set(asked) <= set(names)
        labels = {tag for name in asked for tag in names[name].tags}
        grouped = {label for part in re.findall(r"by \(([^)]*)\)", query.expression) for label in part.split(", ")}
        assert grouped <= labels | {"le"} and set(re.findall(r"{{(\w+)}}", query.legend)) <= grouped


def test_every_metric_is_on_the_dashboard() -> None:
    asked = " ".join(query.expression for panel in PANELS for query in panel.queries)
    assert not [metric.name for metric in METRICS if exported(metric) not in asked]


def test_grafana_finds_its_way() -> None:
    made = dashboard()
    ids = [panel["id"] for panel in made["panels"]]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]}
    assert len(set(ids)) == len(places) == len(PANELS)
    assert [variable["name"] for variable in made["templating"]["list"]] == ["datasource", "run"]


@pytest.mark.parametrize(
    ("attempts", "share"),
    [({"wrong": 5}, 0.0), ({"right": 5}, 1.0), ({"wrong": 5, "right": 15}, 0.75)],  # what never happened has no series
)
def test_the_share_of_right_attempts(attempts: dict[str, int], share: float, tmp_path: Path) -> None:
    """As Prometheus itself computes it."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on this machine: `apt install prometheus`")
    (panel,) = [panel for panel in PANELS if panel.title == "Exam: right"]
    series = [
        {"series": f'ray_tailor_exam_attempts_total{{run="a",round="1",verdict="{verdict}"}}', "values": f"{n} {n} {n}"}
        for verdict, n in attempts.items()
    ]
    expected = [{"labels": '{run="a",round="1"}', "value": share}]
    query = {"expr": panel.queries[0].expression.replace("$run", ".*"), "eval_time": "2s", "exp_samples": expected}
    file = tmp_path / "test.yml"  # JSON is YAML
    file.write_text(
        json.dumps({"tests": [{"interval": "1s", "input_series": series, "promql_expr_test": [query]}]}),
        encoding="utf-8",
    )
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
