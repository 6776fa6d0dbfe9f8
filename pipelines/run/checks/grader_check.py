"""What is wrong with a grader of the user's own, found before a run starts.

Owns: the trial of the grader on right answers. Invariant: nothing is started and nothing is spent.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.run.checks.student_files import PreflightFault
from reasoning.grading.own_grader import GraderError, load_grader, own_verdict
from reasoning.prompts.headings import ANSWER_HEADING
from reasoning.recipe.tailored import Recipe
from reasoning.records import Verdict
from reasoning.tasks.loading import TaskData

TRIED = 5  # questions


def grader_faults(recipe: Recipe, data: TaskData | None) -> Iterator[PreflightFault]:
    """A grader that cannot be imported, fails, or does not call a right answer right."""
    form = recipe.task.form
    if form is not None and (form.grader or form.settings) and recipe.learning.new_questions is not None:
        what = "new questions are graded by their kind alone, without the settings and the grader of task.form"
        yield PreflightFault("learning.new_questions", what, "Leave it out, or them")
    name = form.grader if form else None
    if name is None:
        return
    place = "task.form.grader"
    try:
        load_grader(name)
        for problem in (data.train or data.test)[:TRIED] if data else ():
            completion = f"{ANSWER_HEADING} {problem.answer}"
            verdict = own_verdict(problem, completion)
            if verdict is not Verdict.CORRECT:
                said = verdict.value.replace("_", " ")
                what = f"grader {name} says {said} of {completion!r}, the right answer to {problem.question[:80]!r}"
                yield PreflightFault(place, what, "Students answer in this form, so it must be read")
                return
    except GraderError as error:
        yield PreflightFault(place, str(error), "It must be a module that can be imported from here")
        return
