"""Fine-tune-CoT, step by step: rationales collected once, then one student a degree.

Owns: what each step of `reasoning.fine_tune_cot.order` does. Who asks, samples and trains is the classroom's.

Invariants
- The first D' of a question's collected rationales are what degree D' gets, however many were collected.
- A step is recorded when it is whole; done again it gives the same. Collecting more asks the teacher only what its
  journal has not.
- A question without an answer of the teacher, or whose rationales the filter drops, is not learnt, and is counted.
- Students of every degree, the baseline's too, are examined on the same questions: all of validation and all of test.
  (Paper B scores its teacher on all questions and its students on test ones, side by side.)

Source: paper B, Large Language Models Are Reasoning Teachers (arXiv 2212.10071).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from reasoning.files.tables import read_table, write_table
from reasoning.fine_tune_cot.directory import CotDirectory, degree_name
from reasoning.fine_tune_cot.order import Collect, DegreeStep, next_work
from reasoning.prompts.run_prompts import run_prompts
from reasoning.recipe.fine_tune_cot import LABELS_ALONE, FineTuneCotRecipe
from reasoning.records import Rationale
from reasoning.rounds.classroom import Classroom
from reasoning.rounds.feedback.phase import feedback
from reasoning.rounds.phase_order import Finished, Metrics, Phase, PhaseRecord
from reasoning.rounds.phases import perform


def work_left(recipe: FineTuneCotRecipe, directory: CotDirectory) -> Collect | DegreeStep | Finished:
    """What `recipe` still wants done in `directory`."""
    made = directory.degrees()
    done: dict[int, Sequence[PhaseRecord]] = {degree: made.get(degree, []) for degree in recipe.fine_tuning.degrees}
    return next_work(directory.collected(), recipe.fine_tuning.collected, done)


async def do(
    classroom: Classroom, recipe: FineTuneCotRecipe, directory: CotDirectory, work: Collect | DegreeStep
) -> None:
    """Does one step to its end and records it."""
    started = time.monotonic()
    classroom.progress.show(label=degree_name(work.degree) if isinstance(work, DegreeStep) else "teacher")
    if isinstance(work, Collect):
        metrics = await _collect(classroom, recipe, directory, work.samples)
        await classroom.record(directory, PhaseRecord(0, Phase.FEEDBACK, time.monotonic() - started, metrics))
        return
    own = recipe.at_degree(work.degree, len(classroom.data.train))
    home = directory.degree(work.degree)
    home.claim(own)
    classroom.turn_to(own, home, run_prompts(own))
    if work.phase is Phase.FEEDBACK:
        metrics = _take(classroom, directory, work.degree)
    else:
        metrics = await perform(classroom, 0, work.phase)
    await classroom.record(home, PhaseRecord(0, work.phase, time.monotonic() - started, metrics))


async def _collect(classroom: Classroom, recipe: FineTuneCotRecipe, directory: CotDirectory, samples: int) -> Metrics:
    """Asks for `samples` rationales of every training question; those that are journaled are not asked for again."""
    own = recipe.at_degree(samples, len(classroom.data.train))
    classroom.turn_to(own, directory.collection, run_prompts(own))
    return {**await feedback(classroom, 0), "samples": samples}


def _take(classroom: Classroom, directory: CotDirectory, degree: int) -> Metrics:
    """A degree's share of what was collected, as the feedback of its round."""
    files = classroom.files(0)
    files.folder.mkdir(parents=True, exist_ok=True)
    collected = read_table(directory.rationales, Rationale) if degree != LABELS_ALONE else []
    taken = [rationale for rationale in collected if rationale.sample < degree]
    write_table(files.rationales, taken, Rationale)
    kept = [rationale for rationale in taken if rationale.kept]
    return {
        "asked": degree * len(classroom.data.train),
        "failed": degree * len(classroom.data.train) - len(taken),
        "kept": len(kept),
        "filtered_out": len(taken) - len(kept),
        "questions_kept": len({rationale.problem_id for rationale in kept}),
    }
