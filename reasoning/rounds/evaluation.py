"""What a student can do: its greedy answers to the held-out questions, after a round or after each of its epochs.

Owns: the evaluate phase, the exams of epochs while the training goes on, the grading of a completion, and which epoch's
student becomes the round's.

Invariants
- Validation accuracy chooses an epoch; test accuracy is only reported (`reasoning.rounds.epochs`).
- What a grader raises on is no right answer (`reasoning.grading.net`), and ends no run.
- Every checkpoint answers the same questions, all of validation and all of test.
- An epoch's attempts are written whole before the next epoch is asked: an evaluation that was killed asks the rest.
- The weights of an epoch that another has beaten go as soon as its attempts are written; its attempts stay. When the
  phase is done, the round's student is the chosen epoch's, and no other weights are left.
- What goes wrong with an exam beside a training does not end the training: the evaluate phase sits what is left.
- A folder that a sampler has read keeps its content: epochs are answered from folders of their own, and the round's
  student is read only when it is the chosen one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

from reasoning.files.tables import read_table, write_table
from reasoning.grading.intervals import wilson
from reasoning.grading.net import graded
from reasoning.records import Attempt, Problem, Split, Verdict
from reasoning.rounds.asking import ask_student
from reasoning.rounds.classroom import Answering, Classroom, gather_all
from reasoning.rounds.epochs import EpochAccuracy, beaten, best_epoch, write_epochs
from reasoning.rounds.feedback.ahead import begin_next_exam
from reasoning.rounds.phase_order import Metrics, Phase
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling
from reasoning.training.report import FineTuneReport

logger = logging.getLogger(__name__)

EPOCH_LOOK_S = 2.0  # between two looks whether a training has made its next epoch


async def evaluate(classroom: Classroom, round: int) -> Metrics:
    """Greedy accuracy on validation (which decides) and on test (which is only reported), with 95 % intervals."""
    if classroom.training(round).epoch == "best":
        return await _evaluate_epochs(classroom, round)
    problems = _problems(classroom)
    classroom.progress.begin(round, Phase.EVALUATE)
    answering = await classroom.student_at(round)
    classroom.progress.show(total=len(problems))
    next_exam = begin_next_exam(classroom, round, answering) if classroom.asks_ahead else None
    attempts = await _sit(classroom, round, answering, next_exam)
    write_table(classroom.files(round).evaluation, attempts, Attempt)
    return {**_metrics(problems, attempts), **ungraded_metrics(classroom.progress)}


class EpochExams:
    """The exams of a round's epochs, one after another from the first. `accuracies` are of those that have sat theirs.
    `beside` a training, which has the phase's counts: theirs are in words."""

    def __init__(self, classroom: Classroom, round: int, *, beside: bool = False) -> None:
        self.accuracies: list[EpochAccuracy] = []
        self._classroom, self._round, self._beside = classroom, round, beside
        self._epochs = classroom.training(round).epochs

    async def sit(self, epoch: int) -> None:
        """The student after `epoch` answers, unless it has, and the weights go that are not needed any more."""
        classroom, problems = self._classroom, _problems(self._classroom)
        table = classroom.files(self._round).after(epoch).evaluation
        if table.exists():
            attempts = read_table(table, Attempt)
            tokens = 0 if table in classroom.examined else sum(attempt.tokens for attempt in attempts)
            counts = {} if self._beside else {"done": len(attempts)}
            ungraded = classroom.examined.get(table, 0)
            classroom.progress.add(**counts, ungraded=ungraded, student_tokens_total=tokens)
        else:
            answering = await classroom.student_after(self._round, epoch)
            if not self._beside:
                classroom.progress.show(total=len(problems) * self._epochs)
            before = classroom.progress.snapshot.ungraded
            attempts = await _sit(classroom, self._round, answering, beside=self._beside)
            ungraded = classroom.progress.snapshot.ungraded - before
            write_table(table, attempts, Attempt)
        classroom.examined[table] = ungraded
        self.accuracies.append(_accuracy(epoch, problems, attempts))
        if self._beside:
            classroom.progress.show(beside=self._said())
        loser = beaten(self.accuracies)
        if loser is not None:
            await classroom.drop_epoch(self._round, loser)

    def _said(self) -> str:
        best, examined = best_epoch(self.accuracies), len(self.accuracies)
        right = f"{100 * best.accuracy('validation'):.1f} % of validation right"
        return f"{examined} of {self._epochs} epochs examined, epoch {best.epoch} the best ({right})"


async def examine_meanwhile(
    classroom: Classroom, round: int, training: Coroutine[Any, Any, FineTuneReport]
) -> FineTuneReport:
    """What `training` returns. Each epoch that it makes sits its exam beside it; one that is under way when the
    training is done is sat to its end, and those after it are left to the evaluate phase."""
    over = asyncio.Event()
    exams = asyncio.create_task(_examine_as_made(classroom, round, over))
    try:
        report = await training
        over.set()
        await exams
        return report
    finally:
        exams.cancel()
        await asyncio.gather(exams, return_exceptions=True)


