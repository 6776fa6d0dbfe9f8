"""A run's directory: its memory. Which file is where, and the append-only list of finished phases.

Owns: the layout, `rounds.jsonl`, the claim that ties a directory to one recipe.

Invariants
- A phase is finished when its whole line is in `rounds.jsonl`; a line cut off by a crash counts as absent and is
  removed before the next one is written.
- A directory belongs to the recipe that it holds; one that cannot continue it is refused with the ways out.
- Nothing here is ever deleted but a phase's own unfinished files.
"""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import yaml

from reasoning.files.durable import new_file
from reasoning.files.run_folders import no_run_at
from reasoning.files.user_error import UserError
from reasoning.prompts.run_prompts import STUDENT_PROMPT, form_of, other_files, prompt_files, template_of
from reasoning.prompts.student_forms import StudentForm
from reasoning.recipe.tailored import Recipe, RecipeError, RecipeT, parse_as
from reasoning.rounds.phase_order import PhaseRecord


class RunDirectoryError(UserError, RuntimeError):
    """A run directory that cannot be used: says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class RoundFiles:
    """Where one round keeps its files."""

    folder: Path

    @property
    def exam(self) -> Path:
        return self.folder / "exam.parquet"

    @property
    def exam_log(self) -> Path:
        """Attempts as they arrive, so that a killed exam goes on where it was."""
        return self.folder / "exam.partial.jsonl"

    @property
    def rationalized(self) -> Path:
        """Attempts with the right answer shown; there where the ladder wants such."""
        return self.folder / "rationalized.parquet"

    @property
    def rationalized_log(self) -> Path:
        """These as they arrive."""
        return self.folder / "rationalized.partial.jsonl"

    @property
    def rationales(self) -> Path:
        return self.folder / "rationales.parquet"

    @property
    def help(self) -> Path:
        """What help each question of the exam got; there with `learning.help: ladder`."""
        return self.folder / "help.parquet"

    @property
    def new_problems(self) -> Path:
        """New questions for this round's mistakes, kept or not; there when the recipe wants such."""
        return self.folder / "new_problems.parquet"

    @property
    def scores(self) -> Path:
        """What a teacher's logits say of the exam's attempts; there where a loss learns from that."""
        return self.folder / "scores.parquet"

    @property
    def examples(self) -> Path:
        return self.folder / "examples.parquet"

    @property
    def student(self) -> Path:
        return self.folder / "student"

    @property
    def probe(self) -> Path:
        return self.folder / "probe.json"

    @property
    def losses(self) -> Path:
        return self.folder / "losses.jsonl"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.parquet"

    @property
    def epochs(self) -> Path:
        """A folder for each epoch of the round's training, where the best of them is to be found out."""
        return self.folder / "epochs"

    def after(self, epoch: int) -> RoundFiles:
        """Where the student after `epoch` (from 1) is, until the best one is chosen, and its evaluation stays."""
        return RoundFiles(self.epochs / f"epoch-{epoch:02d}")

    @property
    def epochs_claim(self) -> Path:
        """Says whose the epochs are: the identity of the training that makes them."""
        return self.epochs / "training.txt"

    @property
    def epoch_accuracies(self) -> Path:
        return self.folder / "epochs.jsonl"


