"""The grading of completions, the accuracy reported for a split, and epochs that are examined while a training makes
them. Whole evaluations are in the tests of phases; a student here is that of `tests.reasoning.fine_tune_cot`."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reasoning.fine_tune_cot.directory import CotDirectory
from reasoning.grading import net
from reasoning.grading.answers import grade
from reasoning.offline.teacher import OfflineTeacher
from reasoning.prompts.run_prompts import run_prompts
from reasoning.records import AnswerKind, Problem, Split, Verdict
from reasoning.rounds import evaluation
from reasoning.rounds.classroom import Answering
from reasoning.rounds.epochs import claim_epochs, read_epochs
from reasoning.rounds.evaluation import accuracy_metrics, examine_meanwhile, graded_attempt
from reasoning.rounds.phase_order import Phase
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling
from reasoning.tasks.loading import load_problems
from reasoning.training.report import FineTuneReport
from tests.reasoning.fine_tune_cot.test_phases import LocalClassroom, recipe, to_the_end

PROBLEM = Problem("t", "How many?", "18", AnswerKind.NUMBER, Split.VALIDATION)
SKILLS = [(4, 1), (7, 3), (7, 9), (5, 10), (6, 2)]
QUESTIONS = 20  # held out


@pytest.mark.parametrize(
    ("text", "complete", "verdict"),
    [("So.\nAnswer: 18", True, Verdict.CORRECT), ("So.\nAnswer: 19", True, Verdict.WRONG)],
)
def test_an_attempt_keeps_what_was_said_and_its_verdict(text: str, complete: bool, verdict: Verdict) -> None:
    attempt = graded_attempt(PROBLEM, 2, 1, Completion(text, complete, 9))
    assert (attempt.problem_id, attempt.round, attempt.sample) == (PROBLEM.id, 2, 1)
    assert (attempt.text, attempt.complete, attempt.tokens, attempt.verdict) == (text, complete, 9, verdict)
    assert attempt.prediction == text[-2:]


def test_accuracy_is_named_after_its_split_and_lies_within_its_interval() -> None:
    metrics = accuracy_metrics(Split.TEST, [Verdict.CORRECT] * 3 + [Verdict.WRONG])
    assert (metrics["test_questions"], metrics["test_correct"], metrics["test_accuracy"]) == (4, 3, 0.75)
    assert 0 < float(metrics["test_low"]) < 0.75 < float(metrics["test_high"]) < 1
    assert accuracy_metrics(Split.TEST, [])["test_accuracy"] == 0.0


class Killed(KeyboardInterrupt):
    """The end of a process."""


class Trains(LocalClassroom):
    """Examines epochs while `fine_tune` makes them, which waits with each for what `before` says."""

    before: Callable[[int], Awaitable[None]]
    drops_until_death: float = float("inf")
    answers_until_death: float = float("inf")
    dead = False

    async def _die(self) -> None:
        """Ends everything at once, as the end of a process does: no task of it goes on."""

        def killed() -> None:
            raise Killed

        if not self.dead:
            asyncio.get_running_loop().call_soon(killed)
        self.dead = True
        await asyncio.Event().wait()

    def prepare(self) -> None:
        self.written: list[int] = []
        self.most = 0  # students of epochs on the disk at once

    async def fine_tune(self, round: int) -> FineTuneReport:
        claim_epochs(self.files(round), "this training")
        return await examine_meanwhile(self, round, self._train(round))

    async def _train(self, round: int) -> FineTuneReport:
        files = self.files(round)
        self.progress.show(total=5)
        for epoch, skill in enumerate(SKILLS, 1):
            await self.before(epoch)
            if not await self.epoch_is_made(round, epoch):
                files.after(epoch).student.mkdir(parents=True)
                (files.after(epoch).student / "skill").write_text(json.dumps(skill))
                self.written.append(epoch)
            self.most = max(self.most, len(list(files.epochs.glob("*/student"))))
            self.progress.show(done=epoch)
        files.student.mkdir(exist_ok=True)
        (files.student / "skill").write_text(json.dumps(SKILLS[-1]))
        return FineTuneReport(1, 1, 0.0, 1.0, 0.5, None, (), 0)

    def _answering(self, folder: Path) -> Answering:
        answering = super()._answering(folder)

        async def answer(prompt: str, sampling: Sampling) -> list[Completion]:
            if self.answered >= self.answers_until_death:
                await self._die()
            return await answering(prompt, sampling)

        return answer

    async def drop_epoch(self, round: int, epoch: int) -> None:
        self.drops_until_death -= 0.5
        if self.drops_until_death < 0:
            await self._die()
        await super().drop_epoch(round, epoch)
        self.drops_until_death -= 0.5
        if self.drops_until_death < 0:
            await self._die()


def trains(folder: Path, before: Callable[[int], Awaitable[None]] | None = None, **limits: Any) -> Trains:
    """Takes a run of one degree of five epochs to its end, whose training waits until each is examined, or as `before`
    says."""
    wanted = recipe("[1]")
    wanted = wanted.model_validate(wanted.model_dump() | {"fine_tuning": {"degrees": [1], "training": {"epochs": 5}}})
    directory = CotDirectory(folder)
    directory.claim(wanted)
    shared = wanted.at_degree(1)
    data = load_problems(shared.task, shared.seed)
    classroom = Trains(shared, directory.collection, data, run_prompts(shared), Progress())
    classroom.journal, classroom.teacher = {}, OfflineTeacher(0.25)
    classroom.prepare()

    async def examined(epoch: int) -> None:
        own = classroom.files(0).after(epoch - 1)
        while epoch > 1 and not own.evaluation.exists():
            assert "after the training" not in classroom.progress.snapshot.beside
            await asyncio.sleep(0.001)

    classroom.before = before or examined
    for name, value in limits.items():
        setattr(classroom, name, value)
    to_the_end(classroom, wanted, directory)
    return classroom


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "EPOCH_LOOK_S", 0.001)


def chosen(folder: Path) -> tuple[list[int], list[tuple[int, int]]]:
    """The skill of the round's student, and what each epoch got right."""
    files = CotDirectory(folder).degree(1).round(0)
    assert not list(files.epochs.glob("*/student")) and not list(files.epochs.glob("*/probe.json"))
    right = [(one.validation_correct, one.test_correct) for one in read_epochs(files.epoch_accuracies)]
    return json.loads((files.student / "skill").read_text()), right


