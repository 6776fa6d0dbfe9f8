"""What is taught: the keys of `task`, and of `task.form` for data of one's own.

Owns: their defaults, bounds and cross-checks. How problems are then loaded is in `reasoning.tasks`.

Invariant: unknown keys and impossible values are refused here, before any process starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import PositiveInt, Section
from reasoning.records import AnswerKind


class FormSection(Section):
    """How a row of data of one's own states a question: the names of its fields (`a.b` is field b of the object a).

    `question` names one field, or several that are joined by a space. `kind` says how answers are found and compared.
    For kind `choice`, `choices` names the field that lists the options, or lists the options of every question; without
    it they stand in the question as (A) ... (B) .... `answer` is a number, yes or no, a text, or for a choice its
    letter, its index (from 0) or its text; `answer_as` says which, where it could be two. What stands in the answer
    before the last `answer_after` ("####") does not count."""

    question: str | tuple[str, ...]
    answer: str
    kind: AnswerKind
    choices: str | tuple[str, ...] | None = None
    answer_as: Literal["letter", "index", "text"] | None = None
    answer_after: str = ""

    @model_validator(mode="after")
    def _choices_are_of_a_choice(self) -> FormSection:
        if self.kind is not AnswerKind.CHOICE and (self.choices is not None or self.answer_as is not None):
            raise ValueError(f"choices and answer_as need kind: choice (kind is {self.kind})")
        if isinstance(self.choices, tuple) and not 2 <= len(self.choices) <= 26:
            raise ValueError("choices, when listed here, are 2 to 26 texts; a field's name is no list")
        if isinstance(self.choices, tuple) and not all(choice.strip() for choice in self.choices):
            raise ValueError("choices holds an empty text")
        if self.question in ("", ()):
            raise ValueError("question names the field that has the question")
        return self


class TaskSection(Section):
    """What is taught. `source` says where problems come from:

    - generated: a family of `reasoning.tasks.families`, unlimited, from `seed`;
    - file: the task's file(s) at `path` (a folder that holds the published ones, or the file); where test questions
      stand apart, they are at `test_path`;
    - hub: the task's hub dataset, or `hub_id` when another one is wanted (a local folder in hub form works too), of
      which `hub_config` is taken.
    A task that is not in the table of tasks says by `form` how its rows are read; so does another mirror of one that
    is.

    `split` is that of the source or else paper B's; `template` keeps questions of one template together. `splits` names
    a JSON file of index lists {"train": [...], "test": [...]} instead. `shots` takes paper B's subset of so many
    training questions. `repeated: keep` counts a test question as often as the set has it, as paper B's table does.
    """

    name: str = "coin_flip"
    source: Literal["generated", "file", "hub"] = "generated"
    path: Path | None = None
    test_path: Path | None = None
    hub_id: str | None = None
    hub_config: str | None = None
    form: FormSection | None = None
    split: Literal["default", "template"] = "default"
    splits: Path | None = None
    shots: PositiveInt | None = None
    repeated: Literal["once", "keep"] = "once"
    train: PositiveInt | None = Field(default=None, description="at most this many training questions")
    validation: PositiveInt | None = None
    test: PositiveInt | None = None

    @model_validator(mode="after")
    def _source_has_its_place(self) -> TaskSection:
        if self.source == "file" and self.path is None and self.test_path is None:
            raise ValueError("source: file needs path, the task's published file or the folder that holds it")
        if self.source == "generated":
            keys = ("path", "test_path", "splits", "form", "shots", "split", "repeated")
            given = [key for key in keys if getattr(self, key) != TaskSection.model_fields[key].default]
            if given:
                raise ValueError(f"source: generated takes no {given[0]}; use source: file for published data")
        if self.source != "file" and self.test_path is not None:
            raise ValueError("test_path needs source: file")
        if self.source != "hub" and (self.hub_id is not None or self.hub_config is not None):
            raise ValueError("hub_id needs source: hub, and so does hub_config")
        if self.splits is not None and (self.split == "template" or self.test_path is not None):
            raise ValueError("splits is a split of its own: leave split and test_path out")
        if self.shots is not None and self.train is not None:
            raise ValueError("shots and train both limit the training questions: give one of them")
        return self
