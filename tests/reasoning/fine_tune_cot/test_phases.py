"""Fine-tune-CoT with teacher, student and trainer in this process: what is collected, shared out, chosen, and resumed.

A "student" here is a folder with a number in it: how many of the held-out questions it gets right, by split."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from reasoning.files.tables import read_table
from reasoning.fine_tune_cot.directory import CotDirectory, student_directory
from reasoning.fine_tune_cot.order import best_degree
from reasoning.fine_tune_cot.phases import do, work_left
from reasoning.offline.teacher import OfflineTeacher, RecordedTeacher, Teacher, UnrecordedQuestionError
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe, parse_cot_recipe
from reasoning.records import Attempt, Example, Rationale
from reasoning.rounds.classroom import Answering, Classroom
from reasoning.rounds.epochs import read_epochs
from reasoning.rounds.phase_order import Finished, Phase
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import load_problems
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest
from reasoning.training.report import FineTuneReport

TASK = "task: {name: coin_flip, train: 12, validation: 10, test: 10}"
SKILLS = [(2, 9), (7, 3), (5, 10)]  # right answers on validation and test after each epoch

Journal = dict[str, TeacherReply]


class LocalClassroom(Classroom):
    """A classroom in this process; `journal` outlives it, as a run's does. Its student answers `patience` questions."""

    journal: Journal
    teacher: Teacher
    sent: int = 0
    patience: int = 10**9
    answered: int = 0

    async def ask(self, request: TeacherRequest, *, first: bool) -> TeacherReply | TeacherFailure:
        assert first
        if request.key not in self.journal:
            self.sent += 1
            content = request.messages[-1][1]
            try:
                (text,) = self.teacher.complete(content, 1, request.temperature, request.sample)
            except UnrecordedQuestionError as error:
                return TeacherFailure(request.key, FailureKind.BAD_REQUEST, str(error), 1)
            self.journal[request.key] = TeacherReply(request.key, text, "stop", 9, 9, request.model)
        return self.journal[request.key]

    async def student_at(self, round: int) -> Answering:
        return self._answering(Path(self.checkpoint(round)))

    async def student_after(self, round: int, epoch: int) -> Answering:
        return self._answering(self.files(round).after(epoch).student)

    def _answering(self, folder: Path) -> Answering:
        skill = json.loads((folder / "skill").read_text())
        right = {
            p.question for part, n in zip((self.data.validation, self.data.test), skill, strict=True) for p in part[:n]
        }
        answers = {p.question: p.answer for p in (*self.data.validation, *self.data.test)}

        async def answer(prompt: str, sampling: Sampling) -> list[Completion]:
            if self.answered >= self.patience:
                raise ConnectionError("the sampler is gone")
            self.answered += 1
            question = prompt.removesuffix(" ###")
            wrong = {"yes": "no", "no": "yes"}[answers[question]]
            return [Completion(f" --> {answers[question] if question in right else wrong}", True, 5)]

        return answer

    async def fine_tune(self, round: int) -> FineTuneReport:
        files = self.files(round)
        for epoch, skill in enumerate(SKILLS, 1):
            for student in (files.after(epoch).student, files.student):  # the last epoch's is the round's
                student.mkdir(parents=True, exist_ok=True)
                (student / "skill").write_text(json.dumps(skill))
        return FineTuneReport(1, 1, 0.0, 1.0, 0.5, None, (), 0)


def recipe(degrees: str, **keys: str) -> FineTuneCotRecipe:
    sections = [f"fine_tuning: {{degrees: {degrees}, training: {{epochs: 3}}}}", TASK]
    return parse_cot_recipe("\n".join([*sections, *(f"{key}: {value}" for key, value in keys.items())]), "r.yaml")


def finish(
    folder: Path, wanted: FineTuneCotRecipe, journal: Journal, teacher: Teacher | None = None, **limits: Any
) -> LocalClassroom:
    """Runs `wanted` from wherever `folder` stands to its end, in a classroom of its own."""
    directory = CotDirectory(folder)
    directory.claim(wanted)
    shared = wanted.at_degree(wanted.fine_tuning.collected)
    data = load_problems(shared.task, shared.seed)
    classroom = LocalClassroom(shared, directory.collection, data, run_prompts(shared), Progress())
    classroom.journal, classroom.teacher = journal, teacher or OfflineTeacher(0.25)
    for name, value in limits.items():
        setattr(classroom, name, value)
    to_the_end(classroom, wanted, directory)
    return classroom


