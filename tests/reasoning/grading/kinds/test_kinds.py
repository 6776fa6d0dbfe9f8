"""What holds for every kind: a right answer is found in every common dress and after every anchor."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import grade, is_answer, is_right, judged_answer, same_answer
from reasoning.grading.extraction.found_answer import How
from reasoning.grading.kinds import KINDS, AnswerRules, with_settings
from reasoning.grading.kinds.date import Date
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.set import AnswerSet
from reasoning.prompts.student_forms import student_form
from reasoning.records import AnswerKind, Problem, Split, Verdict
from tests.reasoning.grading.kinds.samples import SAMPLES

ANCHORS = (
    "Answer: {}",
    "**Answer:** {}",
    "The answer is {}.",
    "Therefore, the answer (arabic numerals) is {}.",
    "Therefore, among A through C, the answer is {}.",
    "So the final answer is: {}",
    "Hence the correct answer would be {}.",
    "ANSWER: {}",
    "**Final Answer**\n\n{}",
    "## Answer\n{}",
    "#### {}",
    "--> {}",
    "\n-->\n{} END",
    "\\boxed{{{}}}",
    "The answer is $\\boxed{{{}}}$.",
)
AFTER = ("", "\nQ: What is 7 + 7?\nA: The answer is 14.", "\nQuestion: Is (A) right?\nAnswer: no (A) 3", "\n\n")
RATIONALES = (
    "",
    "First 7 of them, then 12. ",
    "It is not (A), and no one says yes. So:\n",
    'The answer is 5? No, the word is "not".\n\n',
)


def test_every_kind_has_its_rules_and_is_tested() -> None:
    assert set(KINDS) == set(SAMPLES) == set(AnswerKind)


@given(st.data(), st.sampled_from(AnswerKind), st.sampled_from(ANCHORS), st.sampled_from(RATIONALES))
@settings(deadline=None)
def test_every_anchor_and_every_dress(data: st.DataObject, kind: AnswerKind, anchor: str, rationale: str) -> None:
    samples = SAMPLES[kind]
    gold = data.draw(samples.golds)
    dressed = data.draw(st.sampled_from(samples.dresses)).format(gold)
    text = rationale + ("\n" if anchor[0] in "*#" else "") + anchor.format(dressed) + data.draw(st.sampled_from(AFTER))
    found = judged_answer(text, kind, samples.choices)
    assert is_right(found, gold, kind), (text, found)
    assert found.how is not How.LAST_CANDIDATE


@given(st.data(), st.sampled_from(AnswerKind))
@settings(deadline=None)  # the first comparison of expressions starts a process
def test_a_wrong_answer_is_an_answer_and_wrong(data: st.DataObject, kind: AnswerKind) -> None:
    choices = SAMPLES[kind].choices
    gold = KINDS[kind].normal(data.draw(SAMPLES[kind].golds))
    wrong = KINDS[kind].wrong(gold, choices)
    assert is_answer(gold, kind, choices) and is_answer(wrong, kind, choices)
    assert not same_answer(wrong, gold, kind)


@pytest.mark.parametrize("kind", AnswerKind)
def test_a_gold_answer_is_its_own_normal_form_and_no_answer_is_the_same_as_nothing(kind: AnswerKind) -> None:
    rules, samples = KINDS[kind], SAMPLES[kind]
    assert rules.normal(samples.gold) == samples.gold and rules.same(samples.gold, samples.gold)
    assert rules.as_written(samples.gold, samples.gold) == samples.gold
    assert rules.normal("") == "" and not rules.same("", "") and not rules.is_gold("", samples.choices)


@pytest.mark.parametrize(
    "rules", [*KINDS.values(), Number(unit="km"), Date("day_first"), AnswerSet(("|",))], ids=lambda rules: repr(rules)
)
@pytest.mark.parametrize("piece", [" ", "5 ", "1 of ", "\\(", "{", "[", "may ", "$", "5 km ", "a, ", "1/", "2021-"])
def test_long_texts_of_any_kind_take_no_longer_than_their_length(rules: AnswerRules, piece: str) -> None:
    """Twenty thousand characters; what is quadratic takes far longer."""
    text = piece * (20_000 // len(piece))
    begun = time.monotonic()
    judged_answer(text, rules)
    judged_answer(f"The answer is {text}", rules)
    sum(1 for _ in rules.every(text, ()))
    assert time.monotonic() - begun < 10


TAUGHT = {
    (AnswerKind.DATE, ""): (
        "2021-05-13",
        "May 13, 2021",
        "13/05/2021",
        "13. Mai 2021",
        "2021年5月13日",
        "May 2021",
        "1969",
    ),
    (AnswerKind.DATE, '{"order": "day_first"}'): ("05/01/2021",),
    (AnswerKind.SET, ""): (
        "a, b, c",
        "Paris, France; Rome",
        "none",
        "1, 2.5",
        "salt and pepper; bread",
        "{1, 2}",
        "red",
    ),
    (AnswerKind.SET, '{"separators": ["|"]}'): ("a, b| c",),
    (AnswerKind.EXPRESSION, ""): (
        "x^2 - 1",
        "2\\sqrt{3}",
        "(1, 2]",
        "y = 3x + 2",
        "\\text{odd}",
        "a, b",
        "$5$",
        "3 + 4i",
    ),
    (AnswerKind.NUMBER, ""): ("1/2", "-1/2", "2 1/2", "50%", "300000000", "0.0015", "-5", "12345678901234567"),
    (AnswerKind.NUMBER, '{"unit": "km"}'): ("5 km", "5", "1,200 m", "3.5 kilometres", "3 × 10^8 m"),
    (AnswerKind.NUMBER, '{"unit": "$"}'): ("$5", "5 dollars", "$1,234.50", "50 cents"),
    (AnswerKind.NUMBER, '{"unit": "h"}'): ("1 h 30 min", "1.5 hours"),
    (AnswerKind.NUMBER, '{"tolerance": 0.1}'): ("3.1", "1/3"),
}


@pytest.mark.parametrize(("kind", "settings"), TAUGHT)
@pytest.mark.parametrize("form", ["label", "fine_tune", "zero_shot", "reasoning", "fine_tune_cot", "zero_shot_cot"])
def test_what_is_taught_is_read_back_in_every_form(kind: AnswerKind, settings: str, form: str) -> None:
    written = student_form(form)
    for gold in TAUGHT[kind, settings]:
        assert with_settings(kind, settings).golds_in_row(gold) == (gold,)
        taught = Problem("task", "Which?", gold, kind, Split.TRAIN, settings=settings)
        for rationale in ("First 7, then 12.", "Say it is 3 km or May 5, 2020, {9}.") if written.reasons else ("",):
            completion = written.completion(rationale, gold)
            assert grade(completion, True, taught)[1] is Verdict.CORRECT, completion
