"""Asking ahead: the teacher while the exam goes on, and the student of the exam's first questions while the evaluation
before it ends.

Owns: which questions an exam asks and how, and which requests can go out before their phase begins.

Invariants
- Nothing is asked ahead of the teacher that the feedback phase will not ask for: it joins the requests that are under
  way. Questions that share a request are those that follow one another in the exam, whichever was graded first.
- Of the student the same is asked ahead as in the exam itself. It costs no money, and what a run that ends after the
  evaluation does not fetch is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Problem
from reasoning.rounds.asking import ask_student
from reasoning.rounds.classroom import Answering, StudentSession, TeacherSession
from reasoning.rounds.exam import exam_questions, exam_sampling
from reasoning.rounds.feedback.helping import queries_for
from reasoning.rounds.ladder.exam import ladder_exam
from reasoning.rounds.ladder.history import history_before, results_before
from reasoning.rounds.ladder.rationalization import is_rationalized
from reasoning.rounds.requests import Grouping, Query
from reasoning.student.sampling import Completion

QUESTIONS_AHEAD = 256  # enough to keep samplers busy until the exam itself begins


def questions_of_exam(classroom: TeacherSession, round: int) -> list[Problem]:
    """The questions of the exam of `round`, of which all earlier exams are over."""
    recipe, train = classroom.recipe, classroom.data.train
    if recipe.learning.help == "ladder":
        return ladder_exam(train, recipe.learning, recipe.seed, round, results_before(classroom, round))
    return exam_questions(train, recipe.learning, recipe.seed, round)


async def sit_exam(classroom: StudentSession, answering: Answering, problem: Problem, round: int) -> list[Completion]:
    """The student's answers to one question of the exam of `round`."""
    sampling = exam_sampling(classroom.recipe, problem, round, classroom.max_new_tokens)
    return await ask_student(answering, classroom.prompts.form, problem.question, sampling)


def begin_next_exam(classroom: StudentSession, round: int, answering: Answering) -> Callable[[], None] | None:
    """What has the student of `round` asked the first questions of the exam that follows; None where none does, or
    where it would come before second questions of the evaluation."""
    if round >= classroom.recipe.learning.rounds or classroom.prompts.form.answer_prompt is not None:
        return None
    problems = questions_of_exam(classroom, round + 1)[:QUESTIONS_AHEAD]

    def begin() -> None:
        for problem in problems:
            classroom.ahead.begin(problem.id, sit_exam(classroom, answering, problem, round + 1))

    return begin


class AskingAhead:
    """Starts the requests of one exam as its questions are graded. With a budget none: who comes first is known when
    all are."""

    def __init__(self, classroom: TeacherSession, round: int, problems: Sequence[Problem]) -> None:
        """`problems` are those of the exam, in its order."""
        self._classroom = classroom
        self._grouping = Grouping(classroom.requests)
        self._waiting = [problem.id for problem in reversed(problems)]  # for their turn, the next one last
        self._ready: dict[str, list[Query]] = {}
        self._learning = classroom.recipe.learning
        self._ladder = self._learning.ladder
        self._history = history_before(classroom, round) if self._ladder is not None else None

    def graded(self, problem: Problem, attempts: Sequence[Attempt], rationalized: Sequence[Attempt] = ()) -> None:
        """`problem` is graded, and what was said with its answer shown: asks for what it needs."""
        if self._ladder is None or self._history is None:
            shown = mistakes_of(attempts)[: self._learning.mistakes_per_question]
            queries = list(self._classroom.requests.feedback_on(shown))
        elif self._ladder.has_budget:
            return
        else:
            new = self._learning.new_questions is not None
            came = is_rationalized(problem, rationalized, self._classroom.prompts.form)
            standing = self._history.standing(problem, attempts, self._ladder, new, came)
            queries = queries_for(self._classroom, standing, self._history)
        if self._learning.per_request == 1:
            for query in queries:
                self._classroom.ask_ahead((query,))
            return
        self._ready[problem.id] = queries  # who shares a request is for the exam's order to say
        while self._waiting and self._waiting[-1] in self._ready:
            for query in self._ready.pop(self._waiting.pop()):
                for group in self._grouping.add(query):
                    self._classroom.ask_ahead(group)
