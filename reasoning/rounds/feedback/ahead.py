"""Asking while the exam goes on: what a graded question needs of the teacher is asked for at once.

Owns: which questions an exam asks, and which requests can go out before it is over.

Invariant: nothing is asked ahead that the feedback phase will not ask for: it joins the requests that are under way.
Questions that share a request are those that follow one another in the exam, whichever was graded first.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasoning.grading.mistakes import mistakes_of
from reasoning.records import Attempt, Problem
from reasoning.rounds.classroom import TeacherSession
from reasoning.rounds.exam import exam_questions
from reasoning.rounds.feedback.helping import queries_for
from reasoning.rounds.ladder.exam import ladder_exam
from reasoning.rounds.ladder.history import history_before, results_before
from reasoning.rounds.requests import Grouping, Query


def questions_of_exam(classroom: TeacherSession, round: int) -> list[Problem]:
    """The questions of the exam of `round`, of which all earlier exams are over."""
    recipe, train = classroom.recipe, classroom.data.train
    if recipe.learning.help == "ladder":
        return ladder_exam(train, recipe.learning, recipe.seed, round, results_before(classroom, round))
    return exam_questions(train, recipe.learning, recipe.seed, round)


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

    def graded(self, problem: Problem, attempts: Sequence[Attempt]) -> None:
        """`problem` is graded: asks for what it needs."""
        if self._ladder is None or self._history is None:
            shown = mistakes_of(attempts)[: self._learning.mistakes_per_question]
            queries = list(self._classroom.requests.feedback_on(shown))
        elif self._ladder.has_budget:
            return
        else:
            new = self._learning.new_questions is not None
            standing = self._history.standing(problem, attempts, self._ladder, new)
            queries = queries_for(self._classroom, standing, self._history)
        if self._learning.per_request == 1:
            for query in queries:
                self._classroom.start_asking(query)
            return
        self._ready[problem.id] = queries  # who shares a request is for the exam's order to say
        while self._waiting and self._waiting[-1] in self._ready:
            for query in self._ready.pop(self._waiting.pop()):
                for group in self._grouping.add(query):
                    self._classroom.start_asking_together(group)
