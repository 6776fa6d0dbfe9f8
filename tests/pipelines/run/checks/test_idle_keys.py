"""Keys that are set and change nothing are told before a run; those that do, and those that are left out, are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.checks.idle_keys import idle_keys
from pipelines.run.fine_tune_cot import check_cot
from pipelines.run.preflight import check
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.fine_tune_cot import parse_cot_recipe
from reasoning.recipe.tailored import load_recipe, parse_recipe
from reasoning.tasks.loading import load_problems
from tests.conftest import ROOT
from tests.pipelines.run.checking import LAPTOP, SMALL
from tests.reasoning.prompts.chat_templates import TEMPLATES, chat_tokenizer

LADDER = "learning: {help: ladder, "


def notes(text: str) -> tuple[str, ...]:
    there = Capacity.of_one({"CPU": 8.0, "GPU": 4.0})
    return check(parse_recipe(SMALL + text, "mine.yaml"), "mine.yaml", there, probe=False, ask=False).notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning: {rounds: 0, help: ladder}", "learning.help: learning.rounds is 0"),
        ("learning: {rounds: 0, new_questions: {}}", "learning.new_questions: learning.rounds is 0"),
        ("learning: {rounds: 0, objective: {loss: dpo}}", "it is loss: completion"),
        ("learning: {help: plain}\nteacher: {feedback_prompt: continuing}", "continuing is not asked"),
        (LADDER + "ladder: {own: 0, plain: false, tailored: false}}", "no rung is on that could help"),
        (LADDER + "ladder: {plain: false, tailored: false}}", "nothing (own: right answers to such questions"),
        (LADDER + "ladder: {new_questions: true}}", "learning.ladder.new_questions: none are asked for without"),
        (LADDER + "ladder: {new_questions: false}, new_questions: {}}", "learning.new_questions: learning.ladder"),
        (LADDER + "ladder: {solved_after: null, examine_solved: 0.1}}", "learning.ladder.examine_solved: solved_after"),
        (LADDER + "ladder: {solved_after: 9}}", "learning.ladder.solved_after: with so few rounds (2)"),
        (LADDER + "ladder: {examine_again: 0.8}}", "learning.ladder.examine_again: without learning.exam.questions"),
        (LADDER + "ladder: {own: 0, guessable_share: 0.5}}", "learning.ladder.guessable_share: own is 0"),
        (
            LADDER + "ladder: {rationalize: 1}}",
            "learning.ladder.rationalize: right answers to such questions are easily",
        ),
        (LADDER + "mistakes_per_question: 3}", "learning.mistakes_per_question: the ladder shows one"),
        (LADDER + "ladder: {teacher_tokens: 9}}", "learning.ladder.teacher_tokens: 9 is less than one request"),
        (LADDER + "ladder: {dollars: 1}}", "learning.ladder.dollars: this teacher costs nothing"),
        ("learning: {rounds: 0, per_request: 4}\nteacher: {feedback_prompt: tailored_shared}", "learning.per_request:"),
        (
            "learning: {self_reflection: false, objective: {margin: 0.5}}",
            "margin: it is of the triplet loss",
        ),
        ("learning: {self_reflection: false, objective: {contrastive_weight: 2}}", "contrastive_weight: it is of the"),
        ("learning: {objective: {contrastive_weight: 0, representation: mean}}", "contrastive_weight is 0"),
        ("cluster: {turns: restart}", "cluster.turns: with placement: dedicated"),
        (
            "cluster: {placement: shared, turns: sleep, sampler_gpus: 2, trainer_gpus: 1}",
            "cluster.turns: these samplers do not sleep but restart",
        ),
        ("learning: {training: {epoch: best, epochs: 1}}", "learning.training.epoch: of one epoch"),
        ("learning: {first_training: {warmup_steps: 1000}}", "learning.first_training.warmup_steps: the training has"),
    ],
)
def test_a_key_without_work_is_told(text: str, said: str) -> None:
    (note,) = notes(text)
    assert said in note and note.startswith(("learning.", "cluster.", "teacher.")) and note.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "learning: {rounds: 0}",
        "learning: {help: plain}",
        "learning: {help: plain}\nteacher: {feedback_prompt: plain_shared}",
        LADDER + "ladder: {plain: false}}",
        LADDER + "ladder: {own: 0, plain: false, tailored: false}, new_questions: {}}",
        LADDER + "ladder: {plain: false, tailored: false, guessable_share: 0.5}}",
        LADDER + "exam: {questions: 20}, ladder: {examine_again: 0.8}}",
        LADDER + "ladder: {solved_after: 2, teacher_tokens: 1000}}",
        LADDER + "per_request: 4}\nteacher: {first_prompt: plain_shared}",
        "learning: {objective: {contrastive_weight: 0}}",
        "learning: {self_reflection: false, objective: {contrastive_weight: 0}}",
        "learning: {objective: {representation: divergence}}",
        "cluster: {placement: shared, turns: restart, sampler_gpus: 1, trainer_gpus: 1}",
        "cluster: {placement: shared, turns: sleep, sampler_gpus: 1, trainer_gpus: 1}",
        "learning: {first_training: {warmup_steps: 9}}",
    ],
)
def test_a_key_with_work_is_not(text: str) -> None:
    assert notes(text) == ()


@pytest.mark.parametrize(
    ("family", "told"), [("chatml", True), ("qwen3", False), ("deepseek-r1", False), ("exaone", False)]
)
def test_thinking_that_the_template_leaves_to_the_student_is_told(tmp_path: Path, family: str, told: bool) -> None:
    """A template may only take the thoughts of earlier turns out, as LFM2's does."""
    marks = {"chatml": "{# </think> #}", "exaone": "<think>\n\n</think>\n"}
    chatml = TEMPLATES["chatml"].replace("{% endif %}", "") + marks.get(family, "") + "{% endif %}"
    chat_tokenizer(family, template=chatml if family in marks else None).save_pretrained(tmp_path)
    recipe = parse_recipe(f"{SMALL}student: {{model: '{tmp_path}', prompt: chat, thinking: off}}", "mine.yaml")
    found = list(idle_keys(recipe, run_prompts(recipe), load_problems(recipe.task, recipe.seed)))
    assert [note.startswith("student.thinking: without it") for note in found] == [True] * told


def test_the_demo_has_no_such_key() -> None:
    recipe = load_recipe(ROOT / "recipes" / "quickstart.yaml")
    assert check(recipe, "quickstart", LAPTOP, probe=False, ask=False).notes == ()


def test_fine_tune_cot_is_told_in_its_own_words() -> None:
    text = SMALL + "fine_tuning: {training: {epoch: best, epochs: 1}}"
    found = check_cot(parse_cot_recipe(text, "mine.yaml"), "mine.yaml", LAPTOP, probe=False, ask=False).notes
    assert "fine_tuning.training.epoch: of one epoch the last is the best." in found
    assert not any(note.startswith("learning.") for note in found)
