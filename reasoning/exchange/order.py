"""The order in which a task's data set counts its questions: what paper B's sample indices mean.

Owns: that order. For published data it is the order of their rows, repeated questions included, train before test where
they stand apart; for generated questions it is training, validation and then test.
"""

from __future__ import annotations

from reasoning.recipe.task import TaskSection
from reasoning.tasks.loading import TaskData, questions_in_order
from reasoning.tasks.rows import Stated


def stated_in_order(task: TaskSection, data: TaskData) -> list[Stated]:
    """The questions of the data set, each at its sample index. Raises `DataError` when a file is unreadable."""
    if task.source != "generated":
        return questions_in_order(task)
    problems = [*data.train, *data.validation, *data.test]
    return [Stated(problem.question, problem.answer, problem.choices) for problem in problems]
