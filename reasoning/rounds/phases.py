"""The five phases of a round, each a function from the run's files so far to its own file and metrics.

Owns: what happens in exam, select and train (feedback: `reasoning.rounds.feedback.phase`, evaluate:
`reasoning.rounds.evaluation`). The coordinator decides which one runs.

Invariants
- A phase reads the files of finished phases and writes its own file last and whole: done again, it gives the same.
- The exam streams: what the teacher is asked about a question is asked the moment it is graded, unless a budget needs
  to know all of them first. Attempts are logged as they come, so an exam that was killed asks only what was not
  answered yet, and shows the teacher the same mistakes again.
- What an exam holds in memory is bounded by what is asked at once, and by its mistakes, not by its attempts.
- The student answers with the checkpoint of the round before (exam) or of this one (evaluate).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict

from reasoning.exchange.reading import imported_records
from reasoning.files.group_log import GroupLog
from reasoning.files.tables import iterate_table, read_table, write_table
from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Example, Problem, Rationale, RationaleSource, ScoredAttempt, Verdict
from reasoning.rounds.classroom import Classroom, StudentSession, TeacherRefused, TeacherSession, do_all
from reasoning.rounds.evaluation import evaluate, graded_attempt, ungraded_metrics
from reasoning.rounds.exam import first_questions
from reasoning.rounds.example_selection import label_examples, select
from reasoning.rounds.feedback.ahead import AskingAhead, questions_of_exam, sit_exam
from reasoning.rounds.feedback.helping import rung_metrics
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.ladder.asking_again import AskingAgain
from reasoning.rounds.ladder.history import solved_after, standings
from reasoning.rounds.ladder.rationalization import reading_examples
from reasoning.rounds.new_questions.asking import kept_new_problems
from reasoning.rounds.phase_order import Metrics, Phase

OPEN_QUESTIONS = 8192  # of an exam at once: more than the engines of a large pool take; each that waits takes memory


async def perform(classroom: Classroom, round: int, phase: Phase) -> Metrics:
    """Runs one phase to its end and returns its metrics. Source: Tailored Learning, one round (arXiv 2310.13332)."""
    programs = {
        Phase.EXAM: exam,
        Phase.FEEDBACK: feedback,
        Phase.SELECT: select_examples,
        Phase.TRAIN: train,
        Phase.EVALUATE: evaluate,
    }
    classroom.files(round).folder.mkdir(parents=True, exist_ok=True)
    return await programs[phase](classroom, round)


async def exam(classroom: StudentSession, round: int) -> Metrics:
    """The student answers training questions by sampling; what it cannot do goes to the teacher at once."""
    files, learning = classroom.files(round), classroom.recipe.learning
    problems = questions_of_exam(classroom, round)
    classroom.progress.begin(round, Phase.EXAM)
    answering = await classroom.student_at(round - 1)
    classroom.progress.show(total=len(problems))
    log = GroupLog(files.exam_log, Attempt, "problem_id", learning.exam.samples)
    again = AskingAgain(classroom, answering, round)
    asking, tally = AskingAhead(classroom, round, problems), _Tally(learning.mistakes_per_question)

    def flush() -> None:
        log.flush()
        again.flush()

    logged = _AtEndOfTurn(flush)

    async def take(problem: Problem, graded: Sequence[Attempt]) -> None:
        shown = await again.attempts(problem, graded)
        if shown:
            logged.soon()
        mistakes, right, tokens = tally.add(graded, shown)
        asking.graded(problem, graded, shown)
        classroom.progress.add(
            done=1, graded=len(graded), correct=right, mistakes=mistakes, student_tokens_total=tokens
        )

    async def sit(problem: Problem) -> None:
        if problem.id in log:
            return await take(problem, log.group(problem.id))
        asked = classroom.ahead.take(problem.id)
        completions = await (asked or sit_exam(classroom, answering, problem, round))
        graded = [graded_attempt(problem, round, n, one, classroom.progress) for n, one in enumerate(completions)]
        log.add(problem.id, graded)
        logged.soon()
        await take(problem, graded)

    with closing(log), closing(again):
        open_ones = []
        for problem in problems:
            graded = log.group(problem.id) if problem.id in log else None
            if graded is None or again.is_due(problem, graded):
                open_ones.append(problem)
            else:
                await take(problem, graded)
        await do_all(map(sit, open_ones), min(OPEN_QUESTIONS, len(open_ones)))
        await classroom.ahead.drop()  # of questions that an earlier start had logged
        again.write(problems)
        write_table(files.exam, log.records(problem.id for problem in problems), Attempt)
    rungs = rung_metrics(standings(classroom, round)) if learning.help == "ladder" else {}
    return {**tally.metrics(), **again.metrics(), **rungs, **ungraded_metrics(classroom.progress)}


async def select_examples(classroom: TeacherSession, round: int) -> Metrics:
    """What is learnt this round, from all rationales and mistakes so far. In a later round that may be nothing, where
    nothing was missed, or no help was left for it, and nothing is rehearsed: the run ends there."""
    classroom.progress.begin(round, Phase.SELECT, 1)
    own = classroom.recipe.learning.imported
    imported = imported_records(own.rationales, own.mistakes, classroom.data.train)
    rationales = [
        *imported.rationales,
        *(r for i in range(round + 1) for r in read_table(classroom.files(i).rationales, Rationale)),
    ]
    attempts = (a for i in range(1, round + 1) for a in iterate_table(classroom.files(i).exam, Attempt))
    mistakes = [*imported.mistakes, *mistakes_of(attempts)]
    learning, seed, form = classroom.recipe.learning, classroom.recipe.seed, classroom.prompts.form
    reading: list[Example] = []
    if form.reasons:
        problems = [*classroom.data.train, *kept_new_problems(classroom, round)]
        examples = select(problems, rationales, mistakes, learning, round, seed, form, solved_after(classroom, round))
        reading = reading_examples(
            examples, _explained(rationales, round), classroom.train_by_id, form, learning.ladder
        )
        examples += _own_alone(classroom, round, {example.problem_id for example in examples})
    else:
        examples = label_examples(first_questions(classroom.data.train, learning, seed), form)
    told = any(one.round == round and one.source is not RationaleSource.STUDENT for one in rationales)
    if not examples and (told or not round):
        more = "earlier questions again (learning.rehearsal)" if round else "more questions (learning.first_questions)"
        raise TeacherRefused(
            f"round {round}: no rationale passed the filter, so there is nothing to learn from. "
            f"Look at {classroom.files(round).rationales}; a better teacher or {more} may help."
        )
    write_table(classroom.files(round).examples, [*examples, *reading], Example)
    return {
        "examples": len(examples),
        "positives": sum(len(example.positives) for example in examples),
        "negatives": sum(len(example.negatives) for example in examples),
        **({"reading": len(reading)} if reading else {}),
    }


def _explained(rationales: Sequence[Rationale], round: int) -> set[str]:
    """The questions that the teacher has explained in `round`."""
    return {
        one.problem_id
        for one in rationales
        if one.kept and one.round == round and one.source is not RationaleSource.STUDENT
    }


def _own_alone(classroom: TeacherSession, round: int, taught: set[str]) -> list[Example]:
    """Questions without a rationale whose attempts a teacher has scored: these alone are learnt from."""
    if classroom.recipe.learning.objective.loss != "on_policy" or not round:
        return []
    scored = {one.problem_id for one in read_table(classroom.files(round).scores, ScoredAttempt)} - taught
    form = classroom.prompts.form
    return [Example(p.id, form.prompt(p.question), ()) for p in classroom.data.train if p.id in scored]


async def train(classroom: Classroom, round: int) -> Metrics:
    """Fine-tunes the checkpoint of the round before on this round's examples."""
    files = classroom.files(round)
    classroom.progress.begin(round, Phase.TRAIN, 0)
    report = await classroom.fine_tune(round)
    with files.losses.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(point)) + "\n" for point in report.losses)
    return {
        "examples": len(read_table(files.examples, Example)),
        "steps": report.steps,
        "tokens": report.tokens,
        "training_seconds": report.seconds,
        "lm_loss_first": report.lm_loss_first,
        "lm_loss_last": report.lm_loss_last,
        "dropped": report.dropped,
    }


