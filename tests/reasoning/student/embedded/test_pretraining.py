"""The pretraining command, on a student of seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reasoning.student.embedded.pretraining import Plan, main, pretrain

pytestmark = pytest.mark.training

TINY = Plan(steps=8, rows=4, length=32, warmup=2, hidden=32, layers=1, intermediate=32, tokenizer_passages=300)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_resumed_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    """Stopped before its decay starts and started again, it sees the same text and takes the same steps."""
    pretrain(TINY, tmp_path / "whole", tmp_path / "work-a")
    stopped = replace(TINY, steps=4, decay=0.0)
    pretrain(stopped, tmp_path / "part", tmp_path / "work-b")
    pretrain(TINY, tmp_path / "resumed", tmp_path / "work-b")
    whole, part, resumed = (_weights(tmp_path / name) for name in ("whole", "part", "resumed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(whole[name], part[name]) for name in whole)


def test_the_rate_warms_up_stays_and_decays() -> None:
    plan = Plan(steps=100, warmup=10, decay=0.2, learning_rate=1.0)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[0] < rates[5] < rates[9] == 1.0
    assert rates[10:80] == [1.0] * 70
    assert rates[80] >= rates[90] > rates[99] > 0


def test_the_command_writes_a_student_with_its_record(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--report-every", "2"]
    for name in ("steps", "rows", "length", "warmup", "hidden", "layers", "intermediate", "tokenizer_passages"):
        arguments += [f"--{name.replace('_', '-')}", str(getattr(TINY, name))]
    main(arguments)
    record = json.loads((tmp_path / "out" / "pretraining.json").read_text())
    assert record["plan"]["steps"] == TINY.steps
    assert set(record["skills"]) >= {"equations", "repeat"}
