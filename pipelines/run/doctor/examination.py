"""What preflight says of a recipe, as checks: what it refuses, and what passes.

Owns: what a fault is about, and what is said where there is none. The checking is `pipelines.run.preflight`'s.

Invariant: no more is asked of a teacher than preflight asks, and nothing else costs anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.cluster import capacity
from pipelines.run.doctor.checks import Check, State
from pipelines.run.fine_tune_cot import check_cot
from pipelines.run.preflight import Checked, PreflightError, check
from reasoning.recipe.fine_tune_cot import FineTuneCotRecipe
from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import TeacherSection

# By the beginning of a fault's place, what it is about; whatever else is data.
_SUBJECTS = ("student", "prompts", "cluster", "learning", "fine_tuning", "teacher", "environment", "storage")


def examine_recipe(recipe: Recipe | FineTuneCotRecipe, origin: str, probe: bool = True) -> list[Check]:
    """What preflight finds in a recipe, by what it is about, what passes included."""
    there = capacity(recipe.cluster.address)
    try:
        if isinstance(recipe, FineTuneCotRecipe):
            return list(_passed(shared_recipe(recipe), there, check_cot(recipe, origin, there, probe)))
        return list(_passed(recipe, there, check(recipe, origin, there, probe=probe)))
    except PreflightError as error:
        return list(_sorted(error.faults))


def shared_recipe(recipe: Recipe | FineTuneCotRecipe) -> Recipe:
    """Either kind of recipe as one of tailored learning, which asks the same of the machines."""
    return recipe.at_degree(recipe.fine_tuning.collected) if isinstance(recipe, FineTuneCotRecipe) else recipe


# Preflight ------------------------------------------------------------------------------------------------------------


def _sorted(faults: tuple[PreflightFault, ...]) -> Iterator[Check]:
    seen = set()
    for fault in faults:
        subject = _subject(fault.place)
        seen.add(subject)
        yield Check(subject, State.FAIL, fault.what, fault.cure, fault.place)
    for subject in ("data", "student", "resources", "learning", "teacher"):
        if subject in seen:
            continue
        unknown = subject in ("learning", "teacher") and "data" in seen
        yield Check(subject, State.SKIPPED if unknown else State.PASS, "waits for the data" if unknown else "in order")


def _subject(place: str) -> str:
    found = next((name for name in _SUBJECTS if place == name or place.startswith(name + ".")), "data")
    return {"prompts": "student", "cluster": "resources", "fine_tuning": "learning"}.get(found, found)


def _passed(recipe: Recipe, there: Capacity, checked: Checked) -> Iterator[Check]:
    data = checked.data
    counts = f"{len(data.train)} questions to learn from, {len(data.validation)} to validate, {len(data.test)} to test"
    yield Check("data", State.PASS, counts)
    source = "the embedded one" if recipe.student.model == "embedded" else recipe.student.source
    tried = "" if recipe.student.model == "embedded" else ", loaded, taught, saved and sampled in a trial"
    yield Check("student", State.PASS, source + tried)
    have = ", ".join(f"{there.total(kind):g} {kind}s" for kind in ("CPU", "GPU"))
    if there.types:
        have += f" there, and {', '.join(f'{there.startable(kind):g} {kind}s' for kind in ('CPU', 'GPU'))} could come"
    yield Check("resources", State.PASS, f"enough: {have}")
    yield Check("learning", State.PASS, f"{recipe.learning.rounds} rounds after the first")
    for path, teacher in _teachers(recipe):
        yield from _teacher(path, teacher, [note for note in checked.notes if note.startswith(f"{path}:")])
    rest = [note for note in checked.notes if not note.startswith("teacher")]
    for note in rest:
        yield Check("notes", State.PASS, note.rstrip("."))


def _teachers(recipe: Recipe) -> Iterator[tuple[str, TeacherSection]]:
    yield "teacher", recipe.teacher
    if recipe.teacher.first is not None:
        yield "teacher.first", recipe.teacher.first


def _teacher(path: str, teacher: TeacherSection, notes: list[str]) -> Iterator[Check]:
    for note in notes:
        told = note.removeprefix(f"{path}:").strip().rstrip(".")
        yield Check("teacher", State.WARN, told, "See docs/teacher.md", path)
    if not notes:
        told = "answers" if teacher.kind == "openai" else "is served by the run itself"
        yield Check("teacher", State.PASS, f"{teacher.model} {told}", place=path)
    unpriced = [one.model for one in teacher.settings().endpoints if one.price is None and not one.served_here]
    if unpriced:
        cure = "Give its price ({input: DOLLARS, output: DOLLARS} per million tokens), so that its cost is counted"
        yield Check("price", State.WARN, f"no price is known for {unpriced[0]}", cure, f"{path}.price")
    elif teacher.kind == "openai":
        yield Check("price", State.PASS, "known", place=path)