async def _examine_as_made(classroom: Classroom, round: int, over: asyncio.Event) -> None:
    exams = EpochExams(classroom, round, beside=True)
    try:
        for epoch in range(1, classroom.training(round).epochs + 1):
            while not over.is_set() and not await classroom.epoch_is_made(round, epoch):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), EPOCH_LOOK_S)
            if over.is_set():
                return
            await exams.sit(epoch)
    except Exception as error:  # noqa: BLE001  (whatever samplers and storage raise: the evaluate phase meets it again)
        logger.warning("round %d: the epochs that are left are examined after the training: %s", round, error)
        classroom.progress.show(beside="the epochs that are left are examined after the training")
        await over.wait()
        await classroom.stop_samplers()  # to be started anew by then, with all their patience


async def _evaluate_epochs(classroom: Classroom, round: int) -> Metrics:
    files, problems, epochs = classroom.files(round), _problems(classroom), classroom.training(round).epochs
    classroom.progress.begin(round, Phase.EVALUATE)
    exams = EpochExams(classroom, round)
    for epoch in range(1, epochs + 1):
        await exams.sit(epoch)
    best = best_epoch(exams.accuracies).epoch
    await classroom.keep_epoch(round, best)
    attempts = read_table(files.after(best).evaluation, Attempt)
    write_table(files.evaluation, attempts, Attempt)
    write_epochs(files.epoch_accuracies, exams.accuracies)
    ungraded = ungraded_metrics(classroom.progress)
    return {**_metrics(problems, attempts), "epochs": epochs, "best_epoch": best, **ungraded}


def _problems(classroom: Classroom) -> list[Problem]:
    return [*classroom.data.validation, *classroom.data.test]


async def _sit(
    classroom: Classroom,
    round: int,
    answering: Answering,
    then: Callable[[], None] | None = None,
    *,
    beside: bool = False,
) -> list[Attempt]:
    """All questions, greedily. `then` is called when each of them has been asked; what is asked `beside` another phase
    is not counted in its figures."""
    greedy = Sampling(
        samples=1, temperature=0.0, top_p=1.0, max_new_tokens=classroom.max_new_tokens, seed=None, stop=()
    )

    async def one(problem: Problem) -> Attempt:
        (completion,) = await ask_student(answering, classroom.prompts.form, problem.question, greedy)
        attempt = graded_attempt(problem, round, 0, completion, classroom.progress)
        right = attempt.verdict is Verdict.CORRECT
        counts = {} if beside else {"done": 1, "graded": 1, "correct": int(right)}
        classroom.progress.add(**counts, student_tokens_total=attempt.tokens)
        return attempt

    def everybody() -> Iterator[Coroutine[Any, Any, Attempt]]:
        yield from map(one, _problems(classroom))
        if then is not None:  # after the first steps of all these, which ask
            asyncio.get_running_loop().call_soon(then)

    return await gather_all(everybody())


def graded_attempt(
    problem: Problem, round: int, sample: int, completion: Completion, progress: Progress | None = None
) -> Attempt:
    """A completion of the student as an attempt: what it answers and whether that is right. One that the grader raises
    on has no answer, and is counted in `progress`."""
    caught = None if progress is None else partial(progress.add, ungraded=1)
    prediction, verdict = graded(problem, completion.text, completion.complete, caught)
    return Attempt(
        problem.id, round, sample, completion.text, completion.complete, completion.tokens, prediction, verdict
    )


def ungraded_metrics(progress: Progress) -> dict[str, int]:
    """How many texts of this phase could not be graded; nothing where all could, as it should be."""
    count = progress.snapshot.ungraded
    return {"ungraded": count} if count else {}


def accuracy_metrics(split: Split, verdicts: Sequence[Verdict]) -> dict[str, float | int | str]:
    """Questions, correct ones, accuracy and the bounds of its 95 % interval (Wilson), named after `split`."""
    right = sum(verdict is Verdict.CORRECT for verdict in verdicts)
    interval = wilson(right, len(verdicts))
    return {
        f"{split}_questions": len(verdicts),
        f"{split}_correct": right,
        f"{split}_accuracy": right / len(verdicts) if verdicts else 0.0,
        f"{split}_low": interval.low,
        f"{split}_high": interval.high,
    }


def _metrics(problems: Sequence[Problem], attempts: Sequence[Attempt]) -> dict[str, float | int | str]:
    metrics: dict[str, float | int | str] = {}
    for split in (Split.VALIDATION, Split.TEST):
        metrics |= accuracy_metrics(split, _verdicts(split, problems, attempts))
    return metrics


def _accuracy(epoch: int, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> EpochAccuracy:
    counts = []
    for split in (Split.VALIDATION, Split.TEST):
        verdicts = _verdicts(split, problems, attempts)
        counts += [len(verdicts), sum(verdict is Verdict.CORRECT for verdict in verdicts)]
    return EpochAccuracy(epoch, *counts)


def _verdicts(split: Split, problems: Sequence[Problem], attempts: Sequence[Attempt]) -> list[Verdict]:
    return [a.verdict for p, a in zip(problems, attempts, strict=True) if p.split is split]