class _AtEndOfTurn:
    """Calls `what` once for all that happens in one turn of the event loop."""

    def __init__(self, what: Callable[[], None]) -> None:
        self._what, self._asked = what, False

    def soon(self) -> None:
        """Has it called when this turn ends."""
        if not self._asked:
            self._asked = True
            asyncio.get_running_loop().call_soon(self._now)

    def _now(self) -> None:
        self._asked = False
        self._what()


class _Tally:
    """What an exam has found so far: counts, whatever its size."""

    def __init__(self, mistakes_per_question: int) -> None:
        self._at_most = mistakes_per_question
        self._verdicts = dict.fromkeys(Verdict, 0)
        self._questions = self._missed = self._mistakes = self._tokens = 0

    def add(self, graded: Sequence[Attempt], shown: Sequence[Attempt]) -> tuple[int, int, int]:
        """Takes the attempts at one question, and those with its answer shown, of which the tokens alone count. Returns
        how many of its mistakes are shown, how many attempts were right, and the tokens of all."""
        for attempt in graded:
            self._verdicts[attempt.verdict] += 1
        right = sum(attempt.verdict is Verdict.CORRECT for attempt in graded)
        mistakes = len(mistakes_of(graded)[: self._at_most])
        self._questions += 1
        self._missed += right < len(graded)
        self._mistakes += mistakes
        tokens = sum(attempt.tokens for attempt in (*graded, *shown))
        self._tokens += tokens
        return mistakes, right, tokens

    def metrics(self) -> Metrics:
        attempts = sum(self._verdicts.values())
        return {
            "questions": self._questions,
            "attempts": attempts,
            "missed_questions": self._missed,
            "mistakes": self._mistakes,
            "exam_accuracy": self._verdicts[Verdict.CORRECT] / attempts,
            "student_tokens": self._tokens,
            **{str(verdict): count for verdict, count in self._verdicts.items()},
        }
