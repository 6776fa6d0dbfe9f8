"""A run that is as small as a run can be and still has every part: shared by the tests of the whole loop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import ROOT

RECIPE = """
name: micro
seed: 3
task: {name: coin_flip, source: generated, train: %(train)d, validation: 10, test: 10}
student: {max_new_tokens: 96}
teacher: {kind: offline, error_rate: 0.2, latency_s: %(latency)s, max_in_flight: %(in_flight)d}
learning:
  rounds: 1
  first_questions: 24
  exam: {questions: %(questions)d, samples: 2}
  first_training: {epochs: %(epochs)d, batch_size: 8}
  training: {epochs: %(epochs)d, batch_size: 8}
"""


def write_recipe(folder: Path, latency: float = 0.0, in_flight: int = 32, questions: int = 12, epochs: int = 2) -> Path:
    """A micro recipe in `folder`; its parameters make one phase or another last."""
    values = {"latency": latency, "in_flight": in_flight, "questions": questions, "epochs": epochs}
    values["train"] = max(60, questions)
    path = folder / "micro.yaml"
    path.write_text(RECIPE % values, encoding="utf-8")
    return path


def start_run(
    recipe: Path, storage: Path | str, log: Path, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """`python -m pipelines.tailored` as a person starts it, in a process of its own, its output in `log`. `storage` is
    a folder or an address; `variables` are added to its environment."""
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | dict(variables or {})
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
