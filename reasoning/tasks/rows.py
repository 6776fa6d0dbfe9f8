"""Forms: how a row of a file or a hub dataset states a question, its options and its answer.

Owns: the one way in which rows are read, the twelve tasks' and a user's own alike: by the names of their fields.

Invariants
- A row becomes a question with an answer, or a `ValueError` says what is wrong with it; nothing else is raised.
- Options are worded "Answer Choices: (A) ... (B) ..." behind the question, as Kojima et al. (2205.11916) do.
- An answer that could be two things (a letter and another option's text) is refused, not guessed.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from reasoning.records import AnswerKind

Row = Mapping[str, Any]
AnswerAs = Literal["letter", "index", "text"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHOICES_HEADING = "Answer Choices:"
SHUFFLES = 3  # Kojima et al. shuffle a row's options three times over

_NUMBER = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?")
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

    def are_in(self, row: Row) -> bool:
        return all(_has(row, name) for name in self.names)

    def read(self, row: Row, kind: AnswerKind, shuffle: random.Random | None = None) -> Stated:
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
        if kind is AnswerKind.CHOICE:
            return self._choice(row, stem, answer, shuffle)
        return Stated(stem, _ANSWERS[kind](answer), (), stem)

    def _answer(self, value: Any) -> Any:
        if self.answer_after and isinstance(value, str):
            _, found, value = value.rpartition(self.answer_after)
            if not found:
                raise ValueError(f"its answer has no {self.answer_after!r} before the final answer")
        if isinstance(value, str) and not value.strip():
            raise ValueError("its answer is empty")
        return value

    def _choice(self, row: Row, stem: str, answer: Any, shuffle: random.Random | None) -> Stated:
        if self.choices is None and not self.same_choices:
            bare, options = _options_in(stem)
            letter = LETTERS[_position(answer, LETTERS, options, self.answer_as)]
            return Stated(stem, letter, _texts(options), bare)
        labels, options = _options(_at(row, self.choices)) if self.choices else (LETTERS, self.same_choices)
        right = _position(answer, labels, options, self.answer_as)
        if self.spaced_brackets:
            options = tuple(_SPACES.sub(" ", o.replace("(", " (").replace(")", ") ")).strip() for o in options)
        order = list(range(len(options)))
        if shuffle is not None:
            for _ in range(SHUFFLES):
                shuffle.shuffle(order)
        options = tuple(options[i] for i in order)
        shown = " ".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
        return Stated(f"{stem} {CHOICES_HEADING} {shown}", LETTERS[order.index(right)], _texts(options), stem)


def read_row(row: Row, forms: tuple[Fields, ...], kind: AnswerKind, shuffle: random.Random | None = None) -> Stated:
    """The question of `row` by the first of `forms` whose fields it has. Raises `ValueError`."""
    for fields in forms:
        if fields.are_in(row):
            return fields.read(row, kind, shuffle)
    wanted = ", or ".join(" and ".join(repr(name) for name in fields.names) for fields in forms)
    raise ValueError(f"it has not the fields {wanted}, only {', '.join(map(repr, row))[:200] or 'none'}")


# Fields -------------------------------------------------------------------------------------------------------------


def _at(row: Row, name: str) -> Any:
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
        raise ValueError(f"its {name!r} is no text but {type(value).__name__}")
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
        value = _given(value)
        if value and all(isinstance(text, str) for text in value.values()):
            return list(value), list(value.values())
        return LETTERS, list(value)  # {text: score}
    if isinstance(value, list | tuple):
        if value and all(isinstance(option, Mapping) and {"label", "text"} <= option.keys() for option in value):
            return [option["label"] for option in value], [option["text"] for option in value]
        return LETTERS, list(value)
    raise ValueError(f"its options are no list but {type(value).__name__}")


def _given(options: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """`options` without those of other rows, which a table of one schema has in every row, as null."""
    return {key: value for key, value in options.items() if value is not None}


def _option_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"one of its options is no text but {type(value).__name__}")
    text = (value if isinstance(value, str) else _number_text(value)).strip()
    if not text:
        raise ValueError("one of its options is empty")
    return text


def _texts(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(option.rstrip(" .") or option for option in options)


def _options_in(question: str) -> tuple[str, tuple[str, ...]]:
    """The question before its options, and the options that stand in it as (A) ... (B) ...; an option may name others
    that came before it."""
    behind = question.rfind(CHOICES_HEADING)
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
        f"its options do not stand in the question as (A) ... (B) ... (found: {letters}); look for an "
        "unpaired bracket, or name the field that has them with form.choices"
    )


def _position(answer: Any, labels: Any, options: tuple[str, ...], answer_as: AnswerAs | None) -> int:
    """Which option the answer is, counted from 0."""
    if isinstance(answer, Mapping | list):
        return _scored(answer, len(options))
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        raise ValueError(f"its answer is no letter, index or text but {type(answer).__name__}")
    text = str(answer).strip()
    bare = text.strip("() .").lower()
    readings = {
        "letter": [i for i, label in zip(range(len(options)), labels, strict=False) if str(label).lower() == bare],
        "index": [i for i in range(len(options)) if text == str(i)],
        "text": [i for i, option in enumerate(options) if option == text],
    }
    if answer_as is None and isinstance(answer, str):
        readings["index"] = []  # a text is no index unless the recipe says so
    found = {i for way, positions in readings.items() if answer_as in (None, way) for i in positions}
    if not found:
        raise ValueError(f"its answer {text[:40]!r} is not among its {len(options)} options")
    if len(found) > 1:
        several = " or ".join(f"({LETTERS[i]})" for i in sorted(found))
        raise ValueError(
            f"its answer {text[:40]!r} can be {several}; say which with form.answer_as: letter, index, text"
        )
    return found.pop()


def _scored(scores: Mapping[Any, Any] | list[Any], count: int) -> int:
    given = list(_given(scores).values()) if isinstance(scores, Mapping) else scores
    if len(given) != count or given.count(1) != 1 or given.count(0) != count - 1:
        raise ValueError("its scores must give one option 1 and the others 0")
    return given.index(1)


# Answers of the other kinds -----------------------------------------------------------------------------------------


def _number(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"its answer is no number but {type(value).__name__}")
    text = value.strip() if isinstance(value, str) else _number_text(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"its answer is no number: {text[:40]!r}")
    return text.replace(",", "").removesuffix(".0")


def _number_text(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a number that is none: {value}")
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _yes_no(value: Any) -> str:
    if isinstance(value, Mapping):
        right = [word for word, score in value.items() if score == 1]
        value = right[0] if len(right) == 1 else ""
    said = {"true": "yes", "false": "no"}
    word = str(value).strip(" .\n").lower() if isinstance(value, str | bool) else ""
    word = said.get(word, word)
    if word not in ("yes", "no"):
        raise ValueError(f"its answer {str(value)[:40]!r} is not yes or no")
    return word


def _free_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"its answer is no text but {type(value).__name__}")
    return value.strip() if isinstance(value, str) else _number_text(value)


_ANSWERS = {AnswerKind.NUMBER: _number, AnswerKind.YES_NO: _yes_no, AnswerKind.TEXT: _free_text}
