"""A whole run against an API that costs money: key, prices, a cap that stops it, and the same command that goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reasoning.rounds.directory import RunDirectory
from serve.provider.args import ProviderArgs
from serve.provider.server import Provider
from tests.conftest import ROOT
from tests.pipelines.whole_runs.micro_run import write_recipe

SECRET = "tk-4b8d0e6f91aa"
PAID = """teacher:
  kind: openai
  model: faulty-teacher
  base_url: %(base_url)s
  api_key_env: TEACHER_KEY
  price: {input: 100, output: 400}
  max_cost: %(max_cost)s
"""
RUN_S = 600


def run(recipe: Path, storage: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}, "TEACHER_KEY": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(1800)
def test_a_run_stops_before_its_cap_goes_on_when_it_is_raised_and_keeps_its_key_to_itself(tmp_path: Path) -> None:
    """About two minutes: a run that is stopped in round 0 by its cap, and the same run with a higher one."""
    recipe, storage = write_recipe(tmp_path, in_flight=8), tmp_path / "runs"
    lines = recipe.read_text(encoding="utf-8").splitlines(keepends=True)

    def write(base_url: str, max_cost: float) -> None:
        paid = PAID % {"base_url": base_url, "max_cost": max_cost}
        recipe.write_text("".join(paid if line.startswith("teacher:") else line for line in lines), encoding="utf-8")

    args = ProviderArgs(api_keys=(SECRET,), input_price=100.0, output_price=400.0, error_rate=0.2)
    with Provider(args) as provider:
        write(provider.base_url, 0.6)
        code, told = run(recipe, storage)
        assert code == 1 and "max_cost" in told, told[-3000:]
        stopped = provider.stats()
        assert 0.1 < stopped.cost <= 0.6 and stopped.answered > 1
        write(provider.base_url, 50.0)
        code, more = run(recipe, storage)
        assert code == 0, more[-3000:]
        end = provider.stats()
        assert stopped.cost < end.cost <= 50.0 and end.answered_more_than_once == end.sent_more_than_once == 0
    assert f"${end.cost:.4f}" in more  # what the run says it spent is what the provider charged
    directory = RunDirectory(storage / "micro")
    assert directory.report.is_file()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert SECRET not in told + more
    assert [str(file) for file in files if SECRET.encode() in file.read_bytes()] == []
