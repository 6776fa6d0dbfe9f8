"""Answers as models write them: what is right is found, what is wrong, denied or several is not right; what is taught
is read back; no text makes the grader raise, and none takes long."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.grading.fuzz import GOLDS, PATTERNS, check, drawn
from reasoning.grading import answers
from reasoning.grading.answers import grade, is_answer, is_right, judged_answer, mentions
from reasoning.grading.kinds import KINDS, with_settings
from reasoning.grading.options import stated_choices
from reasoning.prompts.student_forms import StudentForm, student_form
from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.tasks.table import TASKS
from tests.conftest import tries
from tests.reasoning.grading.answer_cases import (
    checks,
    choices,
    claims,
    dresses,
    letters,
    numbers,
    own_kinds,
    sentences,
    statements,
    words,
)
from tests.reasoning.grading.answer_cases.wordings import WORDINGS
from tests.reasoning.grading.kinds.samples import SAMPLES

Case = tuple[AnswerKind, tuple[str, ...], str, str]


def cases(kind: AnswerKind, table: numbers.Table, options: tuple[str, ...] = ()) -> list[Case]:
    return [(kind, options, gold, text) for gold, texts in table for text in texts]


RIGHT = [
    *cases(AnswerKind.NUMBER, [*numbers.RIGHT, *sentences.RIGHT, *claims.RIGHT, *dresses.RIGHT, *checks.RIGHT]),
    *cases(AnswerKind.YES_NO, [*words.YES_NO_RIGHT, *statements.YES_NO_RIGHT]),
    *cases(AnswerKind.TEXT, [*words.TEXT_RIGHT, *statements.TEXT_RIGHT]),
    *cases(AnswerKind.DATE, own_kinds.DATE_RIGHT),
    *cases(AnswerKind.SET, own_kinds.SET_RIGHT),
    *(case for options, table in (*choices.RIGHT, *letters.RIGHT) for case in cases(AnswerKind.CHOICE, table, options)),
]
WRONG = [
    *cases(AnswerKind.NUMBER, [*numbers.WRONG, *sentences.WRONG, *claims.WRONG, *dresses.WRONG, *checks.WRONG]),
    *cases(AnswerKind.YES_NO, [*words.YES_NO_WRONG, *statements.YES_NO_WRONG]),
    *cases(AnswerKind.TEXT, [*words.TEXT_WRONG, *statements.TEXT_WRONG]),
    *cases(AnswerKind.DATE, own_kinds.DATE_WRONG),
    *cases(AnswerKind.SET, own_kinds.SET_WRONG),
    *(case for options, table in (*choices.WRONG, *letters.WRONG) for case in cases(AnswerKind.CHOICE, table, options)),
]


def judged(case: Case) -> bool:
    kind, options, gold, text = case
    return is_right(judged_answer(text, kind, options), gold, kind)


def test_right_answers_are_found() -> None:
    missed = [(*case, judged_answer(case[3], case[0], case[1])) for case in RIGHT if not judged(case)]
    assert not missed, "\n".join(map(str, missed))


def test_wrong_denied_and_several_answers_are_not_right() -> None:
    wrong = [(*case, judged_answer(case[3], case[0], case[1])) for case in WRONG if judged(case)]
    assert not wrong, "\n".join(map(str, wrong))


def test_wordings_are_judged_beside_their_question() -> None:
    amiss = []
    for kind, of_task, question, golds in WORDINGS:
        rules = with_settings(kind, of_task)
        options = stated_choices(question) if rules.has_options else ()
        for gold, right, wrong in golds:
            for text in (*right, *wrong):
                found = judged_answer(text, rules, options, question)
                if is_right(found, gold, rules) != (text in right):
                    amiss.append((kind, gold, text, found))
    assert not amiss, "\n".join(map(str, amiss))


def test_what_is_read_at_once_is_what_a_closer_look_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each case, and of a completion that ends in it, as most do."""
    texts = [(kind, options, text) for kind, options, _, text in (*RIGHT, *WRONG)]
    texts += [(kind, options, f"He has 2: red.\nSo the answer is {text}") for kind, options, text in texts]
    read = [judged_answer(text, kind, options) for kind, options, text in texts]
    monkeypatch.setattr(answers, "_at_once", lambda *_: None)
    closer = [judged_answer(text, kind, options) for kind, options, text in texts]
    assert [(one.answer, one.also) for one in read] == [(one.answer, one.also) for one in closer]


