"""A student's own attempts with a teacher's scores: which are learnt from, and that they are learnt."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from reasoning.prompts.encoding import Encoder
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.records import Example, ScoredAttempt
from reasoning.training.fine_tuning import fine_tune
from reasoning.training.mistakes.scored_attempts import with_attempts
from reasoning.training.report import TrainingError
from reasoning.training.samples import TokenizedExample
from tests.tiny_students import tiny_student
from tests.tiny_t5 import tiny_t5_student

EXAMPLE = TokenizedExample("e", (5, 6), ((8, 1),), ())
ATTEMPT = ScoredAttempt("p", 1, (5, 6), (9, 1), 2, (9, 3, 1, -1), (-0.1, -3.0, -0.2, -9999.0), "teacher")


def test_a_question_has_the_attempts_that_fit() -> None:
    long, other = replace(ATTEMPT, tokens=(9, 9, 9, 1), listed=(9, 3) * 4), replace(ATTEMPT, problem_id="q")
    (found,) = with_attempts([EXAMPLE], {"e": "p"}, [ATTEMPT, long, other], 4)
    (pair,) = found.pairs
    assert pair.wrong == (9, 1) and pair.right == () and pair.scores is not None
    assert (pair.scores.width, list(pair.scores.listed)) == (2, [9, 3, 1, -1])
    assert list(pair.scores.log_probabilities) == pytest.approx([-0.1, -3.0, -0.2, -9999.0])
    assert len(with_attempts([EXAMPLE], {"e": "p"}, [ATTEMPT, long], 6)[0].pairs) == 2
    assert with_attempts([EXAMPLE], {"e": "r"}, [ATTEMPT], 4) == (EXAMPLE,)


def test_scores_after_another_prompt_are_not_learnt() -> None:
    with pytest.raises(TrainingError, match="after another prompt than it is trained with"):
        with_attempts([EXAMPLE], {"e": "p"}, [replace(ATTEMPT, prompt=(5,))], 9)


def test_scores_come_back_from_a_table_as_they_were(tmp_path: Any) -> None:
    from reasoning.files.tables import read_table, write_table

    write_table(tmp_path / "scores.parquet", [ATTEMPT], ScoredAttempt)
    assert read_table(tmp_path / "scores.parquet", ScoredAttempt) == [ATTEMPT]


def _scored(tokenizer: Any, number: int) -> ScoredAttempt:
    """A wrong attempt, of which the teacher thinks that another digit should stand in place of each token."""
    encoder = Encoder(tokenizer)
    prompt, (tokens,) = encoder.prompt(f"Q: {number}?"), encoder.completions([f" {number}."])
    wanted = encoder.completions(["7"])[0][0]
    listed: list[int] = []
    known: list[float] = []
    for token in tokens:
        listed += [wanted, token if token != wanted else -1]
        known += [math.log(0.9), math.log(0.01) if token != wanted else -9999.0]
    return ScoredAttempt(f"p{number}", 1, tuple(prompt), tuple(tokens), 2, tuple(listed), tuple(known), "teacher")


@pytest.mark.training
@pytest.mark.parametrize("interpolation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("lora", [None, {"rank": 4}])
def test_a_student_is_drawn_to_what_the_teacher_says_also_of_questions_without_a_rationale(
    interpolation: float, lora: Any
) -> None:
    student = tiny_student()
    examples = [Example(f"p{n}", f"Q: {n}?", (f" {n}.",) if n % 2 else ()) for n in range(6)]
    scored = [_scored(student.tokenizer, n) for n in range(6)]
    training = TrainingSection(epochs=10, batch_size=3, learning_rate=2e-2 if lora else 5e-3, warmup_steps=0, lora=lora)
    section = ObjectiveSection(loss="on_policy", interpolation=interpolation, language_weight=0.01)
    report = fine_tune(student.model, student.tokenizer, examples, training, section, 0, scored=scored)
    told = [point.reflection for point in report.losses if point.reflection is not None]
    assert len(told) == report.steps == 20 and sum(told[-4:]) < 0.7 * sum(told[:4])
    again = tiny_student()
    same = fine_tune(again.model, again.tokenizer, examples, training, section, 0, scored=scored)
    assert [point.total for point in same.losses] == [point.total for point in report.losses]


@pytest.mark.training
def test_without_scores_rationales_alone_are_learnt_and_an_encoder_decoder_is_refused() -> None:
    """Round 0 has no attempts."""
    student, seq2seq = tiny_student(), tiny_t5_student()
    examples = [Example("p", "Q: 1?", (" 1.",))]
    training, section = TrainingSection(epochs=1, batch_size=1), ObjectiveSection(loss="on_policy")
    report = fine_tune(student.model, student.tokenizer, examples, training, section, 0)
    assert report.losses[0].reflection is None and report.losses[0].lm > 0
    with pytest.raises(TrainingError, match="on_policy needs a decoder"):
        fine_tune(seq2seq.model, seq2seq.tokenizer, examples, training, section, 0)
