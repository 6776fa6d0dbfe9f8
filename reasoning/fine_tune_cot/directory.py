"""The directory of a Fine-tune-CoT run: what was collected once, and one run directory a degree.

    <storage>/<run>/  recipe.yaml  rounds.jsonl  journal.sqlite  rationales.parquet  report.html  prompts/
                      degree-000/  degree-004/  ...   each a run directory of its own, with round 0 alone

Owns: the layout; telling such a directory from one of tailored learning.

Invariants
- `rounds.jsonl` records the collections: a larger one replaces the table of a smaller one, whose rationales it holds.
- A degree's directory stands for itself: it can be examined, served and reported like any other run's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reasoning.fine_tune_cot.order import best_degree
from reasoning.prompts.files import read_prompt
from reasoning.recipe.fine_tune_cot import LABELS_ALONE, FineTuneCotRecipe, is_cot_recipe
from reasoning.rounds.directory import ClaimedDirectory, RoundFiles, RunDirectory, RunDirectoryError
from reasoning.rounds.phase_order import PhaseRecord


@dataclass(frozen=True, slots=True)
class Collection(RunDirectory):
    """A run's directory as that of its collection: what a feedback phase writes goes into the folder itself."""

    def round(self, number: int) -> RoundFiles:
        return RoundFiles(self.path)


@dataclass(frozen=True, slots=True)
class CotDirectory(ClaimedDirectory[FineTuneCotRecipe]):
    """The directory of one run of Fine-tune-CoT."""

    @property
    def recipe_kind(self) -> type[FineTuneCotRecipe]:
        return FineTuneCotRecipe

    def files_of(self, recipe: FineTuneCotRecipe) -> Mapping[str, Path]:
        used = {
            "student.prompt": read_prompt(recipe.student.prompt, "student").path,
            "fine_tuning.label_prompt": read_prompt(recipe.fine_tuning.label_prompt, "student").path,
            "teacher.prompt": read_prompt(recipe.teacher.prompt, "teacher").path,
        }
        shown = {
            "student.demonstrations": recipe.student.demonstrations,
            "teacher.demonstrations": recipe.teacher.demonstrations,
        }
        return used | {key: path.expanduser() for key, path in shown.items() if path is not None}

    @property
    def collection(self) -> Collection:
        return Collection(self.path)

    @property
    def rationales(self) -> Path:
        return self.collection.round(0).rationales

    def collected(self) -> int:
        """How many rationales per question were collected."""
        return max((int(record.metrics["samples"]) for record in self.finished()), default=0)

    def degree(self, degree: int) -> RunDirectory:
        return RunDirectory(self.path / f"degree-{degree:03d}")

    def degrees(self) -> dict[int, list[PhaseRecord]]:
        """The finished phases of every degree that has a directory, in order."""
        found = sorted(int(folder.name.removeprefix("degree-")) for folder in self.path.glob("degree-[0-9]*"))
        return {degree: self.degree(degree).finished() for degree in found}

    def graduate(self, degree: int | None = None) -> RunDirectory:
        """The directory of `degree`, or of the best one by validation accuracy. Raises `RunDirectoryError`."""
        chosen = best_degree(self.degrees()) if degree is None else degree
        if chosen is None or chosen not in self.degrees():
            made = ", ".join(map(str, self.degrees())) or "none"
            raise RunDirectoryError(
                f"{self.path}: {'no degree' if chosen is None else f'degree {chosen}'} is finished; there are {made}. "
                "Run `tailor fine-tune-cot` on its recipe first."
            )
        return self.degree(chosen)


def is_cot_directory(path: Path) -> bool:
    """Whether `path` is the directory of a Fine-tune-CoT run."""
    file = CotDirectory(path).recipe_file
    return file.is_file() and is_cot_recipe(file.read_text(encoding="utf-8", errors="replace"))


def student_directory(path: Path) -> RunDirectory:
    """The directory of the run whose student `path` stands for: of a Fine-tune-CoT run, its graduate's.

    Raises `RunDirectoryError` when no degree of it is finished."""
    return CotDirectory(path).graduate() if is_cot_directory(path) else RunDirectory(path)


def degree_name(degree: int) -> str:
    """What a degree is called on a page."""
    return "labels alone" if degree == LABELS_ALONE else f"degree {degree}"
