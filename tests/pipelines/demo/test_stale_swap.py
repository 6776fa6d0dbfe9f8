"""The probe in bfloat16 tells two neighbouring rounds of a real student apart: of SmolLM2-135M, where it was fetched.

Two minutes: the student learns twice, a dozen steps each, as from a round to the next. Each time what an engine with
the right weights says passes, and what one with the weights of the round before says does not."""

from __future__ import annotations

import gc
import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from pipelines.demo.smollm2 import FILE, RECIPE
from reasoning.files.gguf import student_folder
from reasoning.recipe.tailored import load_recipe
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example
from reasoning.tasks.families import FAMILIES
from reasoning.tasks.loading import load_problems
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.training,
    pytest.mark.skipif(not (ROOT / FILE).is_file(), reason="no real student here: `make smollm2` fetches it"),
]
STEPS_A_ROUND = 12


def taught(source: str, folder: Path, examples: list[Example]) -> str:
    """The student at `source` after a round of `examples`, saved."""
    from reasoning.student.checkpoint import load_student, save_student
    from reasoning.training.fine_tuning import fine_tune

    student = load_student(source)
    training = TrainingSection(epochs=1, batch_size=8, learning_rate=2e-4)
    fine_tune(student.model, student.tokenizer, examples, training, ObjectiveSection(), 0, dtype="bfloat16")
    save_student(student.model, student.tokenizer, folder)
    del student
    gc.collect()
    return str(folder)


def judged(checkpoint: str, probe: Any) -> Any:
    """What the probe says of an engine that computes with `checkpoint` in bfloat16."""
    import torch

    from reasoning.student.loading import load_config, load_model
    from reasoning.student.probe import Following, _greedy, tolerance

    model = load_model(checkpoint, load_config(checkpoint), torch.bfloat16)[0].eval()
    following = Following(probe)
    while asked := following.asked():
        for number, before, more in asked:
            steps = _greedy(model, (*probe.prompts[number], *before), more, set())
            following.heard(number, [(step.token, step.logprob, step.runner_up) for step in steps])
    return following.judged(tolerance("bfloat16", probe.dtype, rounding=probe.rounding))


def test_the_right_round_passes_and_the_one_before_does_not(tmp_path: Path) -> None:
    from reasoning.prompts.run_prompts import form_of
    from reasoning.student.gguf.conversion import make_student
    from reasoning.student.probe import make_probe

    recipe = load_recipe(RECIPE)
    source = student_folder(ROOT / FILE)
    make_student(ROOT / FILE, source)
    family, form, count = FAMILIES["last_letter_concatenation"], form_of(recipe.student), 8 * STEPS_A_ROUND
    problems = load_problems(recipe.task, recipe.seed).train
    prompts = [form.prompt(problem.question) for problem in problems[:4]]
    checkpoints = [str(source)]
    for round in range(2):
        shown = problems[round * count : (round + 1) * count]
        examples = [
            Example(one.id, form.prompt(one.question), (f" {family.rationale(one.question, random.Random(0)).text}",))
            for one in shown
        ]
        checkpoints.append(taught(checkpoints[-1], tmp_path / f"round-{round}", examples))
    for before, after in itertools.pairwise(checkpoints):
        probe = make_probe(after, "after", prompts)
        right, stale = judged(after, probe), judged(before, probe)
        assert right.ok, right.reason
        assert not stale.ok, f"stale weights passed: {stale.worst:.2g} nats, rounding {probe.rounding:.2g}"
