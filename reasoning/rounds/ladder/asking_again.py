"""What the student says to the questions of an exam that it did not get right, once their answers are shown to it.

Owns: asking so, and the log and the table of these attempts.

Invariants
- Attempts are logged as they come, so an exam that was killed asks only what was not asked yet.
- Where the ladder does not want them, nothing is asked and no file is made.
- A question that leaves its answer no room in the student's context is not asked so; no run ends by that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from reasoning.files.group_log import GroupLog
from reasoning.files.tables import write_table
from reasoning.records import Attempt, Problem
from reasoning.rounds.asking import ask_student
from reasoning.rounds.classroom import Answering, StudentSession
from reasoning.rounds.evaluation import graded_attempt
from reasoning.rounds.exam import exam_sampling
from reasoning.rounds.ladder.history import helped_before
from reasoning.rounds.ladder.policy import Rung
from reasoning.rounds.ladder.rationalization import is_asked_again, is_rationalized, question_with_answer
from reasoning.rounds.phase_order import Metrics
from reasoning.student.sampling import PromptRefused


class AskingAgain:
    """The second look at an exam of `round`; `answering` asks the student that sits it."""

    def __init__(self, classroom: StudentSession, answering: Answering, round: int) -> None:
        self._classroom, self._answering, self._round = classroom, answering, round
        self._ladder, self._table = classroom.recipe.learning.ladder, classroom.files(round).rationalized
        self._asked = self._right = 0
        self._log: GroupLog[Attempt] | None = None
        self._helped: Mapping[str, Collection[Rung]] = {}
        if self._ladder is not None and self._ladder.rationalize:
            self._helped = helped_before(classroom, round)
            log = classroom.files(round).rationalized_log
            self._log = GroupLog(log, Attempt, "problem_id", self._ladder.rationalize)

    def is_due(self, problem: Problem, graded: Sequence[Attempt]) -> bool:
        """Whether `problem`, after its attempts in the exam, is yet to be asked."""
        return self._log is not None and problem.id not in self._log and self._is_wanted(problem, graded)

    async def attempts(self, problem: Problem, graded: Sequence[Attempt]) -> list[Attempt]:
        """The attempts with the answer shown, asked for now or before; none where that is not wanted."""
        if self._log is None or not self._is_wanted(problem, graded):
            return []
        if problem.id in self._log:
            again = self._log.group(problem.id)
        elif again := await self._ask(problem):
            self._log.add(problem.id, again)
        else:
            return []
        self._asked += 1
        self._right += is_rationalized(problem, again, self._classroom.prompts.form)
        return again

    def _is_wanted(self, problem: Problem, graded: Sequence[Attempt]) -> bool:
        return is_asked_again(problem, graded, self._ladder, self._helped.get(problem.id, ()))

    async def _ask(self, problem: Problem) -> list[Attempt]:
        classroom, round = self._classroom, self._round
        assert self._ladder is not None
        sampling = exam_sampling(classroom.recipe, problem, round, classroom.max_new_tokens)
        sampling = replace(sampling, samples=self._ladder.rationalize)
        shown = question_with_answer(problem)
        try:
            completions = await ask_student(self._answering, classroom.prompts.form, shown, sampling)
        except PromptRefused:  # the question alone was not: it is the longer one that has no room
            return []
        return [graded_attempt(problem, round, n, one, classroom.progress) for n, one in enumerate(completions)]

    def flush(self) -> None:
        """Has what was said so far survive a crash of this process."""
        if self._log is not None:
            self._log.flush()

    def write(self, problems: Iterable[Problem]) -> None:
        """Writes the table, in the order of `problems`."""
        if (log := self._log) is not None:
            write_table(self._table, log.records(one.id for one in problems if one.id in log), Attempt)

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def metrics(self) -> Metrics:
        """How many questions were asked so, and of how many something is to be learnt."""
        if self._log is None:
            return {}
        return {"answers_shown": self._asked, "answers_reached": self._right}