def to_the_end(classroom: Classroom, wanted: FineTuneCotRecipe, directory: CotDirectory) -> None:
    """Does all that is left of a run."""

    async def run() -> None:
        while not isinstance(work := work_left(wanted, directory), Finished):
            await do(classroom, wanted, directory, work)

    asyncio.run(run())


def positives(folder: Path, degree: int) -> dict[str, tuple[str, ...]]:
    examples = read_table(CotDirectory(folder).degree(degree).round(0).examples, Example)
    return {example.problem_id: example.positives for example in examples}


def test_a_degree_learns_the_first_so_many_of_what_was_collected_once(tmp_path: Path) -> None:
    classroom = finish(tmp_path, recipe("[1, 2, 4]"), {})
    collected = read_table(CotDirectory(tmp_path).rationales, Rationale)
    assert len(collected) == 12 * 4 and {r.sample for r in collected} == {0, 1, 2, 3}
    assert classroom.sent <= 2 * len(collected)  # two steps each; nothing is asked for twice
    assert 0 < sum(r.kept for r in collected) < len(collected)
    for degree in (1, 2, 4):
        kept: dict[str, list[str]] = {}
        for rationale in collected:
            if rationale.sample < degree and rationale.kept:
                kept.setdefault(rationale.problem_id, []).append(rationale.text)
        learnt = positives(tmp_path, degree)
        assert set(learnt) == set(kept)
        for problem, texts in kept.items():
            assert [text.partition(" -->")[0].strip() for text in learnt[problem]] == list(dict.fromkeys(texts))


def test_a_larger_degree_later_asks_the_teacher_for_the_missing_ones_only(tmp_path: Path) -> None:
    journal: Journal = {}
    finish(tmp_path / "grown", recipe("[2]"), journal)
    before = dict(journal)
    grown = finish(tmp_path / "grown", recipe("[2, 4]"), journal)
    assert 0 < grown.sent == len(journal) - len(before)
    assert {key: journal[key] for key in before} == before
    finish(tmp_path / "at-once", recipe("[2, 4]"), {})
    for degree in (2, 4):
        assert positives(tmp_path / "grown", degree) == positives(tmp_path / "at-once", degree)


def test_the_filter_may_be_left_out(tmp_path: Path) -> None:
    text = f"{{fine_tuning: {{filter: none, training: {{epochs: 3}}}}, {TASK}}}"
    finish(tmp_path, parse_cot_recipe(text, "r.yaml"), {}, OfflineTeacher(1.0))
    rationales = read_table(CotDirectory(tmp_path).rationales, Rationale)
    problems = {p.id: p for p in load_problems(recipe("[1]").task, 0).train}
    assert all(r.kept for r in rationales) and any(r.answer != problems[r.problem_id].answer for r in rationales)
    learnt = positives(tmp_path, 1)
    assert len(learnt) == 12
    for problem, texts in learnt.items():  # the label that is learnt stays the right one
        assert all(text.endswith(f"--> {problems[problem].answer}") for text in texts)


def test_labels_alone_are_learnt_without_a_teacher(tmp_path: Path) -> None:
    classroom = finish(tmp_path, recipe("[0]"), {})
    assert classroom.sent == 0 and not CotDirectory(tmp_path).rationales.exists()
    problems = {p.id: p for p in classroom.data.train}
    assert positives(tmp_path, 0) == {id: (f" {problem.answer}",) for id, problem in problems.items()}


def test_the_graduate_is_the_epoch_that_validation_chose(tmp_path: Path) -> None:
    """Test accuracy is 10/10 after the last epoch, which paper B would report; validation prefers the second."""
    finish(tmp_path, recipe("[0, 1]"), {})
    directory = CotDirectory(tmp_path)
    for degree in (0, 1):
        files = directory.degree(degree).round(0)
        record = directory.degree(degree).finished()[-1]
        assert record.phase is Phase.EVALUATE and record.metrics["best_epoch"] == 2
        assert record.metrics["validation_correct"] == 7 and record.metrics["test_correct"] == 3
        assert json.loads((files.student / "skill").read_text()) == [7, 3]
        assert [(e.validation_correct, e.test_correct) for e in read_epochs(files.epoch_accuracies)] == SKILLS
        assert not list(files.epochs.glob("*/student"))  # the other epochs' weights are gone
        assert len(read_table(files.evaluation, Attempt)) == 20
    assert best_degree(directory.degrees()) == 1
    assert student_directory(tmp_path).path == directory.degree(1).path


