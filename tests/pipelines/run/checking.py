"""A recipe checked as it is before a run: what it may start with, or the faults that were found."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.preflight import Checked, PreflightError, PreflightFault, check
from reasoning.recipe.tailored import parse_recipe

LAPTOP = Capacity.of_one({"CPU": 2.0})
SMALL = "task: {train: 40, validation: 10, test: 10}\n"


def checked(text: str, student: Path, there: Capacity = LAPTOP, *, teacher: bool = True) -> Checked:
    recipe = parse_recipe(f"{text}\nstudent: {{model: '{student}'}}", "mine.yaml")
    return check(recipe, "mine.yaml", there, teacher=teacher)


def faults(text: str, student: Path, there: Capacity = LAPTOP, *, teacher: bool = True) -> tuple[PreflightFault, ...]:
    with pytest.raises(PreflightError) as caught:
        checked(text, student, there, teacher=teacher)
    assert str(caught.value).startswith("mine.yaml: ")
    for fault in caught.value.faults:
        assert fault.place in str(caught.value) and fault.what in str(caught.value) and fault.cure in str(caught.value)
    return caught.value.faults


def only(text: str, student: Path, there: Capacity = LAPTOP, *, teacher: bool = True) -> PreflightFault:
    found = faults(text, student, there, teacher=teacher)
    assert len(found) == 1, found
    return found[0]
