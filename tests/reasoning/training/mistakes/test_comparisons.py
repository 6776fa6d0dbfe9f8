"""Parts and pairs are whole tokens of what is learnt, in whatever pieces a tokenizer cuts it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reasoning.prompts.encoding import Encoder
from reasoning.prompts.student_forms import default_form
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.training import ObjectiveSection
from reasoning.records import Example
from reasoning.student.checkpoint import load_student
from reasoning.training.losses.table import terms_of
from reasoning.training.mistakes.comparisons import compared_data
from reasoning.training.objectives import Objective
from reasoning.training.readers import Reading
from reasoning.training.report import TrainingError
from reasoning.training.samples import Sample, TokenizedExample, draw_pass, tokenize_examples
from tests.tiny_students import tiny_student
from tests.tiny_t5 import tiny_t5_student

pytestmark = pytest.mark.training

FORM = default_form()
QUESTION = "A coin is heads up. Ann flips the coin. Bob flips the coin. Is the coin still heads up?"
FIRST = FORM.completion("Ann flips it: tails up. Bob flips it: heads up.", "yes")
SECOND = FORM.completion(
    "At first it is heads up. Ann flips the coin, so it is tails up. Bob flips it: heads up.", "yes"
)
OWN = "We begin with heads up. Ann flips the coin, so it is tails up."
WRONG = FORM.own_completion(f"{OWN} Bob flips it: tails up.\nAnswer: no")
ANSWER_ALONE = FORM.own_completion("Ann flips it: tails up. Bob flips it: heads up.\nAnswer: no")
EXAMPLE = Example("p", FORM.prompt(QUESTION), (FIRST, SECOND), (WRONG,))


def _compared(student: Any, *examples: Example, limit: int = 400, **changes: Any) -> tuple[TokenizedExample, ...]:
    config, tokenizer = student.model.config, student.tokenizer
    apart = config.is_encoder_decoder
    data = tokenize_examples(examples, tokenizer, limit, encoder_decoder=apart, frame=FORM.frame)
    return compared_data(data, examples, config, tokenizer, FORM.frame, ObjectiveSection(**changes), limit).examples


@pytest.fixture(scope="module", params=["embedded", "bytes", "t5"])
def student(request: pytest.FixtureRequest) -> Any:
    made = {"embedded": lambda: load_student(str(EMBEDDED_STUDENT)), "bytes": tiny_student, "t5": tiny_t5_student}
    return made[request.param]()


def test_a_rationale_is_all_before_its_answer(student: Any) -> None:
    (one,) = _compared(student, EXAMPLE, representation="rationale")
    for texts, ids, spans in (
        ((FIRST, SECOND), one.positives, [row[0][0] for row in one.spans]),
        ((WRONG,), one.negatives, [one.spans[0][0][1]]),
    ):
        for text, tokens, span in zip(texts, ids, spans, strict=True):
            reasoning = text.partition("\nAnswer")[0]
            assert student.tokenizer.decode(tokens[slice(*span)]).strip() == reasoning.strip()


def test_a_divergence_is_the_step_in_which_they_part(student: Any) -> None:
    (one,) = _compared(student, EXAMPLE, representation="divergence")
    decode = student.tokenizer.decode
    for ids, (row,) in zip(one.positives, one.spans, strict=True):
        assert decode(ids[slice(*row[0])]).strip() == "Bob flips it: heads up."
        assert decode(one.negatives[0][slice(*row[1])]).strip() == "Bob flips it: tails up."
    (batch,) = [batch for batch in draw_pass([one], 1, 0, 0) if batch[0].anchor == one.positives[0]]
    assert batch[0].compared == (one.spans[0][0][0], one.spans[1][0][0], one.spans[0][0][1])


def test_a_mistake_in_the_answer_alone_is_not_compared_where_reasoning_is(student: Any) -> None:
    example = Example("p", EXAMPLE.prompt, EXAMPLE.positives, (ANSWER_ALONE, WRONG))
    (parted,) = _compared(student, example, representation="divergence")
    (whole,) = _compared(student, example)
    assert len(whole.negatives) == 2
    assert parted.negatives == whole.negatives[1:]
    assert all(len(row) == 1 for row in parted.spans)
    (nothing,) = _compared(
        student, Example("p", EXAMPLE.prompt, EXAMPLE.positives, (ANSWER_ALONE,)), representation="divergence"
    )
    assert not nothing.has_triplet


def test_pairs_are_every_right_answer_with_every_mistake(student: Any) -> None:
    (one,) = _compared(student, Example("p", EXAMPLE.prompt, EXAMPLE.positives, (ANSWER_ALONE, WRONG)), loss="dpo")
    assert {(pair.right, pair.wrong) for pair in one.pairs} == {(p, n) for p in one.positives for n in one.negatives}
    assert {sample.pair for batch in draw_pass([one], 1, 0, 0) for sample in batch} <= set(one.pairs)


def test_a_step_follows_the_students_own_words_and_ends_with_itself(student: Any) -> None:
    (one,) = _compared(student, EXAMPLE, loss="step_dpo")
    (pair,) = one.pairs  # both right answers give the same step
    assert student.tokenizer.decode(pair.right).strip() == f"{OWN} Bob flips it: heads up."
    assert student.tokenizer.decode(pair.wrong).strip() == f"{OWN} Bob flips it: tails up."


def test_where_no_program_knows_the_step_is_the_teachers_to_say(student: Any) -> None:
    prompt = FORM.prompt("Who has the red ball?")
    wrong = FORM.own_completion("Ann gets it first. Bob takes it then. So Bob has it.\nAnswer: Bob")
    plain = FORM.completion("It begins with Cy. Cy gives it to Ann. Ann keeps it.", "Ann")
    gone_on = FORM.completion("Ann gets it first. Bob only asks for it. So Ann has it.", "Ann")

    def pairs(*positives: str, steps: tuple[str, ...] = ("Bob takes it then.",)) -> set[tuple[str, str]]:
        (one,) = _compared(student, Example("p", prompt, positives, (wrong,), steps), loss="step_dpo")
        decode = student.tokenizer.decode
        return {(decode(pair.right).strip(), decode(pair.wrong).strip()) for pair in one.pairs}

    told = "Ann gets it first. Bob takes it then."
    assert pairs(plain, gone_on) == {("Ann gets it first. Bob only asks for it.", told)}  # what shares the words before
    assert pairs(plain) == {("Ann gets it first. Cy gives it to Ann.", told)}
    assert pairs(plain, steps=()) == {("It begins with Cy.", "Ann gets it first.")}  # the first that differs
    assert pairs(plain, steps=("",)) == pairs(plain, steps=())


def test_a_pair_that_does_not_fit_is_left_out() -> None:
    student = tiny_student()
    room = len(student.tokenizer(EXAMPLE.prompt + FIRST).input_ids) + 1
    other = FORM.own_completion("Ann flips it: heads up.\nAnswer: no")
    example = Example("p", EXAMPLE.prompt, (FIRST,), (other, WRONG))
    (short,) = _compared(student, example, limit=room, loss="step_dpo")
    (long,) = _compared(student, example, limit=400, loss="step_dpo")
    assert (len(short.pairs), len(long.pairs)) == (1, 2)


def test_what_is_shown_has_to_fit_the_students_positions() -> None:
    student = tiny_student()  # 512 positions, one a byte
    short, long = (Example("p", f"Q: {'9' * digits}?", (" 1",), (" 2",)) for digits in (240, 260))
    made = [_compared(student, example, loss="self_distillation") for example in (short, long)]
    assert [len(example.pairs) for (example,) in made] == [1, 0]


def test_an_encoder_decoder_cannot_be_shown_an_answer() -> None:
    with pytest.raises(TrainingError, match=r"self_distillation shows a decoder .* \(t5\) .* take dpo or step_dpo"):
        _compared(tiny_t5_student(), EXAMPLE, loss="self_distillation")


@pytest.mark.parametrize("loss", ["dpo", "step_dpo", "self_distillation"])
def test_pairs_alone_need_mistakes(loss: str) -> None:
    short = Example("p", "Q: 1?", (" 1.\nAnswer: 1",), (" 2.\nAnswer: 2",))
    without = Example("q", "Q: 2?", (" 2.\nAnswer: 2",))
    assert len(_compared(tiny_student(), short, without, loss=loss)) == 2
    assert [one.id for one in _compared(tiny_student(), short, without, loss=loss, language_weight=0.0)] == [short.id]
    with pytest.raises(TrainingError, match=rf"{loss} learns from .* none of 1 has them: give language_weight"):
        _compared(tiny_student(), without, loss=loss, language_weight=0.0)


def test_nothing_changes_for_losses_that_compare_whole_completions() -> None:
    student = tiny_student()
    data = tokenize_examples([EXAMPLE], student.tokenizer, 400, frame=FORM.frame)
    assert _compared(student, EXAMPLE) == data.examples
    assert Encoder(student.tokenizer).reads_apart is False


def _loss_by_the_answer_word(representation: str, negative: str) -> tuple[float, float]:
    """The triplet loss whose positive has the anchor's text, and the size of its gradient."""
    student = tiny_student()
    model, frame = student.model.double().eval(), FORM.frame
    data = tokenize_examples(
        [Example("p", EXAMPLE.prompt, (FIRST, SECOND), (negative,))], student.tokenizer, 400, frame=frame
    )
    section = ObjectiveSection(loss="contrastive", representation=representation)  # type: ignore[arg-type]
    (one,) = compared_data(
        data, [EXAMPLE_WITH[negative]], model.config, student.tokenizer, frame, section, 400
    ).examples
    span = one.spans[0][0] if one.spans else None
    sample = Sample(
        one.prompt, one.positives[0], one.positives[0], one.negatives[0], (span[0], span[0], span[1]) if span else None
    )
    objective = Objective(model, terms_of(section), 0, Reading(shares_prompt=True))
    total, losses = objective((sample,), objective.counts([sample]))
    gradient = torch.autograd.grad(total, list(model.parameters()), allow_unused=True)
    return float(losses[-1]), sum(float(part.abs().sum()) for part in gradient if part is not None)


EXAMPLE_WITH = {
    text: Example("p", EXAMPLE.prompt, (FIRST, SECOND), (text,))
    for text in (ANSWER_ALONE, FORM.completion("Ann flips it: tails up. Bob flips it: tails up.", "yes"))
}


@pytest.mark.parametrize(
    ("representation", "by_the_answer", "by_the_reasoning"),
    [("last", True, True), ("mean", True, True), ("rationale", False, True)],
)
def test_by_what_a_triplet_can_be_told_apart(representation: str, by_the_answer: bool, by_the_reasoning: bool) -> None:
    """The control of the answer word: right reasoning, the answer turned round. Where the answer is not looked at, the
    two are one to the student: the loss is its margin, and nothing can be learnt to lower it. (A divergence of such a
    pair is not compared at all.)"""
    for negative, solvable in zip(EXAMPLE_WITH, (by_the_answer, by_the_reasoning), strict=True):
        loss, slope = _loss_by_the_answer_word(representation, negative)
        assert (loss < 1.0 - 1e-9) is solvable
        assert (slope > 1e-6) is solvable
