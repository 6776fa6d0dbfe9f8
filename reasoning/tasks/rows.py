"""Forms: how a row of a file or a hub dataset states a question, its options and its answer.

Owns: the one way in which rows are read, the twelve tasks' and a user's own alike: by the names of their fields.

Invariants
- A row becomes a question with an answer, or a `ValueError` says what is wrong with it; nothing else is raised.
- Options are worded "Answer Choices: (A) ... (B) ..." behind the question, as Kojima et al. (2205.11916) do.
- An answer is read by the rules of its kind, and refused where it could be two things.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.numbers import number_text
from reasoning.grading.kinds import KINDS, AnswerRules
from reasoning.grading.options import LETTERS, OPTIONS_HEADING, AnswerAs, RowOptions, given
from reasoning.records import AnswerKind
from reasoning.tasks.data_files.source_row import DataRow

SHUFFLES = 3  # Kojima et al. shuffle a row's options three times over

_SHOWN_LETTER = re.compile(r"(?<!\S)\(([A-Z])\)\s")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Stated:
    """A question as it is asked, its answer, and the texts of its options. `stem` is the question without them."""

    question: str
    answer: str
    choices: tuple[str, ...] = ()
    stem: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of a row's fields; `a.b` is field b of the object a.

    `question`: its parts are joined by a space. `choices`: a list of texts (with or without "A)" before each), a list
    of {label, text}, {label: [...], text: [...]}, {letter: text}, or {text: score}; `same_choices` are those of every
    row. Of a choice without either, the options stand in the question. `answer`: see `answer_as`; what stands before
    the last `answer_after` does not count, a list of one is that one, and scores name the option that has 1.

    The rest is how published sets want to be read: `ending` follows the question, `dressed` is a mirror's "Q: ... A:",
    `one_line` joins paragraphs, `spaced_brackets` puts spaces around brackets in options."""

    question: tuple[str, ...]
    answer: str
    choices: str | None = None
    same_choices: tuple[str, ...] = ()
    answer_as: AnswerAs | None = None
    answer_after: str = ""
    ending: str = ""
    dressed: bool = False
    one_line: bool = False
    spaced_brackets: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.question, self.answer, *([self.choices] if self.choices else []))

    def are_in(self, row: DataRow) -> bool:
        return all(_has(row, name) for name in self.names)

    def read(self, row: DataRow, kind: AnswerKind, shuffle: random.Random | None = None) -> Stated:
        """The question of `row`. `shuffle` puts its options in another order, in which letters are given anew."""
        stem = " ".join(_text(_at(row, name), name) for name in self.question)
        if self.dressed:
            stem = stem.strip().removeprefix("Q:").removesuffix("A:")
        stem = (_SPACES.sub(" ", stem) if self.one_line else stem).strip()
        if not stem:
            raise ValueError("its question is empty")
        if self.ending:
            stem = f"{stem} {self.ending}"
        answer = self._answer(_at(row, self.answer))
        rules = KINDS[kind]
        if rules.has_options:
            return self._with_options(row, stem, answer, rules, shuffle)
        return Stated(stem, rules.gold_in_row(answer), (), stem)

    def _answer(self, value: Any) -> Any:
        if self.answer_after and isinstance(value, str):
            _, found, value = value.rpartition(self.answer_after)
            if not found:
                raise ValueError(f"its answer has no {self.answer_after!r} before the final answer")
        if isinstance(value, str) and not value.strip():
            raise ValueError("its answer is empty")
        return value

    def _with_options(
        self, row: DataRow, stem: str, answer: Any, rules: AnswerRules, shuffle: random.Random | None
    ) -> Stated:
        if self.choices is None and not self.same_choices:
            bare, options = _options_in(stem)
            letter = rules.gold_in_row(answer, RowOptions(LETTERS, options, self.answer_as))
            return Stated(stem, letter, _texts(options), bare)
        labels, options = _options(_at(row, self.choices)) if self.choices else (LETTERS, self.same_choices)
        right = LETTERS.index(rules.gold_in_row(answer, RowOptions(labels, options, self.answer_as)))
        if self.spaced_brackets:
            options = tuple(_SPACES.sub(" ", o.replace("(", " (").replace(")", ") ")).strip() for o in options)
        order = list(range(len(options)))
        if shuffle is not None:
            for _ in range(SHUFFLES):
                shuffle.shuffle(order)
        options = tuple(options[i] for i in order)
        shown = " ".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
        return Stated(f"{stem} {OPTIONS_HEADING} {shown}", LETTERS[order.index(right)], _texts(options), stem)


