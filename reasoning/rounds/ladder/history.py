"""What the finished files of a run say of each training question: its exams, its rationales, the help that it got.

Owns: the record of help (`help.parquet`), and the reading of rounds before one that is under way.

Invariant: only files of finished phases are read, so a run that is started again knows the same, and asks the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reasoning.exchange.reading import imported_records
from reasoning.files.tables import read_table
from reasoning.grading.mistakes import mistakes_of
from reasoning.recipe.learning import LadderSection
from reasoning.records import Attempt, Mistake, Problem, Rationale, RationaleSource, Verdict
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.ladder.policy import Known, Result, Rung, is_solved, rung_of
from reasoning.rounds.ladder.rationalization import is_rationalized


@dataclass(frozen=True, slots=True)
class Help:
    """What one question got after one exam: on which `rung`, how many of its attempts had been right, whether help
    `reached` it (False: the round's budget was spent before, or the teacher failed), how many rationales were kept, and
    the teacher's tokens."""

    problem_id: str
    round: int
    rung: Rung
    right: int
    attempts: int
    reached: bool = True
    kept: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a question stands after an exam: its rung, all its results, and the mistake to show, if there is one."""

    problem: Problem
    rung: Rung
    results: tuple[Result, ...]
    mistake: Mistake | None


@dataclass(frozen=True, slots=True)
class History:
    """What is known before an exam, by the id of a question: the `results` of earlier exams, which questions have a
    rationale of the teacher (`taught`), the rungs on which they were helped, and the number that the next sample of a
    plain rationale, and of feedback on a mistake (by its id), has."""

    results: Mapping[str, tuple[Result, ...]]
    taught: frozenset[str]
    helped: Mapping[str, frozenset[Rung]]
    next_sample: Mapping[str, int]

    def standing(
        self,
        problem: Problem,
        attempts: Sequence[Attempt],
        ladder: LadderSection,
        new_questions: bool,
        rationalized: bool = False,
    ) -> Standing:
        """Where `problem` stands after these `attempts` of its newest exam; `rationalized`: the student came to its
        answer when that was shown."""
        results = (*self.results.get(problem.id, ()), result_of(attempts))
        mistake = next(iter(mistakes_of(attempts)), None)
        helped = self.helped.get(problem.id, frozenset())
        known = Known(results, problem.id in self.taught, helped, mistake is not None, rationalized)
        return Standing(problem, rung_of(problem, known, ladder, new_questions), results, mistake)


def result_of(attempts: Sequence[Attempt]) -> Result:
    """What the attempts of one exam at one question came to."""
    right = sum(attempt.verdict is Verdict.CORRECT for attempt in attempts)
    return Result(attempts[0].round, right, len(attempts))


def results_before(classroom: TeacherSession, round: int) -> dict[str, tuple[Result, ...]]:
    """The results of the exams before `round`, the oldest first."""
    results: dict[str, tuple[Result, ...]] = {}
    for number in range(1, round):
        for id, attempts in by_question(read_table(classroom.files(number).exam, Attempt)).items():
            results[id] = (*results.get(id, ()), result_of(attempts))
    return results


def history_before(classroom: TeacherSession, round: int) -> History:
    """All that is known before the exam of `round`."""
    own = classroom.recipe.learning.imported
    rationales = list(imported_records(own.rationales, own.mistakes, classroom.data.train).rationales)
    for number in range(round):
        rationales += read_table(classroom.files(number).rationales, Rationale)
    teacher = [one for one in rationales if one.source is not RationaleSource.STUDENT]
    samples: dict[str, int] = {}
    for one in teacher:
        asked = one.mistake_id if one.source is RationaleSource.TAILORED else one.problem_id
        samples[asked] = max(samples.get(asked, 0), one.sample + 1)
    taught = frozenset(one.problem_id for one in teacher if one.kept)
    return History(results_before(classroom, round), taught, helped_before(classroom, round), samples)


def helped_before(classroom: TeacherSession, round: int) -> dict[str, frozenset[Rung]]:
    """The rungs on which each question was helped before `round`; those that were never, are not in it."""
    helped: dict[str, frozenset[Rung]] = {}
    for files in map(classroom.files, range(round)):
        for got in read_table(files.help, Help) if files.help.exists() else ():
            if got.reached:
                helped[got.problem_id] = helped.get(got.problem_id, frozenset()) | {got.rung}
    return helped


def by_question(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    """The attempts of one exam, by the id of the question, in the exam's order."""
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault(attempt.problem_id, []).append(attempt)
    return groups


def standings(classroom: TeacherSession, round: int) -> list[Standing]:
    """Where every question of the exam of `round`, which is over, stands."""
    learning, history = classroom.recipe.learning, history_before(classroom, round)
    ladder, new = learning.ladder or LadderSection(), learning.new_questions is not None
    exam, shown = by_question(read_table(classroom.files(round).exam, Attempt)), rationalized_in(classroom, round)
    found = []
    for id, attempts in exam.items():
        problem = classroom.train_by_id[id]
        came = is_rationalized(problem, shown.get(id, ()), classroom.prompts.form)
        found.append(history.standing(problem, attempts, ladder, new, came))
    return found


def rationalized_in(classroom: TeacherSession, round: int) -> dict[str, list[Attempt]]:
    """The attempts of `round` with the right answer shown, by the id of the question."""
    file = classroom.files(round).rationalized
    return by_question(read_table(file, Attempt)) if file.exists() else {}


def solved_after(classroom: TeacherSession, round: int) -> frozenset[str]:
    """The questions that are solved after the exam of `round`; none where no ladder says what that is."""
    ladder = classroom.recipe.learning.ladder
    if ladder is None:
        return frozenset()
    results = results_before(classroom, round + 1)
    return frozenset(id for id, found in results.items() if is_solved(found, ladder.solved_after))