@dataclass(frozen=True, slots=True)
class ClaimedDirectory(ABC, Generic[RecipeT]):
    """What the directories of all kinds of run have in common: an owner, its prompts, and its finished phases."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def rounds_file(self) -> Path:
        return self.path / "rounds.jsonl"

    @property
    def journal(self) -> Path:
        return self.path / "journal.sqlite"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def prompts(self) -> Path:
        """Copies of the prompts, demonstrations and imported files that this run uses, each named after the recipe's
        key."""
        return self.path / "prompts"

    @property
    @abstractmethod
    def recipe_kind(self) -> type[RecipeT]:
        """The kind of recipe that such a directory belongs to."""

    @abstractmethod
    def files_of(self, recipe: RecipeT) -> Mapping[str, Path]:
        """The prompts and other files that `recipe` names and every round reads, by its key. Raises `PromptError`."""

    def recipe(self) -> RecipeT:
        """The recipe this directory belongs to. Raises `RunDirectoryError` when there is none or it is damaged."""
        if not self.recipe_file.is_file():
            raise RunDirectoryError(no_run_at(self.path))
        try:
            return parse_as(self.recipe_kind, self.recipe_file.read_text(encoding="utf-8"), str(self.recipe_file))
        except RecipeError as error:
            raise RunDirectoryError(f"{self.recipe_file}: cannot be read back: {error}") from error

    def claim(self, recipe: RecipeT) -> bool:
        """Makes this the directory of `recipe`. Returns True when it was already (a resumption), False when it is new.

        Raises `RunDirectoryError` when it belongs to another recipe, when a prompt or the student's chat template was
        changed, or when it holds files but no recipe; `PromptError` when a prompt cannot be read."""
        used, template = self.files_of(recipe), template_of(recipe.student)
        if self.recipe_file.is_file():
            owner = self.recipe()
            if differences := owner.differences(recipe):
                raise RunDirectoryError(
                    f"{self.path}: belongs to another recipe (it differs in: {', '.join(differences)}). Give this run "
                    "another `name` or --name, another `storage.path`, or move the old directory away."
                    + self._paid(recipe)
                )
            self._refuse_changed(used)
            self._refuse_changed_template(template, recipe.student.model)
            self._write_recipe(recipe)
            return True
        if not self._holds_at_most_a_cut_off_claim(used):
            raise RunDirectoryError(
                f"{self.path}: is not empty and not a run directory (no recipe.yaml). Give this run another `name` "
                "or `storage.path`."
            )
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # who else reads a run is for its owner to say
        self.prompts.mkdir(exist_ok=True)
        for key, file in used.items():
            shutil.copyfile(file, self._copy_of(key, file.suffix))
        if template is not None:
            self._template_copy.write_bytes(template.encode("utf-8"))
        self._write_recipe(recipe)  # last: with it the directory is a run's
        return False

    def _paid(self, recipe: RecipeT) -> str:
        """What is said after a refusal of how `recipe` comes by the teacher's answers that are here."""
        if recipe.storage.journal is not None or not self.journal.is_file():
            return ""
        return (
            f" What its teacher answered need not be paid for again: set storage.journal to {self.journal.absolute()}."
        )

    def _holds_at_most_a_cut_off_claim(self, used: Mapping[str, Path]) -> bool:
        """Whether all that is here is what a claim of the same files leaves that was killed before it wrote the
        recipe."""
        if not self.path.exists():
            return True
        copies = {self._template_copy, *(self._copy_of(key, file.suffix) for key, file in used.items())}
        begun = f".{self.recipe_file.name}."
        others = {entry for entry in self.path.iterdir() if not entry.name.startswith(begun)} - {self.prompts}
        return not others and (not self.prompts.exists() or set(self.prompts.iterdir()) <= copies)

    def _copy_of(self, key: str, suffix: str = ".yaml") -> Path:
        return self.prompts / f"{key}{suffix if key.startswith('learning.imported') else '.yaml'}"

    def _refuse_changed(self, used: Mapping[str, Path]) -> None:
        for key, file in used.items():
            copy = self._copy_of(key, file.suffix)
            if copy.is_file() and copy.read_bytes() != file.read_bytes():
                raise RunDirectoryError(
                    f"{self.path}: {key} ({file}) was changed since this run began, but all rounds of a run must "
                    f"use the same file. Restore it from {copy}, or give this run another `name` or --name."
                )

    @property
    def _template_copy(self) -> Path:
        """The student's chat template as it was when the run began, of a form of messages."""
        return self.prompts / "student.chat_template.jinja"

    def kept_template(self) -> str | None:
        """The chat template that this run began with; None where it uses none, or is older than this file."""
        return self._template_copy.read_bytes().decode("utf-8") if self._template_copy.is_file() else None

    def _refuse_changed_template(self, template: str | None, student: str) -> None:
        kept = self.kept_template()
        if kept is not None and template != kept:
            raise RunDirectoryError(
                f"{self.path}: the chat template of {student} was changed since this run began, but all rounds of a "
                f"run must ask the student alike. Restore it from {self._template_copy} (as chat_template.jinja in a "
                "local student's folder), or give this run another `name` or --name."
            )

    def _write_recipe(self, recipe: RecipeT) -> None:
        text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        with new_file(self.recipe_file) as part:
            part.write_text(text, encoding="utf-8")

    def finished(self) -> list[PhaseRecord]:
        """The finished phases in order. An incomplete last line is absent; any other damage is an error."""
        if not self.rounds_file.exists():
            return []
        lines = self.rounds_file.read_bytes().split(b"\n")
        records = []
        for number, line in enumerate(lines[:-1], 1):  # what follows the last newline was cut off
            try:
                records.append(PhaseRecord.from_json(line.decode("utf-8")))
            except (ValueError, KeyError) as error:
                raise RunDirectoryError(
                    f"{self.rounds_file}:{number}: not a phase record ({error}). Delete this line and all lines "
                    "after it: the run then repeats the phases they recorded."
                ) from error
        return records

    def rounds_with(self, record: PhaseRecord) -> bytes:
        """What `rounds.jsonl` holds once `record` is appended."""
        content = self.rounds_file.read_bytes() if self.rounds_file.exists() else b""
        return content[: content.rfind(b"\n") + 1] + _line(record)

    def append(self, record: PhaseRecord) -> None:
        """Adds one finished phase, durably: when this returns, the line survives a crash of the machine."""
        with self.rounds_file.open("ab+") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)  # a line cut off by a crash
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())


def _line(record: PhaseRecord) -> bytes:
    return record.to_json().encode("utf-8") + b"\n"


@dataclass(frozen=True, slots=True)
class RunDirectory(ClaimedDirectory[Recipe]):
    """The directory of one run of tailored learning."""

    @property
    def recipe_kind(self) -> type[Recipe]:
        return Recipe

    @property
    def training(self) -> Path:
        """Ray Train's own files while a round trains."""
        return self.path / "training"

    def round(self, number: int) -> RoundFiles:
        return RoundFiles(self.path / f"round-{number:03d}")

    def files_of(self, recipe: Recipe) -> Mapping[str, Path]:
        return {**{key: file.path for key, file in prompt_files(recipe).items()}, **other_files(recipe)}

    def form(self) -> StudentForm:
        """The form in which this run's student is asked. Raises `RunDirectoryError`, `PromptError`."""
        student = self.recipe().student
        copy = self._copy_of(STUDENT_PROMPT)
        shown = self._copy_of("student.demonstrations")
        update: dict[str, object] = {"prompt": str(copy.resolve())} if copy.is_file() else {}
        update |= {"demonstrations": shown} if shown.is_file() else {}
        return form_of(student.model_copy(update=update), self.kept_template())
