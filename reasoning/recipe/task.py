"""What is taught: the keys of `task`, and of `task.form` for data of one's own.

Owns: their defaults, bounds and cross-checks. How problems are then loaded is in `reasoning.tasks`.

Invariant: unknown keys and impossible values are refused here, before any process starts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from reasoning.recipe.base import Positive, PositiveInt, Section
from reasoning.records import AnswerKind

# Keys that say how answers of one kind are compared: that kind, and the field of its rules (reasoning.grading.kinds).
_SETTINGS = {
    "tolerance": (AnswerKind.NUMBER, "tolerance"),
    "relative_tolerance": (AnswerKind.NUMBER, "relative"),
    "unit": (AnswerKind.NUMBER, "unit"),
    "date_order": (AnswerKind.DATE, "order"),
    "separators": (AnswerKind.SET, "separators"),
}
_NEWER = ("choice_fields", *_SETTINGS, "grader")


class FormSection(Section):
    """How a row of your own data states a question: the names of its fields."""

    question: str | tuple[str, ...] = Field(
        description=(
            "The field that holds the question, or several fields, whose texts are joined by a space. "
            "`a.b` is field b of the object a. Of a conversation (`messages`) it is what the user says."
        )
    )
    answer: str = Field(
        description=(
            "The field that holds the answer: a number, yes or no, a text, or for a choice its letter, "
            "index (from 0) or text. A list has several right answers, of which the first is taught. Of a "
            "conversation it is what the assistant says."
        )
    )
    kind: AnswerKind = Field(description="How an answer is found in what the student writes, and how it is compared.")
    choices: str | tuple[str, ...] | None = Field(
        default=None,
        description=(
            "For kind `choice`: the field that lists the options, or the options themselves where all "
            "questions have the same. Without it they are read from the question, as `(A) ... (B) "
            "...`."
        ),
    )
    choice_fields: tuple[str, ...] = Field(
        default=(),
        description=(
            "For kind `choice`: the fields that hold an option each, such as `[A, B, C, D]`. The last may be empty."
        ),
    )
    answer_as: Literal["letter", "index", "position", "text"] | None = Field(
        default=None,
        description=(
            "For kind `choice`: what the answer is: a letter (or label), an index from 0, a position from 1, or the "
            "option's text. Needed only where it could be two of these, and for `position`."
        ),
    )
    answer_after: str = Field(
        default="",
        description=(
            'The answer is what follows the last of these marks, such as `"####"` in GSM8K. Empty: all of it.'
        ),
    )

    tolerance: Positive | None = Field(
        default=None, description="For kind `number`: how far an answer may be from the right one. Default: 0.000001."
    )
    relative_tolerance: Positive | None = Field(
        default=None,
        description=(
            "For kind `number`: how far an answer may be from the right one, as a share of that: 0.01 is one per cent. "
            "Where `tolerance` is given too, either suffices."
        ),
    )
    unit: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "For kind `number`: the unit of the answers, such as `km`, `m/s`, `%`, `$`. An answer in another unit of "
            "the kind is converted, one without a unit is in this one; a number of another kind of unit is none."
        ),
    )
    date_order: Literal["day_first", "month_first"] | None = Field(
        default=None,
        description=(
            "For kind `date`: what comes first in `05/01/2021`. Without it such a date, which could be two days, is "
            "refused as a right answer and is no answer of a student's."
        ),
    )
    separators: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            'For kind `set`: what stands between elements, such as `["|"]`. Default: commas, semicolons, "and", lines '
            "and bullets."
        ),
    )
    grader: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$",
        description=(
            "A grader of your own, `module:function`: a pure function of question, gold answer and completion that "
            'gives true or false, or "correct", "wrong" or "no answer". See [grading.md](grading.md).'
        ),
    )

    @property
    def settings(self) -> str:
        """How answers are compared where that is not the usual way, as JSON of the fields of the kind's rules."""
        values = {name: getattr(self, key) for key, (_, name) in _SETTINGS.items() if getattr(self, key) is not None}
        return json.dumps(values, sort_keys=True) if values else ""

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run's identity is that of a recipe written before these keys were."""
        content: dict[str, Any] = handler(self)
        unused = [key for key in _NEWER if getattr(self, key) == type(self).model_fields[key].default]
        return {key: value for key, value in content.items() if key not in unused}

    @model_validator(mode="after")
    def _choices_are_of_a_choice(self) -> FormSection:
        given = self.choices is not None or self.choice_fields or self.answer_as is not None
        if self.kind is not AnswerKind.CHOICE and given:
            raise ValueError(f"choices, choice_fields and answer_as need kind: choice (kind is {self.kind})")
        if self.separators is not None and not all(self.separators):
            raise ValueError("separators contains an empty text")
        for key, (kind, _) in _SETTINGS.items():
            if getattr(self, key) is not None and self.kind is not kind:
                raise ValueError(f"{key} needs kind: {kind} (kind is {self.kind})")
        if self.choice_fields and self.choices is not None:
            raise ValueError("choices and choice_fields both give the options: leave one of them out")
        if self.choice_fields and not 2 <= len(set(self.choice_fields)) == len(self.choice_fields) <= 26:
            raise ValueError("choice_fields must be 2 to 26 different fields")
        if isinstance(self.choices, tuple) and not 2 <= len(self.choices) <= 26:
            raise ValueError(
                "choices, when listed here, must be 2 to 26 texts; to name a field, give its name alone, not a list"
            )
        if isinstance(self.choices, tuple) and not all(choice.strip() for choice in self.choices):
            raise ValueError("choices contains an empty text")
        if self.question in ("", ()):
            raise ValueError("question names the field that has the question")
        return self


