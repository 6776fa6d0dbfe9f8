"""The phases with a student and a teacher that live in this process: what streams, what is remembered, what is kept."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from reasoning.files.tables import read_table, write_table
from reasoning.offline.teacher import OfflineTeacher
from reasoning.prompts.headings import read_request
from reasoning.prompts.run_prompts import run_prompts
from reasoning.prompts.student_forms import student_completion
from reasoning.recipe.tailored import parse_recipe
from reasoning.records import Attempt, Example, Rationale, RationaleSource, Verdict
from reasoning.rounds.classroom import Answering, Classroom, TeacherRefused
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.evaluation import evaluate
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.new_questions.agreement import NewProblem
from reasoning.rounds.new_questions.proposals import ProposalOutcome
from reasoning.rounds.phases import exam, select_examples
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.families import FAMILIES
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.training.report import FineTuneReport

RECIPE = """
task: {name: coin_flip, train: 40, validation: 5, test: 5}
learning: {first_questions: 12, exam: {questions: 10, samples: 3}, mistakes_per_question: 2}
"""
T = TypeVar("T")


class Student:
    """Answers by the family: rightly for even samples, with one wrong step for odd ones; dies after `patience` asks."""

    def __init__(self, patience: int = 10**6) -> None:
        self.asked: list[str] = []
        self.patience = patience

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        await asyncio.sleep(0)
        if len(self.asked) >= self.patience:
            raise ConnectionError("the sampler is gone")
        self.asked.append(prompt)
        question, family = read_request(prompt).question.split("\nReasoning")[0], FAMILIES["coin_flip"]
        rng = random.Random(prompt)
        worked = [family.rationale(question, rng) if i % 2 == 0 else family.corrupt(question, rng) for i in range(3)]
        return [Completion(student_completion(w.text, w.answer), True, 9) for w in worked]


class Teacher:
    """The offline teacher without its server; `failure` is what every request meets instead of an answer."""

    def __init__(self, failure: FailureKind | None = None) -> None:
        self.asked: list[TeacherRequest] = []
        self.failure = failure

    async def ask(self, request: TeacherRequest) -> TeacherReply | TeacherFailure:
        self.asked.append(request)
        if self.failure is not None:
            return TeacherFailure(request.key, self.failure, "no", 1)
        text = OfflineTeacher().complete(request.messages[0][1], 1, request.temperature, request.sample)[0]
        return TeacherReply(request.key, text, "stop", 10, 20, request.model, False)


class LocalClassroom(Classroom):
    """A classroom in this process."""

    student: Student
    teacher: Teacher

    async def student_at(self, round: int) -> Answering:
        return lambda prompt, sampling: self.student.answer(str(round), prompt, sampling)

    async def student_after(self, round: int, epoch: int) -> Answering:
        return await self.student_at(round)

    async def ask(self, request: TeacherRequest, *, first: bool) -> TeacherReply | TeacherFailure:
        return await self.teacher.ask(request)

    async def fine_tune(self, round: int) -> FineTuneReport:
        raise AssertionError(f"the phases tested here ask and select, and round {round} was to be trained")


def classroom_at(folder: Path, student: Student, teacher: Teacher, recipe_text: str = RECIPE) -> Classroom:
    recipe = parse_recipe(recipe_text, "test")
    data = load_problems(recipe.task, recipe.seed)
    classroom = LocalClassroom(recipe, RunDirectory(folder), data, run_prompts(recipe), Progress())
    classroom.student, classroom.teacher = student, teacher
    for round in (0, 1):
        classroom.files(round).folder.mkdir(parents=True, exist_ok=True)
    return classroom


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def test_a_mistake_reaches_the_teacher_while_the_exam_is_still_sat(tmp_path: Path) -> None:
    teacher = Teacher()
    asked_before_the_last_answer = 0

    class SlowAtTheEnd(Student):
        entered = 0

        async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
            nonlocal asked_before_the_last_answer
            self.entered += 1
            if self.entered == 10:  # the last question takes longer than all the others
                await asyncio.sleep(0.1)
                asked_before_the_last_answer = len(teacher.asked)
            return await super().answer(version, prompt, sampling)

    metrics = run(exam(classroom_at(tmp_path, SlowAtTheEnd(), teacher), 1))
    assert metrics["questions"] == 10 and metrics["attempts"] == 30
    assert metrics["correct"] == 20 and metrics["wrong"] == 10
    assert asked_before_the_last_answer == 9


def test_an_exam_that_was_cut_off_asks_only_the_rest_and_shows_the_same_mistakes(tmp_path: Path) -> None:
    teacher = Teacher()
    with pytest.raises(ConnectionError):
        run(exam(classroom_at(tmp_path, Student(patience=4), teacher), 1))
    log = RunDirectory(tmp_path).round(1).exam_log
    log.write_bytes(log.read_bytes() + b'{"problem_id": "cut o')
    first_keys = {request.key for request in teacher.asked}
    again, second_teacher = Student(), Teacher()
    classroom = classroom_at(tmp_path, again, second_teacher)
    metrics = run(exam(classroom, 1))
    assert len(again.asked) == 6 and metrics["questions"] == 10
    assert first_keys <= {request.key for request in second_teacher.asked}
    attempts = read_table(classroom.files(1).exam, Attempt)
    assert len(attempts) == 30 and len({(a.problem_id, a.sample) for a in attempts}) == 30


@pytest.mark.parametrize("fetched", [True, False])
def test_the_next_exam_begins_while_the_evaluation_ends_and_is_the_same(tmp_path: Path, fetched: bool) -> None:
    """Its questions come after those of the evaluation; what a run that ends there does not fetch is dropped."""

    class Sampled(Student):
        async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
            return (await super().answer(version, prompt, sampling))[: sampling.samples]

    alone, ahead = Sampled(), Sampled()

    async def sit(folder: Path, student: Student, asks_ahead: bool) -> list[Attempt]:
        classroom = classroom_at(folder, student, Teacher())
        classroom.asks_ahead = asks_ahead
        await evaluate(classroom, 0)
        if not fetched:
            await classroom.ahead.drop()
        await exam(classroom, 1)
        return read_table(classroom.files(1).exam, Attempt)

    assert run(sit(tmp_path / "ahead", ahead, True)) == run(sit(tmp_path / "alone", alone, False))
    assert ahead.asked[:10] == alone.asked[:10]  # the evaluation's
    assert sorted(set(ahead.asked)) == sorted(alone.asked)
    assert len(ahead.asked) == len(alone.asked) or not fetched


def test_each_mistake_is_answered_once_and_becomes_an_example_with_its_negative(tmp_path: Path) -> None:
    student, teacher = Student(), Teacher()
    classroom = classroom_at(tmp_path, student, teacher)

    async def two_rounds() -> None:
        await feedback(classroom, 0)
        assert len(teacher.asked) == 12
        await exam(classroom, 1)
        await feedback(classroom, 1)
        await select_examples(classroom, 1)

    run(two_rounds())
    tailored = teacher.asked[12:]
    assert len({request.key for request in tailored}) == len(tailored)  # under way once, awaited twice
    rationales = read_table(classroom.files(1).rationales, Rationale)
    wrong = [a for a in read_table(classroom.files(1).exam, Attempt) if a.verdict is Verdict.WRONG]
    assert len(rationales) == len(tailored) == len(wrong)
    assert all(r.kept and r.source is RationaleSource.TAILORED and r.mistake_id for r in rationales)
    examples = {e.problem_id: e for e in read_table(classroom.files(1).examples, Example)}
    for attempt in wrong:
        example = examples[attempt.problem_id]
        assert attempt.text in example.negatives
        assert not set(example.positives) & set(example.negatives)


def test_a_teacher_that_refuses_everything_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    for kind in (FailureKind.AUTHENTICATION, FailureKind.QUOTA, FailureKind.NOT_FOUND, FailureKind.BUDGET):
        classroom = classroom_at(tmp_path, Student(), Teacher(kind))
        with pytest.raises(TeacherRefused, match=f"{kind}"):
            run(feedback(classroom, 0))
        assert not classroom.files(0).rationales.exists()
    classroom = classroom_at(tmp_path, Student(), Teacher(FailureKind.SERVER))
    with pytest.raises(TeacherRefused, match="none of 12"):
        run(feedback(classroom, 0))


def test_without_a_single_kept_rationale_there_is_nothing_to_learn(tmp_path: Path) -> None:
    classroom = classroom_at(tmp_path, Student(), Teacher())
    classroom.files(0).rationales.parent.mkdir(exist_ok=True)
    write_table(classroom.files(0).rationales, [], Rationale)
    with pytest.raises(TeacherRefused, match="nothing to learn"):
        run(select_examples(classroom, 0))


class Perfect(Student):
    """Answers rightly."""

    async def answer(self, version: str, prompt: str, sampling: Sampling) -> list[Completion]:
        right = (await super().answer(version, prompt, sampling))[0]
        return [right] * sampling.samples


def test_an_exam_without_mistakes_leaves_nothing_to_learn_where_nothing_is_rehearsed(tmp_path: Path) -> None:
    classroom = classroom_at(tmp_path, Perfect(), Teacher(), RECIPE.replace("learning: {", "learning: {rehearsal: 0, "))
    rounds(classroom)
    assert read_table(classroom.files(1).examples, Example) == []
    assert run(select_examples(classroom, 1)) == {"examples": 0, "positives": 0, "negatives": 0}


def test_so_does_one_after_which_all_that_is_said_is_of_solved_questions(tmp_path: Path) -> None:
    keys = "learning: {rehearsal: 0, help: ladder, ladder: {solved_after: 1, guessable_share: 0.5}, "
    classroom = classroom_at(tmp_path, Perfect(), Teacher(), RECIPE.replace("learning: {", keys))
    rounds(classroom)
    told = read_table(classroom.files(1).rationales, Rationale)
    assert told and {one.source for one in told} == {RationaleSource.STUDENT}
    assert run(select_examples(classroom, 1)) == {"examples": 0, "positives": 0, "negatives": 0}


def test_a_later_round_whose_rationales_are_all_wrong_stops_the_run(tmp_path: Path) -> None:
    classroom = classroom_at(tmp_path, Student(), Teacher(), RECIPE.replace("learning: {", "learning: {rehearsal: 0, "))
    rounds(classroom)
    wrong = [replace(one, kept=False) for one in read_table(classroom.files(1).rationales, Rationale)]
    assert wrong
    write_table(classroom.files(1).rationales, wrong, Rationale)
    with pytest.raises(TeacherRefused, match=r"learning\.rehearsal"):
        run(select_examples(classroom, 1))


def rounds(classroom: Classroom) -> None:
    async def two() -> None:
        await feedback(classroom, 0)
        await exam(classroom, 1)
        await feedback(classroom, 1)
        await select_examples(classroom, 1)

    run(two())


def test_feedback_without_the_mistake_is_another_sample_of_the_plain_answer(tmp_path: Path) -> None:
    plain = RECIPE + "\nteacher: {feedback_prompt: plain}\n"
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, plain)
    rounds(classroom)
    assert all("The student's reasoning" not in content for request in teacher.asked for _, content in request.messages)
    assert len({request.key for request in teacher.asked}) == len(teacher.asked)  # none is a first one asked again
    assert {r.source for r in read_table(classroom.files(1).rationales, Rationale)} == {RationaleSource.PLAIN}


def test_without_self_reflection_no_mistake_is_learnt_from(tmp_path: Path) -> None:
    classroom = classroom_at(
        tmp_path, Student(), Teacher(), RECIPE.replace("{first_q", "{self_reflection: false, first_q")
    )
    rounds(classroom)
    examples = read_table(classroom.files(1).examples, Example)
    assert examples and not any(example.negatives for example in examples)


def test_new_questions_are_practised_with_their_own_rationales(tmp_path: Path) -> None:
    new = RECIPE.replace("{first_q", "{new_questions: {per_mistake: 2, answers: 2, agreement: 2}, first_q")
    classroom = classroom_at(tmp_path, Student(), Teacher(), new)
    rounds(classroom)
    records = read_table(classroom.files(1).new_problems, NewProblem)
    kept = {record.id: record for record in records if record.fate is ProposalOutcome.KEPT}
    assert len(kept) > 5 and all(
        r.agreed >= 2 and r.mistake_id and r.prompt.startswith("new_questions-") for r in records
    )
    known = {
        problem.id
        for part in (classroom.data.train, classroom.data.validation, classroom.data.test)
        for problem in part
    }
    assert not known & set(kept)
    examples = {e.problem_id: e for e in read_table(classroom.files(1).examples, Example)}
    for record in kept.values():
        example = examples[record.id]
        assert record.question in example.prompt and not example.negatives
        assert all(text.endswith(f"Answer: {record.answer}") for text in example.positives)


def test_labels_alone_need_no_teacher(tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, RECIPE + "\nstudent: {prompt: label}\n")

    async def first_round() -> None:
        await feedback(classroom, 0)
        await select_examples(classroom, 0)

    run(first_round())
    examples = read_table(classroom.files(0).examples, Example)
    assert len(examples) == 12 and not teacher.asked
    assert {text for example in examples for text in example.positives} == {" yes", " no"}


def test_two_steps_ask_for_the_reasoning_and_then_for_its_answer(tmp_path: Path) -> None:
    teacher = Teacher()
    classroom = classroom_at(tmp_path, Student(), teacher, RECIPE + "\nteacher: {first_prompt: zero_shot_cot}\n")
    metrics = run(feedback(classroom, 0))
    assert len(teacher.asked) == 24 and metrics["asked"] == 12
    assert sum(request.messages[0][1].endswith("Therefore, the answer is") for request in teacher.asked) == 12
    rationales = read_table(classroom.files(0).rationales, Rationale)
    assert all(r.kept and r.prompt.startswith("zero_shot_cot-") for r in rationales)


def test_what_others_paid_for_is_learnt_from_in_round_0(tmp_path: Path) -> None:
    recipe = parse_recipe(RECIPE, "test")
    train = load_problems(recipe.task, recipe.seed).train
    family = FAMILIES["coin_flip"]
    rationales = {p.question: [family.rationale(p.question).text + f" The answer is {p.answer}."] for p in train[:3]}
    other = {"yes": "no", "no": "yes"}
    mistakes = {p.question: [f"It is so. The answer is {other[p.answer]}."] for p in train[:2]}
    for name, content in (("round1", rationales), ("round0.neg4", mistakes)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    wanted = f"{{rationales: {tmp_path}/round1.json, mistakes: {tmp_path}/round0.neg4.json}}"
    text = RECIPE.replace("first_questions: 12", f"first_questions: 0, imported: {wanted}")
    teacher = Teacher()
    classroom = classroom_at(tmp_path / "run", Student(), teacher, text)

    async def first_round() -> None:
        await feedback(classroom, 0)
        await select_examples(classroom, 0)

    run(first_round())
    examples = {example.problem_id: example for example in read_table(classroom.files(0).examples, Example)}
    assert not teacher.asked and set(examples) == {problem.id for problem in train[:3]}
    assert [len(examples[problem.id].negatives) for problem in train[:3]] == [1, 1, 0]
