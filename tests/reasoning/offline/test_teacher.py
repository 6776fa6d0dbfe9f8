"""What the offline and the recorded teacher say to the prompts of the project."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.grading.rationale_filter import keep
from reasoning.offline.teacher import (
    CANNOT_SOLVE,
    OfflineTeacher,
    RecordedTeacher,
    UnrecordedQuestionError,
    read_raw_prompt,
)
from reasoning.prompts.headings import read_reply
from reasoning.prompts.parts import parts_of_reply
from reasoning.prompts.student_forms import student_completion
from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.records import Mistake, Problem, Split
from reasoning.tasks.families import FAMILIES, problems
from tests.conftest import tries
from tests.inputs.teacher_requests import plain_content, tailored_content

each_family = pytest.mark.parametrize("name", FAMILIES)


def some(name: str, count: int = 12) -> list[Problem]:
    return problems(FAMILIES[name], 5, Split.TRAIN, count)


def plain(problem: Problem) -> str:
    return plain_content(problem.question)


@each_family
def test_a_plain_question_gets_a_rationale_and_the_right_answer(name: str) -> None:
    for problem in some(name):
        (text,) = OfflineTeacher().complete(plain(problem))
        reply = read_reply(text)
        assert reply.mistake == ""
        assert reply.answer_text == problem.answer
        assert reply.rationale == FAMILIES[name].rationale(problem.question).text


@each_family
def test_a_mistake_is_named_and_its_step_worked_out_without_reading_the_gold_answer(name: str) -> None:
    family = FAMILIES[name]
    for problem in some(name):
        worked = family.corrupt(problem.question, random.Random(problem.id))
        mistake = student_completion(worked.text, worked.answer)
        content = tailored_content(problem.question, mistake, gold="a gold answer that is not looked at")
        (text,) = OfflineTeacher().complete(content)
        reply = read_reply(text)
        wrong = family.first_wrong_step(problem.question, mistake)
        assert wrong is not None and reply.mistake == wrong.reason
        assert reply.answer_text == problem.answer
        assert " ".join(family.solve(problem.question).steps[wrong.index].smaller) in reply.rationale


@each_family
def test_it_copies_the_wrong_step_and_goes_on_from_there_where_it_is_asked_to(name: str) -> None:
    family, teacher = FAMILIES[name], OfflineTeacher()
    prompts = {kind: teacher_prompt(kind) for kind in ("first_wrong_step", "continuing")}
    asked: list[tuple[Problem, Mistake]] = []
    for problem in some(name):
        worked = family.corrupt(problem.question, random.Random(problem.id))
        text = student_completion(worked.text, worked.answer).strip()
        asked.append((problem, Mistake(problem.id, 1, text, worked.answer)))
    for kind, prompt in prompts.items():
        alone = [teacher.complete(prompt.first(*one)[0][1])[0] for one in asked]
        together = teacher.complete(prompt.together(asked)[0][1])[0]
        assert list(parts_of_reply(together, len(asked))) == alone
        for (problem, mistake), said in zip(asked, alone, strict=True):
            found = keep(
                said, problem, round=1, source=prompt.source, prompt=prompt.id, model="m",
                attempt=mistake.text, continues=prompt.continues,
            )  # fmt: skip
            assert found.wrong_step == "" if not found.kept else mistake.text.count(found.wrong_step) == 1
            if found.kept:
                assert family.first_wrong_step(problem.question, student_completion(found.text, found.answer)) is None
            if found.kept and kind == "continuing":
                assert len(read_reply(said).rationale) <= len(found.text)
                assert found.text.startswith(mistake.text[: mistake.text.index(found.wrong_step)].strip()[:40])


@each_family
def test_temperature_varies_the_wording_and_nothing_else(name: str) -> None:
    teacher = OfflineTeacher()
    for problem in some(name, 5):
        hot = teacher.complete(plain(problem), n=8, temperature=0.7, seed=1)
        assert len(set(hot)) > 3
        assert {read_reply(text).answer_text for text in hot} == {problem.answer}
        assert len(set(teacher.complete(plain(problem), n=8, temperature=0.0))) == 1
        assert hot == OfflineTeacher().complete(plain(problem), n=8, temperature=0.7, seed=1)
        assert hot[:3] == teacher.complete(plain(problem), n=3, temperature=0.7, seed=1)
        assert hot != teacher.complete(plain(problem), n=8, temperature=0.7, seed=2)


@each_family
@pytest.mark.parametrize("tailored", [False, True])
def test_errors_come_at_the_rate_that_was_set(name: str, tailored: bool) -> None:
    teacher = OfflineTeacher(error_rate=0.25, seed=3)
    wrong = 0
    for problem in some(name, 40):
        mistake = FAMILIES[name].corrupt(problem.question, random.Random(1)).text
        asked = tailored_content(problem.question, mistake, problem.answer) if tailored else plain(problem)
        replies = teacher.complete(asked, n=10, temperature=0.7)
        wrong += sum(read_reply(text).answer_text != problem.answer for text in replies)
    assert 60 < wrong < 140  # of 400, five standard deviations around 100


def test_an_error_rate_outside_of_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="error_rate"):
        OfflineTeacher(error_rate=1.5)


@each_family
def test_the_two_raw_steps_of_zero_shot_chain_of_thought(name: str) -> None:
    right, wrong = OfflineTeacher(), OfflineTeacher(error_rate=1.0)
    for problem in some(name, 5):
        first = f"Q: {problem.question}\nA: Let's think step by step."
        for teacher in (right, wrong):
            (rationale,) = teacher.continue_text(first)
            (answer,) = teacher.continue_text(f"{first}{rationale}\nTherefore, the answer is")
            assert (answer == f" {problem.answer}.") == (teacher is right)
        (unclear,) = right.continue_text(f"{first} Hm.\nTherefore, among A through C, the answer is")
        assert unclear == f" {problem.answer}."


def test_what_it_cannot_solve_is_declined_politely() -> None:
    teacher = OfflineTeacher()
    question = "What is the capital of France?"
    assert teacher.complete(plain_content(question), n=2) == [CANNOT_SOLVE] * 2
    assert teacher.continue_text(f"Q: {question}\nA: Let's think step by step.") == [f" {CANNOT_SOLVE}"]
    assert teacher.continue_text(question) == [CANNOT_SOLVE]


@settings(max_examples=tries(100), deadline=None)
@given(text=st.text(max_size=300), raw=st.booleans())
def test_any_prompt_is_answered(text: str, raw: bool) -> None:
    teacher = OfflineTeacher()
    prompt = f"Q: {text}\nA: {text}" if raw else text
    assert len(teacher.complete(prompt, n=2, temperature=1.0)) == 2
    assert len(teacher.continue_text(prompt, n=2, temperature=1.0)) == 2


RECORDS = [
    {"index": 0, "question": "Is it so?", "rationale": " \n\nIt is.\n\n ", "answer_completion": " Yes.", "gold": "yes"},
    {"question": "Is  it\nso?", "rationale": " Perhaps.", "answer_trigger": "So", "answer_completion": " No."},
    {"question": "Und “ö”?", "rationale": " Ja.", "answer_completion": " Ö."},
]


def recording(tmp_path: Path, *lines: str | bytes) -> Path:
    path = tmp_path / "recorded.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def lines_of(records: list[dict]) -> list[str]:
    return [json.dumps(record, ensure_ascii=False) for record in records]


def test_a_recorded_question_is_answered_in_the_order_of_the_file_and_never_twice(tmp_path: Path) -> None:
    teacher = RecordedTeacher(recording(tmp_path, *lines_of(RECORDS), ""))
    content = plain_content("Is it so?")
    assert teacher.complete(content) == ["Reasoning: It is.\nAnswer: Yes."]
    assert teacher.complete(content, n=5, temperature=0.7) == [
        "Reasoning: It is.\nAnswer: Yes.",
        "Reasoning: Perhaps.\nAnswer: No.",
    ]
    assert read_reply(teacher.complete(plain_content("Und “ö”?"))[0]).answer_text == "Ö."
    assert teacher.questions == ["Is it so?", "Und “ö”?"]


def test_recorded_completions_are_repeated_word_for_word(tmp_path: Path) -> None:
    teacher = RecordedTeacher(recording(tmp_path, *lines_of(RECORDS)))
    first = "Q: Is it so?\nA: Let's think step by step."
    assert teacher.continue_text(first, n=2) == [" \n\nIt is.\n\n ", " Perhaps."]
    assert teacher.continue_text(f"{first} Perhaps.\nTherefore, the answer (Yes or No) is") == [" No."]
    with pytest.raises(UnrecordedQuestionError, match="another rationale"):
        teacher.continue_text(f"{first} Surely.\nTherefore, the answer is")


def test_each_sample_of_a_question_gets_another_recording(tmp_path: Path) -> None:
    teacher = RecordedTeacher(recording(tmp_path, *lines_of(RECORDS)))
    content = plain_content("Is it so?")
    assert teacher.complete(content, seed=0) == ["Reasoning: It is.\nAnswer: Yes."]
    assert teacher.complete(content, temperature=0.7, seed=1) == ["Reasoning: Perhaps.\nAnswer: No."]
    asked = "Q: Is it so?\nA: Let's think step by step."
    assert teacher.continue_text(asked, seed=1) == [" Perhaps."]
    assert teacher.complete(asked, seed=1) == [" Perhaps."]  # the two steps as messages, the second as sample 1 too
    assert teacher.complete(f"{asked} Perhaps.\nTherefore, the answer is", seed=1) == [" No."]
    with pytest.raises(UnrecordedQuestionError, match="only 2 completions are recorded"):
        teacher.complete(content, seed=2)


def test_a_few_shot_prompt_asks_its_last_question(tmp_path: Path) -> None:
    teacher = RecordedTeacher(recording(tmp_path, *lines_of(RECORDS)))
    shown = "Q: Und “ö”?\nA: Ja. The answer is ö.\n\n"
    assert teacher.complete(f"{shown}Q: Is it so?\nA:") == ["Reasoning: It is.\nAnswer: Yes."]
    assert teacher.continue_text(f"{shown}Q: Is it so?\nA: Let's think step by step.") == [" \n\nIt is.\n\n "]
    with pytest.raises(UnrecordedQuestionError, match="Is it not"):
        teacher.complete("Q: What?\nA: That.\n\nQ: Is it not?\nA:")


def test_an_unrecorded_question_is_an_error_with_its_text(tmp_path: Path) -> None:
    teacher = RecordedTeacher(recording(tmp_path, *lines_of(RECORDS)))
    with pytest.raises(UnrecordedQuestionError, match="Is it not"):
        teacher.complete(plain_content("Is it not?"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json", "JSON"),
        ("[1, 2]", "a recording is an object, this is a list"),
        ('{"question": "q", "rationale": "r"}', "has no text 'answer_completion'"),
        ('{"question": 3, "rationale": "r", "answer_completion": "a"}', "has no text 'question'"),
        ('{"question": " ", "rationale": "r", "answer_completion": "a"}', "empty 'question'"),
        ('{"question": "q", "rationale": "r", "answer_completion": "a", "answer_trigger": 1}', "'answer_trigger'"),
        (b'{"question": "\xff"}', "invalid UTF-8"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_malformed_line_is_refused_with_file_and_line(tmp_path: Path, line: str | bytes, problem: str) -> None:
    path = recording(tmp_path, lines_of(RECORDS)[0], "", line)
    with pytest.raises(DataError) as refused:
        RecordedTeacher(path)
    assert refused.value.place == f"{path}, line 3"
    assert f"{path}, line 3: " in str(refused.value) and problem in str(refused.value)


def test_a_missing_or_empty_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        RecordedTeacher(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="contains no recordings"):
        RecordedTeacher(recording(tmp_path, "", " "))


def test_raw_prompts_are_taken_apart() -> None:
    raw = read_raw_prompt(
        "Q: What?\nA: Let's think step by step. Therefore, the answer is 3.\nTherefore, the answer is"
    )
    assert raw is not None
    assert (raw.question, raw.rationale, raw.asks_answer) == ("What?", "Therefore, the answer is 3.", True)
    assert read_raw_prompt("What?") is None


def test_the_published_recordings_load_and_answer(real_data: Path) -> None:
    path = real_data / "recorded_teacher" / "coin_flip.jsonl"
    teacher = RecordedTeacher(path)
    assert len(teacher.questions) == 500
    right = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        first = f"Q: {record['question']}\nA: Let's think step by step."
        assert teacher.continue_text(first) == [record["rationale"]]
        second = f"{first}{record['rationale']}\n{record['answer_trigger']}"
        assert teacher.continue_text(second) == [record["answer_completion"]]
        reply = read_reply(teacher.complete(plain_content(record["question"]))[0])
        right += reply.answer_text.lower().lstrip(": \n").startswith(record["gold"])
    assert right / 500 > 0.85
