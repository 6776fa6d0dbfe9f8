"""What holds for every kind: a right answer is found in every common dress and after every anchor."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import is_answer, is_right, judged_answer, same_answer
from reasoning.grading.extraction.found_answer import How
from reasoning.grading.kinds import KINDS, AnswerRules
from reasoning.grading.kinds.date import Date
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.set import AnswerSet
from reasoning.records import AnswerKind
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
