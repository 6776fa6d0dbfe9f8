"""What is graded and how: the papers' bugs by name, and that nothing makes the grader raise. Each kind: `kinds/`."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.grading.answers import (
    answer_of_reply,
    extract,
    find_answer,
    grade,
    is_answer,
    is_right,
    judged_answer,
    judged_part,
    mentions,
    same_answer,
)
from reasoning.grading.extraction.found_answer import How
from reasoning.prompts.student_forms import student_completion
from reasoning.records import AnswerKind, Split, Verdict
from reasoning.tasks.families import FAMILIES, problems
from reasoning.teacher.thinking import split_thinking
from tests.conftest import tries
from tests.reasoning.grading.kinds.samples import BALLS, SAMPLES, problem

NUMBER, YES_NO, CHOICE, TEXT = AnswerKind.NUMBER, AnswerKind.YES_NO, AnswerKind.CHOICE, AnswerKind.TEXT


def test_a_truncated_attempt_is_truncated_whatever_it_says() -> None:
    # paper A's exam counted cut-off text as mistakes
    assert grade(" steps\nAnswer: 18", False, problem("18", NUMBER)) == ("18", Verdict.TRUNCATED)
    assert grade(" steps", False, problem("18", NUMBER)) == ("", Verdict.TRUNCATED)


def test_what_is_thought_is_not_answered_and_thinking_that_does_not_end_was_cut_off() -> None:
    eighteen = problem("18", NUMBER)
    assert grade("<think>17?\nAnswer: 17\n\nNo.\n</think>\n\n18", True, eighteen) == ("18", Verdict.CORRECT)
    assert grade("<think>The answer is 18.", True, eighteen) == ("", Verdict.TRUNCATED)
    assert grade("<think>The answer is 18.</think>", True, eighteen) == ("", Verdict.NO_ANSWER)


def test_verdicts() -> None:
    coin = problem("yes", YES_NO)
    assert grade(" The coin is heads up.\nAnswer: yes", True, coin) == ("yes", Verdict.CORRECT)
    assert grade(" The coin is tails up.\nAnswer: no", True, coin) == ("no", Verdict.WRONG)
    assert grade(" The coin is heads up.", True, coin) == ("", Verdict.NO_ANSWER)
    assert grade("\nAnswer", True, coin) == ("", Verdict.NO_ANSWER)  # paper A crashed on this


def test_what_follows_the_answer_does_not_count() -> None:
    rambling = " One and one.\nAnswer: 2\n\nAlso, the answer is 3."
    assert judged_part(rambling) == " One and one.\nAnswer: 2"
    assert grade(rambling, True, problem("2", NUMBER))[1] is Verdict.CORRECT
    second = " One and one.\nAnswer: 2\nQuestion: And more?\nReasoning: so\nAnswer: 5"
    assert grade(second, True, problem("2", NUMBER))[1] is Verdict.CORRECT
    assert grade("Answer: 3\n\nHmm, that is wrong. The answer is 2.", True, problem("2", NUMBER))[1] is Verdict.CORRECT
    assert judged_part(" First.\n\nAnswer: 2") == " First.\n\nAnswer: 2"  # no answer before the blank line


def test_what_a_text_begins_with_is_no_answer_where_it_is_taken_back_or_the_first_of_a_list() -> None:
    assert extract("No.\n\nWait, let me reconsider. It is small. So actually yes.", YES_NO) == "yes"
    assert extract("B\n\nWait, let me reconsider. So it is C.", CHOICE, BALLS) == "C"
    assert extract("B\n\nLet me double-check. Yes, B.", CHOICE, BALLS) == "B"
    assert extract("42\n\nHmm, it was late.", NUMBER) == "42"
    options = "A) orange ball\nB) white ball\nC) blue ball\n\nIt is as the sky, so the blue ball."
    assert extract(options, CHOICE, BALLS) == "C"


def test_the_next_question_of_the_same_task_is_not_read() -> None:
    coin = "A coin is heads up. Bo flips it. Is it still heads up?"
    text = "It was flipped once. So the answer is no.\n\nA coin is heads up. Cy waits. Is it?\nSo the answer is yes."
    assert judged_answer(text, YES_NO, (), coin).answer == "no"


def test_the_question_said_again_is_no_answer() -> None:
    asked = "Ann has 12 pens and buys 5 in each of the 4 shops. How many pens does she have?"
    for echo in (asked, asked[:55], f"Question: {asked}\n"):
        assert judged_answer(echo, NUMBER, (), asked).answer == ""
    for text in (f"5 * 4 = 20, 12 + 20 = 32\n\n{asked}", f"32 pens\n{asked}\n{asked[:40]}", f"{asked}\n12 + 20 = 32"):
        assert judged_answer(text, NUMBER, (), asked).answer == "32", text


@pytest.mark.parametrize(
    "columns", ["17\n×13\n----\n 221", "  204\n+  17\n-----\n  221", "17\nx 13\n___\n51\n170\n___\n221"]
)
def test_a_written_calculation_does_not_begin_with_its_answer(columns: str) -> None:
    assert find_answer(columns, NUMBER).answer == "221"


def test_what_a_teacher_writes_after_its_heading() -> None:
    assert answer_of_reply("**$1,234.00**", problem("1234", NUMBER)) == "1234"
    assert answer_of_reply("18\n\nNote: the student's answer is 5.", problem("18", NUMBER)) == "18"
    assert answer_of_reply("The answer is 18.", problem("18", NUMBER)) == "18"
    assert answer_of_reply("Yes, it is.", problem("yes", YES_NO)) == "yes"
    assert answer_of_reply("(c) blue ball", problem("C", CHOICE, BALLS)) == "C"
    assert answer_of_reply("blue ball", problem("C", CHOICE, BALLS)) == "C"


@settings(max_examples=tries(300), deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.sampled_from(
                [
                    "\nAnswer:",
                    "answer is ",
                    "####",
                    "-->",
                    "\\boxed{",
                    "\\frac{1}",
                    "½",
                    "one ",
                    "wait",
                    "(B)",
                    "$1,2",
                    "-",
                    '"',
                    "**",
                    "\n\n",
                    "\nQuestion:",
                    "İ",
                ]
            ),
            st.text("0123456789.,-$= ", max_size=12),
            st.just("\ud800"),
        ),
        max_size=12,
    ).map("".join),
    st.sampled_from(AnswerKind),
    st.booleans(),
)
def test_no_text_makes_it_raise(text: str, kind: AnswerKind, complete: bool) -> None:
    choices, gold = SAMPLES[kind].choices, SAMPLES[kind].gold
    prediction, verdict = grade(text, complete, problem(gold, kind, choices))
    whole = complete and split_thinking(text).closed
    assert (verdict is Verdict.TRUNCATED) == (not whole)
    assert (verdict is Verdict.NO_ANSWER) == (whole and not prediction)
    assert verdict is not Verdict.CORRECT or same_answer(prediction, gold, kind)
    if kind is YES_NO:
        assert prediction in ("", "yes", "no")
    if kind is CHOICE:
        assert prediction in ("", "A", "B", "C")
    found = find_answer(text, kind, choices)
    assert found == find_answer(text, kind, choices)
    assert (found.how is How.NONE) == (not found.answer)
    assert not is_right(found, gold, kind) or found.answer or found.also
    assert same_answer(text, gold, kind) in (True, False)
    assert mentions(text, gold, kind, choices) in (True, False)
    assert is_answer(text, kind, choices) in (True, False)
    assert isinstance(answer_of_reply(text, problem(gold, kind, choices)), str)


@given(
    st.text(max_size=200),
    st.sampled_from([("18", NUMBER), ("-0.5", NUMBER), ("no", YES_NO), ("C", CHOICE), ("yajo", TEXT)]),
)
def test_an_answer_line_is_found_after_any_rationale(rationale: str, answer: tuple[str, AnswerKind]) -> None:
    gold, kind = answer
    choices = BALLS if kind is CHOICE else ()
    completion = student_completion(rationale.replace("\ud800", ""), gold)
    assert extract(completion, kind, choices) == gold


@pytest.mark.parametrize("name", FAMILIES)
def test_every_gold_answer_survives_its_completion(name: str) -> None:
    family = FAMILIES[name]
    for item in problems(family, 0, Split.TRAIN, 50):
        completion = student_completion(family.rationale(item.question, random.Random(1)).text, item.answer)
        assert grade(completion, True, item) == (item.answer, Verdict.CORRECT)


@pytest.mark.parametrize(
    ("task", "kind", "published", "ours"),
    [("coin_flip", YES_NO, 457, 457), ("strategy_qa", YES_NO, 1254, 1254), ("multiarith", NUMBER, 472, 479)],
)
def test_recorded_answers_of_a_real_teacher(
    real_data: Path, task: str, kind: AnswerKind, published: int, ours: int
) -> None:
    """Right answers among a real teacher's, by the published rule and by ours, which reads calculations and dresses."""
    lines = (real_data / "recorded_teacher" / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    said = [extract(f"{row['answer_trigger']}{row['answer_completion']}", kind) for row in rows]
    right = [same_answer(answer, str(row["gold"]), kind) for answer, row in zip(said, rows, strict=True)]
    assert sum(right) == ours >= published
