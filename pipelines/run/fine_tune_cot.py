"""A run of Fine-tune-CoT, from its recipe to its report.

Owns: the order check -> claim the directory -> start -> watch -> report, as in tailored learning, and the
messages. The same call again resumes; with more degrees it trains those, from what was already collected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.console import Console

from actors.cot_coordinator import CotCoordinator, CotOutcome
from actors.ray_api.machines.capacity import Capacity
from actors.watching.logs import here
from pipelines.report.fine_tune_cot import write_cot_report
from pipelines.report.tables import degrees_table
from pipelines.run.checks.gguf_check import gguf_faults
from pipelines.run.checks.prompt_lengths import length_faults
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.cluster import capacity, connect
from pipelines.run.coordination import account, announce, coordinate
from pipelines.run.doctor.environment import require_nodes
from pipelines.run.preflight import Checked, PreflightError, check
from pipelines.run.storage import claim, home_of, store_report
from reasoning.fine_tune_cot.directory import CotDirectory, degree_name
from reasoning.prompts.run_prompts import form_of
from reasoning.recipe.fine_tune_cot import LABELS_ALONE, FineTuneCotRecipe
from reasoning.recipe.learning import EVERY_QUESTION
from reasoning.rounds.phase_order import PhaseRecord
from reasoning.student.config import context_of

# What a degree's recipe calls a key, and what it is called in a recipe of Fine-tune-CoT.
_KEYS = {
    "learning.first_training": "fine_tuning.training",
    "learning.first_questions": "task.train",
    "teacher.first_prompt": "teacher.prompt",
}


@dataclass(frozen=True, slots=True)
class FinishedCotRun:
    """A run that came to its end: where it is kept and how it ended."""

    directory: CotDirectory
    outcome: CotOutcome
    report: str


def run(recipe: FineTuneCotRecipe, origin: str, console: Console, probe: bool = True) -> FinishedCotRun:
    """Runs `recipe` to its end, from wherever its directory stands. `probe`: ask the teacher's API first.

    Raises `PreflightError` or `RunDirectoryError` before anything is started, `RunFailed` afterwards."""
    recipe = fitted(recipe)
    home = home_of(recipe)
    directory = CotDirectory(home.folder)
    checked = check_cot(recipe, origin, capacity(recipe.cluster.address, recipe.secret_names()), probe)
    resumed = claim(directory, recipe, home)
    connect(recipe.cluster.address, recipe.secret_names())
    done = sum(map(len, finished(directory).values())) if resumed else None
    shared = recipe.at_degree(recipe.fine_tuning.collected)
    here(recipe.name)
    announce(recipe.name, home.shown, done, (*checked.notes, *require_nodes(shared, origin)), console)
    asks = recipe.fine_tuning.collected > LABELS_ALONE
    outcome = coordinate(
        CotCoordinator, recipe, shared if asks else None, directory, checked, home, lambda: finished(directory), console
    )
    report = store_report(write_cot_report(directory, checked.data), home)
    console.print(degrees_table(directory.degrees()))
    account(outcome.reason, outcome.journal, report, console)
    return FinishedCotRun(directory, outcome, report)


def fitted(recipe: FineTuneCotRecipe) -> FineTuneCotRecipe:
    """`recipe` with answers no longer than its student's context, where that is known."""
    if any(gguf_faults(recipe.student, [])):
        return recipe  # the check says what is wrong with the file
    try:
        return recipe.within(context_of(recipe.student.source))
    except (OSError, ValueError):
        return recipe  # the check says that there is no such student


def check_cot(recipe: FineTuneCotRecipe, origin: str, there: Capacity, probe: bool = True, ask: bool = True) -> Checked:
    """All that `pipelines.run.preflight.check` checks, and that the forms fit the degrees. Raises `PreflightError`."""
    wanted = recipe.fine_tuning.degrees
    try:
        shared = recipe.at_degree(recipe.fine_tuning.collected, EVERY_QUESTION)
        checked = check(shared, origin, there, probe=probe, ask=ask)
    except PreflightError as error:
        faults = [_in_own_words(fault) for fault in error.faults if not fault.place.startswith("learning.training")]
        raise PreflightError(origin, faults) from error
    faults, notes = [], list(map(_note_in_own_words, checked.notes))
    if max(wanted) > LABELS_ALONE and not checked.prompts.form.reasons:
        what = f"the form {recipe.student.prompt} has no reasoning, and degree {max(wanted)} learns rationales"
        faults.append(
            PreflightFault("student.prompt", what, "Take a form with {rationale}, or fine_tuning.degrees: [0]")
        )
    labels = recipe.at_degree(LABELS_ALONE, EVERY_QUESTION)
    form = form_of(labels.student) if LABELS_ALONE in wanted else checked.prompts.form
    if LABELS_ALONE in wanted and form.reasons:
        what = f"the form {recipe.fine_tuning.label_prompt} has a place for a rationale, and degree 0 learns labels"
        faults.append(
            PreflightFault("fine_tuning.label_prompt", what, "Take a form without {rationale}, such as fine_tune")
        )
    elif LABELS_ALONE in wanted and form != checked.prompts.form:
        told: list[str] = []
        for fault in map(_in_own_words, length_faults(labels, checked.data, form, told)):
            faults.append(replace(fault, what=f"asked by {recipe.fine_tuning.label_prompt}, {fault.what}"))
        notes += [f"{_note_in_own_words(note)} (Asked by {recipe.fine_tuning.label_prompt}.)" for note in told]
    if faults:
        raise PreflightError(origin, faults)
    return replace(checked, notes=tuple(notes))


def _note_in_own_words(note: str) -> str:
    shared = next((key for key in _KEYS if note.startswith(key)), "")
    return _KEYS.get(shared, "") + note.removeprefix(shared)


def _in_own_words(fault: PreflightFault) -> PreflightFault:
    for shared, own in _KEYS.items():
        if fault.place.startswith(shared):
            return PreflightFault(own + fault.place.removeprefix(shared), fault.what, fault.cure)
    return fault


def finished(directory: CotDirectory) -> dict[str, list[PhaseRecord]]:
    """The finished steps, under what each is called on the screen."""
    degrees = {degree_name(degree): records for degree, records in directory.degrees().items()}
    return {"teacher": directory.finished()} | degrees