def test_epochs_are_examined_while_they_are_made_and_few_are_on_the_disk_at_once(tmp_path: Path) -> None:
    classroom = trains(tmp_path)
    assert chosen(tmp_path) == ([7, 3], SKILLS)
    assert classroom.written == [1, 2, 3, 4, 5] and classroom.most <= 3
    assert classroom.answered == 5 * QUESTIONS
    assert classroom.progress.snapshot.student_tokens_total == 5 * classroom.answered  # counted once


def test_a_text_that_could_not_be_graded_beside_a_training_is_in_the_evaluations_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graded = itertools.count(1)

    def raises(*args: Any) -> Any:
        if next(graded) in (3, QUESTIONS + 1):
            raise RecursionError
        return grade(*args)

    monkeypatch.setattr(net, "HOLDS", True)
    monkeypatch.setattr(net, "grade", raises)
    trains(tmp_path)
    train, evaluated = CotDirectory(tmp_path).degree(1).finished()[-2:]
    assert evaluated.metrics["ungraded"] == 2 and "ungraded" not in train.metrics


async def at_once(epoch: int) -> None:
    """The training is done before any epoch could be examined."""


def test_what_is_left_when_the_training_is_done_is_examined_after_it(tmp_path: Path) -> None:
    classroom = trains(tmp_path, at_once)
    assert classroom.most == 5 and classroom.answered == 5 * QUESTIONS
    assert chosen(tmp_path) == ([7, 3], SKILLS)


def test_a_training_keeps_the_counts_that_are_shown_and_the_exams_are_told_beside(tmp_path: Path) -> None:
    seen = []

    class Watching(Progress):
        def show(self, **values: Any) -> None:
            super().show(**values)
            if self.snapshot.phase == Phase.TRAIN and self.snapshot.beside:
                seen.append(self.snapshot)

    classroom = trains(tmp_path, progress=Watching())
    assert {one.total for one in seen} == {5} and {one.graded for one in seen} == {0}
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert seen[0].beside == "1 of 5 epochs examined, epoch 1 the best (40.0 % of validation right)"
    assert seen[-1].beside.startswith("4 of 5 epochs examined, epoch 2 the best (70.0 %")
    assert classroom.progress.snapshot.beside == ""


@pytest.mark.parametrize("answers", [0, 1, 19, 20, 21, 39, 40, 60, 79, 80, 99])
def test_a_run_that_was_killed_while_epochs_were_examined_asks_none_twice_and_ends_the_same(
    tmp_path: Path, answers: int
) -> None:
    """The training forgets all that it had learnt, and makes every epoch again: none is written that was examined."""

    with pytest.raises(Killed):
        trains(tmp_path, answers_until_death=answers)
    files = CotDirectory(tmp_path).degree(1).round(0)
    examined = {epoch for epoch in range(1, 6) if files.after(epoch).evaluation.exists()}
    weights = {epoch for epoch in range(1, 6) if files.after(epoch).student.exists()}
    again = trains(tmp_path)
    assert not set(again.written) & (examined | weights)
    assert again.answered == QUESTIONS * (5 - len(examined))
    assert chosen(tmp_path) == ([7, 3], SKILLS)


@pytest.mark.parametrize("drops", [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5])
def test_a_run_that_was_killed_before_or_after_weights_went_ends_the_same(tmp_path: Path, drops: float) -> None:
    with pytest.raises(Killed):
        trains(tmp_path, drops_until_death=drops)
    again = trains(tmp_path)
    assert chosen(tmp_path) == ([7, 3], SKILLS)
    assert again.answered < 5 * QUESTIONS


def test_samplers_that_are_gone_do_not_end_the_training(tmp_path: Path) -> None:
    """They are started anew for the evaluate phase, which says so when they are still gone."""

    async def slowly(epoch: int) -> None:
        await asyncio.sleep(0.05)

    stopped = []

    async def stop() -> None:
        stopped.append(True)

    with pytest.raises(ConnectionError, match="the sampler is gone"):
        trains(tmp_path, slowly, patience=25, stop_samplers=stop)
    home = CotDirectory(tmp_path).degree(1)
    assert home.finished()[-1].phase is Phase.TRAIN
    assert stopped == [True]
    assert trains(tmp_path).answered == 4 * QUESTIONS


def test_a_training_that_fails_ends_the_exams_and_says_why(tmp_path: Path) -> None:
    async def fails(epoch: int) -> None:
        if epoch == 3:
            await asyncio.sleep(0.05)
            raise ZeroDivisionError("diverged")

    with pytest.raises(ZeroDivisionError, match="diverged"):
        trains(tmp_path, fails)
    assert CotDirectory(tmp_path).degree(1).finished()[-1].phase is Phase.SELECT