def test_the_published_table_of_completions(real_data: Path) -> None:
    path = real_data / "completions" / "cases.jsonl"
    if not path.is_file():
        pytest.skip(f"no table of completions at {path}")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    wrong = []
    for row in rows:
        kind = TASKS[row["task"]].answer_kind
        options = stated_choices(row["question"]) if KINDS[kind].has_options else ()
        found = judged_answer(row["completion"], kind, options, row["question"])
        if is_right(found, row["gold"], kind) != (row["want"] == "correct"):
            wrong.append(row)
    assert not wrong, "\n".join(map(str, wrong))


# What is taught is read back ------------------------------------------------------------------------------------------

FORMS = ("reasoning", "label", "fine_tune", "fine_tune_cot", "zero_shot", "zero_shot_cot")
PLAIN = [student_form(name) for name in FORMS]
TEXTS = st.one_of(
    st.sampled_from(
        [
            *(
                "Paris, France",
                "x = 5",
                "May 1, 2021",
                "Dr. No",
                "yes and no",
                "A, B",
                "3.5",
                "-5",
                "$5",
                "C++",
                "a/b",
                "(B)",
            ),
            *(
                "rock 'n' roll",
                "the answer",
                "not known",
                "1, 2, 3",
                "[1, 2]",
                "10:30",
                "e = mc^2",
                "what?",
                "no, wait",
                "U.S.A.",
            ),
            *(
                "Ada Lovelace (1815)",
                "because",
                "Question: none",
                "{a: 1}",
                "5 km/h",
                "O'Brien; Pat",
                "\u201cquoted\u201d",
                "ndr",
                "Q: x",
            ),
        ]
    ),
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=60),
    st.lists(
        st.sampled_from(["the", "answer", "is", "not", "5", ",", ".", "so", "=", "Paris", "or", "wait"]),
        min_size=1,
        max_size=8,
    ).map(" ".join),
)
RATIONALES = st.sampled_from(
    ["", "One and one.", "It is 5, so the answer is 7.\nThat is all.", 'He said "no". Answer: 3', "A or B?"]
)


@settings(deadline=None)
@given(TEXTS, RATIONALES, st.sampled_from(PLAIN))
def test_every_text_that_is_taught_is_read_back(gold: str, rationale: str, form: StudentForm) -> None:
    gold = " ".join(gold.split())
    assume(
        is_answer(gold, AnswerKind.TEXT) and not any(mark in gold for mark in ("<", "[/", "-->", "◁", "####", "box"))
    )
    problem = Problem("task", "Which?", gold, AnswerKind.TEXT, Split.TRAIN)
    assert grade(form.completion(rationale, gold), True, problem)[1] is Verdict.CORRECT


@settings(deadline=None)  # the first expression starts a process
@given(st.data(), RATIONALES, st.sampled_from(PLAIN))
def test_every_other_answer_that_is_taught_is_read_back(data: st.DataObject, rationale: str, form: StudentForm) -> None:
    kind = data.draw(st.sampled_from([kind for kind in AnswerKind if kind is not AnswerKind.TEXT]))
    drawn = {
        AnswerKind.NUMBER: st.one_of(
            st.integers(-(10**15), 10**15).map(str),
            st.integers(-(10**9), 10**9).map(lambda value: f"{value:,}"),
            st.decimals(-(10**6), 10**6, places=3).map(str),
            st.sampled_from(["$5", "-3.50", ".5", "0", "1,234,567.89"]),
        ),
        AnswerKind.YES_NO: st.sampled_from(["yes", "no"]),
        AnswerKind.CHOICE: st.sampled_from("ABC"),
    }
    gold = data.draw(drawn.get(kind, st.just(SAMPLES[kind].gold)))
    problem = Problem("task", "Which?", gold, kind, Split.TRAIN, SAMPLES[kind].choices)
    assume(is_answer(gold, kind, problem.choices))
    assert grade(form.completion(rationale, gold), True, problem)[1] is Verdict.CORRECT


# Nothing raises, nothing takes long -----------------------------------------------------------------------------------


def test_made_up_completions_raise_nothing() -> None:
    """400 (in `make quick` 40) of the completions of `python -m bench.grading.fuzz`, which makes them without end."""
    draw, completions = random.Random(0), tries(400)
    verdicts = Counter(verdict for _ in range(completions) for verdict in check(drawn(draw)))
    assert verdicts.total() == completions * len(GOLDS)
    assert set(verdicts) == {Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER, Verdict.TRUNCATED}


@pytest.mark.parametrize("part", PATTERNS)
def test_time_is_linear(part: str) -> None:
    """A pattern repeated to 20,000 characters takes less than two seconds in all kinds together."""
    text = part * (20_000 // len(part))
    start = time.process_time()
    for kind, (gold, options) in GOLDS.items():
        judged_answer(text, kind, options)
        mentions(text, gold, kind, options)
    assert time.process_time() - start < 2