def test_every_student_answers_the_same_questions(tmp_path: Path) -> None:
    classroom = finish(tmp_path, recipe("[0, 1, 2]"), {})
    held_out = [p.id for p in (*classroom.data.validation, *classroom.data.test)]
    for degree in (0, 1, 2):
        files = CotDirectory(tmp_path).degree(degree).round(0)
        for table in [files.evaluation, *(files.after(epoch).evaluation for epoch in (1, 2, 3))]:
            assert [attempt.problem_id for attempt in read_table(table, Attempt)] == held_out


def test_an_evaluation_that_was_killed_asks_only_the_epochs_that_are_left(tmp_path: Path) -> None:
    journal: Journal = {}
    with pytest.raises(ConnectionError):
        finish(tmp_path, recipe("[1]"), journal, patience=25)  # in the middle of the second of three epochs
    classroom = finish(tmp_path, recipe("[1]"), journal)
    assert classroom.answered == 40 and classroom.sent == 0
    assert CotDirectory(tmp_path).degree(1).finished()[-1].metrics["best_epoch"] == 2


@pytest.mark.parametrize("patience", (0, 1, 19, 20, 39, 40, 59))
def test_weights_go_as_soon_as_another_epoch_is_better_and_never_before_its_answers_are_there(
    tmp_path: Path, patience: int
) -> None:
    """Killed after any number of answers, and gone on with."""
    files = CotDirectory(tmp_path).degree(1).round(0)
    with contextlib.suppress(ConnectionError):
        finish(tmp_path, recipe("[1]"), {}, patience=patience)
    examined = patience // 20
    weights = {1: {1, 2, 3}, 2: {2, 3}}.get(examined, {1, 2, 3})
    assert {epoch for epoch in (1, 2, 3) if files.after(epoch).student.exists()} == weights
    assert {epoch for epoch in (1, 2, 3) if files.after(epoch).evaluation.exists()} == set(range(1, examined + 1))
    classroom = finish(tmp_path, recipe("[1]"), {})
    assert classroom.answered == 60 - 20 * examined
    assert json.loads((files.student / "skill").read_text()) == [7, 3]
    assert not list(files.epochs.glob("*/student"))


def test_killed_while_the_best_epoch_takes_its_place_nothing_is_lost(tmp_path: Path) -> None:
    finish(tmp_path, recipe("[1]"), {})
    home = CotDirectory(tmp_path).degree(1)
    lines = home.rounds_file.read_text().splitlines(keepends=True)
    home.rounds_file.write_text("".join(lines[:-1]))  # the phase was over, but not recorded yet
    classroom = finish(tmp_path, recipe("[1]"), {})
    assert classroom.answered == 0
    assert json.loads((home.round(0).student / "skill").read_text()) == [7, 3]
    # killed between the removal of the last epoch's student and the move of the best one's
    home.rounds_file.write_text("".join(lines[:-1]))
    home.round(0).student.rename(home.round(0).after(2).student)
    finish(tmp_path, recipe("[1]"), {})
    assert json.loads((home.round(0).student / "skill").read_text()) == [7, 3]


def test_what_is_not_recorded_is_left_out_and_counted(tmp_path: Path) -> None:
    train = load_problems(recipe("[1]").task, 0).train
    family = OfflineTeacher()
    lines = []
    for number, problem in enumerate(train[:8]):
        prompt, times = f"Q: {problem.question}\nA: Let's think step by step.", 2 if number < 5 else 1
        for rationale in family.continue_text(prompt, times, temperature=0.7):
            record = {"question": problem.question, "rationale": rationale, "answer_completion": f" {problem.answer}."}
            lines.append(json.dumps(record))
    file = tmp_path / "recorded.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    wanted = recipe("[1, 2]", teacher=f"{{kind: recorded, recorded: {file}}}")
    finish(tmp_path / "run", wanted, {}, RecordedTeacher(file))
    for degree, counted in ((1, (8, 4, 12)), (2, (13, 11, 24))):
        feedback = CotDirectory(tmp_path / "run").degree(degree).finished()[0].metrics
        assert (feedback["kept"], feedback["failed"], feedback["asked"]) == counted
        assert set(positives(tmp_path / "run", degree)) == {problem.id for problem in train[:8]}