def read_row(row: DataRow, forms: tuple[Fields, ...], kind: AnswerKind, shuffle: random.Random | None = None) -> Stated:
    """The question of `row` by the first of `forms` whose fields it has. Raises `ValueError`."""
    for fields in forms:
        if fields.are_in(row):
            return fields.read(row, kind, shuffle)
    wanted = ", or ".join(" and ".join(repr(name) for name in fields.names) for fields in forms)
    raise ValueError(f"it lacks the fields {wanted}; it has only {', '.join(map(repr, row))[:200] or 'none'}")


# Fields -------------------------------------------------------------------------------------------------------------


def _at(row: DataRow, name: str) -> Any:
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    return _at(row[head], rest)


def _has(row: Any, name: str) -> bool:
    if not isinstance(row, Mapping):
        return False
    head, dot, rest = name.partition(".")
    return name in row or (bool(dot) and _has(row.get(head), rest))


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"its {name!r} is not a text but {type(value).__name__}")
    return value


# Options ------------------------------------------------------------------------------------------------------------


def _options(value: Any) -> tuple[Any, tuple[str, ...]]:
    """The labels and the texts of a row's options."""
    labels, texts = _labels_and_texts(value)
    options = tuple(_option_text(text) for text in texts)
    if not 2 <= len(options) <= len(LETTERS) or len(labels) < len(options):
        raise ValueError(f"a question has 2 to {len(LETTERS)} options, each with a text, this has {len(options)}")
    marks = [re.match(rf"\s*\(?{letter}[).:]", option) for letter, option in zip(LETTERS, options, strict=False)]
    if all(marks):
        options = tuple(_option_text(option[mark.end() :]) for option, mark in zip(options, marks, strict=True) if mark)
    return labels, options


def _labels_and_texts(value: Any) -> tuple[Any, list[Any]]:
    if isinstance(value, Mapping):
        if isinstance(value.get("text"), list) and isinstance(value.get("label"), list):
            return value["label"], value["text"]
        value = given(value)
        if value and all(isinstance(text, str) for text in value.values()):
            return list(value), list(value.values())
        return LETTERS, list(value)  # {text: score}
    if isinstance(value, list | tuple):
        if value and all(isinstance(option, Mapping) and {"label", "text"} <= option.keys() for option in value):
            return [option["label"] for option in value], [option["text"] for option in value]
        return LETTERS, list(value)
    raise ValueError(f"its options are not a list but {type(value).__name__}")


def _option_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"one of its options is not a text but {type(value).__name__}")
    text = (value if isinstance(value, str) else number_text(value)).strip()
    if not text:
        raise ValueError("one of its options is empty")
    return text


def _texts(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(option.rstrip(" .") or option for option in options)


def _options_in(question: str) -> tuple[str, tuple[str, ...]]:
    """The question before its options, and the options that stand in it as (A) ... (B) ...; an option may name others
    that came before it."""
    behind = question.rfind(OPTIONS_HEADING)
    found = list(_SHOWN_LETTER.finditer(question + " ", max(behind, 0)))
    marks: list[re.Match[str]] = []
    for mark in found:
        if mark[1] == LETTERS[len(marks)]:
            marks.append(mark)
        elif mark[1] > LETTERS[len(marks)]:
            break
    else:
        if len(marks) >= 2:
            ends = [*(mark.start() for mark in marks[1:]), len(question)]
            options = tuple(_option_text(question[mark.end() : end]) for mark, end in zip(marks, ends, strict=True))
            return question[: behind if behind >= 0 else marks[0].start()].strip(), options
    letters = ", ".join(mark[1] for mark in found) or "none"
    raise ValueError(
        f"its question does not list its options as (A) ... (B) ... (found: {letters}); look for an "
        "unpaired bracket, or name the field that has them with form.choices"
    )
