"""A whole run whose student learns from what a teacher's logits say of its own attempts."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from reasoning.files.tables import read_table
from reasoning.records import Attempt, Example, Rationale, ScoredAttempt
from reasoning.rounds.directory import RunDirectory
from tests.conftest import ROOT

RECIPE = """
name: micro
seed: 3
task: {name: coin_flip, source: generated, train: 60, validation: 6, test: 6}
student: {max_new_tokens: 160}
teacher: {kind: serve, model: TEACHER, max_tokens: 64, serve: {max_model_len: 512}, first: {kind: offline}}
learning:
  rounds: 1
  first_questions: 40
  help: plain
  exam: {questions: 10, samples: 2}
  objective: {loss: on_policy, interpolation: 1.0, top_k: 8}
  first_training: {epochs: 8, batch_size: 8}
  training: {epochs: 2, batch_size: 8}
cluster: {placement: shared}
"""


def run(recipe: Path, storage: Path) -> None:
    command = [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(storage)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def sends(journal: Path) -> list[tuple[str, str, int, int]]:
    """Of every sending: the request, how it ended, and its tokens."""
    with sqlite3.connect(journal) as db:
        return db.execute("SELECT key, outcome, prompt_tokens, completion_tokens FROM sends ORDER BY key").fetchall()


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.timeout(900)
def test_a_served_teachers_logits_reach_the_students_training(embedded_student: Path, tmp_path: Path) -> None:
    """Ray, two engines of vLLM and a training, twice; about three minutes on two cores. The teacher is the student with
    noise in its weights, so that the two are of one tokenizer and not of one mind."""
    import torch

    from reasoning.student.checkpoint import load_student, save_student

    teacher = load_student(str(embedded_student))
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in teacher.model.parameters():
            weight += 0.05 * weight.std() * torch.randn_like(weight) if weight.numel() > 1 else 0.0
    save_student(teacher.model, teacher.tokenizer, tmp_path / "teacher")
    recipe = tmp_path / "micro.yaml"
    recipe.write_text(RECIPE.replace("TEACHER", str(tmp_path / "teacher")), encoding="utf-8")
    run(recipe, tmp_path / "runs")

    directory = RunDirectory(tmp_path / "runs" / "micro")
    files = directory.round(1)
    attempts, scored = read_table(files.exam, Attempt), read_table(files.scores, ScoredAttempt)
    whole = {(one.problem_id, one.text) for one in attempts if one.complete and one.text.strip()}
    assert 0 < len(scored) <= len(whole)
    for one in scored[:4]:  # what vLLM says is what the model says
        ids = torch.tensor([[*one.prompt, *one.tokens]])
        with torch.inference_mode():
            expected = torch.log_softmax(teacher.model(ids).logits[0].float(), dim=-1)
        for place, token in enumerate(one.tokens):
            row = slice(place * one.width, (place + 1) * one.width)
            told = dict(zip(one.listed[row], one.log_probabilities[row], strict=True))
            assert token in told
            for listed, value in told.items():
                if listed >= 0:
                    assert math.isclose(value, float(expected[len(one.prompt) + place - 1, listed]), abs_tol=0.05)
    rationales = {r.problem_id for r in read_table(files.rationales, Rationale) if r.kept}
    examples = read_table(files.examples, Example)
    assert {one.problem_id for one in scored} <= {example.problem_id for example in examples}
    assert any(not example.positives for example in examples) or {one.problem_id for one in scored} <= rationales
    points = [json.loads(line) for line in files.losses.read_text(encoding="utf-8").splitlines()]
    assert any(point["reflection"] is not None and point["reflection"] > 0 for point in points)
    feedback = next(r.metrics for r in directory.finished() if (r.round, r.phase) == (1, "feedback"))
    assert feedback["scored"] == len(scored) and not feedback["not_scored"]

    # Done again from the exam on, the run asks nothing that it was told.
    journal = next((tmp_path / "runs").rglob("journal.sqlite"))
    before = sends(journal)
    assert sum(made == 1 and tokens > 20 for _, outcome, tokens, made in before if outcome == "answered") >= len(scored)
    kept = [line for line in directory.rounds_file.read_text(encoding="utf-8").splitlines() if '"round": 0' in line]
    exam = [line for line in directory.rounds_file.read_text(encoding="utf-8").splitlines() if '"exam"' in line]
    directory.rounds_file.write_text("".join(f"{line}\n" for line in [*kept, *exam]), encoding="utf-8")
    files.scores.unlink()
    run(recipe, tmp_path / "runs")
    assert sends(journal) == before and read_table(files.scores, ScoredAttempt) == scored
