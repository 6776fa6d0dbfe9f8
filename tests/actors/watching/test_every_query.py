"""Every query of the dashboard finds something in a real run, under a real Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.watching.dashboard import PANELS
from tests.conftest import ROOT

RECIPE = """
name: watched
seed: 3
task: {name: coin_flip, source: generated, train: 60, validation: 10, test: 10}
student: {max_new_tokens: 96}
teacher:
  kind: offline
  error_rate: 0
  latency_s: 0.5
  max_in_flight: 8
  requests_per_minute: 6000
  price: {input: 1, output: 2}
  max_cost: 5
learning:
  rounds: 1
  first_questions: 24
  exam: {questions: 30, samples: 4}
  first_training: {epochs: 2, batch_size: 8}
  training: {epochs: 2, batch_size: 8}
"""
# What one objective leaves out the other has. It trains an adapter.
PAIRS = """
  objective: {loss: dpo}
cluster: {sampler: transformers}
"""


class Prometheus:
    """Scrapes what Ray's file for service discovery names, every second."""

    def __init__(self, folder: Path, discovery: Path) -> None:
        config = folder / "prometheus.yml"
        jobs = [{"job_name": "ray", "file_sd_configs": [{"files": [str(discovery)], "refresh_interval": "1s"}]}]
        config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}), encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        command.append(f"--web.listen-address={self._address}")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.began = time.time()

    def series(self, expression: str) -> list[dict[str, Any]]:
        """What the expression gave at any second since the start. Raises `HTTPError` for one that cannot be parsed."""
        asked = {"query": expression, "start": self.began, "end": time.time(), "step": "2"}
        url = f"http://{self._address}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
        found = json.loads(self._opener.open(url, timeout=30).read())
        assert found["status"] == "success"
        return [one for one in found["data"]["result"] if any(value != "NaN" for _, value in one["values"])]


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Sockets have short names."""
    with tempfile.TemporaryDirectory(prefix="w", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(1200)
def test_every_panel_shows_something_of_a_run(tmp_path: Path, ray_folder: Path) -> None:
    """Some four minutes: two runs with every part, for a query may be of any."""
    if shutil.which("prometheus") is None:
        pytest.skip("no Prometheus on this machine: `apt install prometheus`")
    recipe, pairs = tmp_path / "watched.yaml", tmp_path / "pairs.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    adapters = RECIPE.replace("name: watched", "name: pairs").replace(
        "batch_size: 8}", "batch_size: 8, lora: {rank: 8}}"
    )
    pairs.write_text(adapters.rstrip() + PAIRS, encoding="utf-8")
    prometheus = Prometheus(tmp_path, ray_folder / "prom_metrics_service_discovery.json")
    try:
        arguments = [str(ray_folder), str(tmp_path / "runs"), str(recipe), str(pairs)]
        environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
        done = subprocess.run(
            [sys.executable, "-m", "tests.actors.watching.watched_run", *arguments],
            cwd=ROOT,
            env=environment | {"RAY_metrics_report_interval_ms": "1000"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        empty = [
            (panel.title, query.expression)
            for panel in PANELS
            for query in panel.queries
            if not prometheus.series(as_grafana_asks(query.expression))
        ]
        assert not empty, "\n".join(f"{title}: {expression}" for title, expression in empty)
        asked = prometheus.series('sum(ray_tailor_teacher_requests_total{outcome="answered"})')
        assert max(float(value) for one in asked for _, value in one["values"]) >= 24
        questions = prometheus.series('sum(ray_tailor_exam_questions_total{run="watched",round="1"})')
        assert max(float(value) for one in questions for _, value in one["values"]) == 30
        reflection = prometheus.series("max by (run) (ray_tailor_training_reflection_loss)")
        assert [one["metric"] for one in reflection] == [{"run": "pairs"}]
    finally:
        prometheus.process.terminate()
        prometheus.process.wait(timeout=30)


def as_grafana_asks(expression: str) -> str:
    """With the dashboard's variables as they are when all runs are chosen."""
    return expression.replace("$__rate_interval", "10s").replace("$run", ".*")
