"""What a student can do: its greedy answers to the held-out questions, after a round or after each of its epochs.

Owns: the evaluate phase, the grading of a completion, and which epoch's student becomes the round's.

Invariants
- Validation accuracy chooses an epoch; test accuracy is only reported (`reasoning.rounds.epochs`).
- What a grader raises on is no right answer (`reasoning.grading.net`), and ends no run.
- Every checkpoint answers the same questions, all of validation and all of test.
- An epoch's attempts are written whole before the next epoch is asked: an evaluation that was killed asks the rest.
- When the phase is done, the round's student is the chosen epoch's, and the other epochs' weights are gone. Their
  attempts stay.
- A folder that a sampler has read keeps its content: epochs are answered from folders of their own, and the round's
  student is read only when it is the chosen one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from reasoning.files.tables import read_table, write_table
from reasoning.grading.answers import grade
from reasoning.grading.intervals import wilson
from reasoning.grading.net import in_net
from reasoning.records import Attempt, Problem, Split, Verdict
from reasoning.rounds.asking import ask_student
from reasoning.rounds.classroom import Answering, Classroom, gather_all
from reasoning.rounds.epochs import EpochAccuracy, best_epoch, write_epochs
from reasoning.rounds.feedback.ahead import begin_next_exam
from reasoning.rounds.phase_order import Metrics, Phase
from reasoning.rounds.progress import Progress
from reasoning.student.sampling import Completion, Sampling


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


async def _evaluate_epochs(classroom: Classroom, round: int) -> Metrics:
    files, problems, epochs = classroom.files(round), _problems(classroom), classroom.training(round).epochs
    classroom.progress.begin(round, Phase.EVALUATE)
    accuracies = []
    for epoch in range(1, epochs + 1):
        own = files.after(epoch)
        if own.evaluation.exists():
            attempts = read_table(own.evaluation, Attempt)
            tokens = sum(attempt.tokens for attempt in attempts)
            classroom.progress.add(done=len(attempts), student_tokens_total=tokens)
        else:
            answering = await classroom.student_after(round, epoch)
            classroom.progress.show(total=len(problems) * epochs)
            attempts = await _sit(classroom, round, answering)
            write_table(own.evaluation, attempts, Attempt)
        accuracies.append(_accuracy(epoch, problems, attempts))
    best = best_epoch(accuracies).epoch
    await classroom.keep_epoch(round, best)
    attempts = read_table(files.after(best).evaluation, Attempt)
    write_table(files.evaluation, attempts, Attempt)
    write_epochs(files.epoch_accuracies, accuracies)
    ungraded = ungraded_metrics(classroom.progress)
    return {**_metrics(problems, attempts), "epochs": epochs, "best_epoch": best, **ungraded}


def _problems(classroom: Classroom) -> list[Problem]:
    return [*classroom.data.validation, *classroom.data.test]


async def _sit(
    classroom: Classroom, round: int, answering: Answering, then: Callable[[], None] | None = None
) -> list[Attempt]:
    """All questions, greedily. `then` is called when each of them has been asked."""
    greedy = Sampling(
        samples=1, temperature=0.0, top_p=1.0, max_new_tokens=classroom.max_new_tokens, seed=None, stop=()
    )

    async def one(problem: Problem) -> Attempt:
        (completion,) = await ask_student(answering, classroom.prompts.form, problem.question, greedy)
        attempt = graded_attempt(problem, round, 0, completion, classroom.progress)
        right = attempt.verdict is Verdict.CORRECT
        classroom.progress.add(done=1, graded=1, correct=int(right), student_tokens_total=attempt.tokens)
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
    prediction, verdict = in_net(
        problem.id,
        lambda: grade(completion.text, completion.complete, problem),
        ("", Verdict.NO_ANSWER if completion.complete else Verdict.TRUNCATED),
        lambda: progress.add(ungraded=1) if progress is not None else None,
    )
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