class TaskSection(Section):
    """What is taught: where its questions come from, and which of them are for training, validation and test."""

    name: str = Field(
        default="coin_flip",
        description=("The task: one of the table in [tasks.md](tasks.md), or a name of your own, which needs `form`."),
    )
    source: Literal["generated", "file", "hub"] = Field(
        default="generated",
        description=(
            "Where questions come from: `generated` makes them from the seed, `file` reads `path`, "
            "`hub` loads a Hugging Face dataset."
        ),
    )
    path: Path | None = Field(default=None, description="For source `file`: the file, or a folder of files.")
    test_path: Path | None = Field(
        default=None, description="For source `file`: the file or folder of the test questions, where they stand apart."
    )
    hub_id: str | None = Field(
        default=None,
        description="For source `hub`: another dataset than the task's own, by its id or as a local folder.",
    )
    hub_config: str | None = Field(
        default=None, description="For source `hub`: the configuration of the dataset to load."
    )
    form: FormSection | None = Field(
        default=None,
        description=(
            "How a row states a question. Needed for a task that is not in the table, and for a copy "
            "whose fields have other names."
        ),
    )
    split: Literal["default", "template"] = Field(
        default="default",
        description=(
            "How questions are divided into train and test. `default` is the source's own split, or "
            "else paper B's; `template` keeps questions of one template together."
        ),
    )
    splits: Path | None = Field(
        default=None,
        description=('A JSON file that divides the rows instead: `{"train": [...], "test": [...]}`, positions from 0.'),
    )
    shots: PositiveInt | None = Field(
        default=None,
        description=(
            "Learn from this many training questions, chosen as paper B chooses its subsets. Not with `train`."
        ),
    )
    repeated: Literal["once", "keep"] = Field(
        default="once",
        description=(
            "A test question that the set repeats counts once, or (`keep`) as often as it is there, as "
            "in paper B's table."
        ),
    )
    near_test: Literal["leave_out", "keep"] = Field(
        default="leave_out",
        description=(
            "Of a task of your own: a training question that is a test question but for a few words (the same numbers, "
            "the same answer) leaves train and is listed, or (`keep`) is learnt from."
        ),
    )
    train: PositiveInt | None = Field(
        default=None,
        description=("Use at most this many training questions. Default: all; of a generated task 1000."),
    )
    validation: PositiveInt | None = Field(
        default=None,
        description=(
            "How many validation questions are cut from train. Default: a tenth of train. Of a generated task they are "
            "made beside it, by default 200."
        ),
    )
    test: PositiveInt | None = Field(
        default=None,
        description="Use at most this many test questions. Default: all; of a generated task 300.",
    )

    @model_serializer(mode="wrap")
    def _without_near_test_unless_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A run's identity is that of a recipe written before there was this key."""
        content: dict[str, Any] = handler(self)
        return content if self.near_test == "keep" else {k: v for k, v in content.items() if k != "near_test"}

    @model_validator(mode="after")
    def _source_has_its_place(self) -> TaskSection:
        if self.source == "file" and self.path is None and self.test_path is None:
            raise ValueError("source: file needs path, the task's published file or the folder that holds it")
        if self.source == "generated":
            keys = ("path", "test_path", "splits", "form", "shots", "split", "repeated", "near_test")
            given = [key for key in keys if getattr(self, key) != TaskSection.model_fields[key].default]
            if given:
                raise ValueError(f"source: generated does not take {given[0]}; use source: file for published data")
        if self.source != "file" and self.test_path is not None:
            raise ValueError("test_path needs source: file")
        if self.source != "hub" and (self.hub_id is not None or self.hub_config is not None):
            raise ValueError("hub_id needs source: hub, and so does hub_config")
        if self.splits is not None and (self.split == "template" or self.test_path is not None):
            raise ValueError("splits is a split of its own: leave split and test_path out")
        if self.shots is not None and self.train is not None:
            raise ValueError("shots and train both limit the training questions: give one of them")
        return self
