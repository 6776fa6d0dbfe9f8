"""Forms: how a row of a file or a hub dataset states a question, its options and its answer.

Owns: the one way in which rows are read, the twelve tasks' and a user's own alike: by the names of their fields.

Invariants
- A row becomes a question with an answer, or a `ValueError` says what is wrong with it; nothing else is raised.
- Options are worded "Answer Choices: (A) ... (B) ..." behind the question, as Kojima et al. (2205.11916) do.
- An answer is read by the rules of its kind, and refused where it could be two things. Several right answers are one
  answer that is taught and its aliases.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reasoning.grading.answers import find_answer
from reasoning.grading.extraction.anchors import anchored, lowered
from reasoning.grading.extraction.found_answer import NO_ANSWER, FoundAnswer, How, first_line
from reasoning.grading.kinds import AnswerRules, Kind, rules_of
from reasoning.grading.options import LETTERS, NO_OPTIONS, OPTIONS_HEADING, AnswerAs, RowOptions
from reasoning.tasks.conversations import ROLES, answered, asked, said_by, turns_of
from reasoning.tasks.data_files.source_row import DataRow
from reasoning.tasks.field_words import may_be_missing
from reasoning.tasks.row_options import option_text, options_in, options_of_fields, right_options

SHUFFLES = 3  # Kojima et al. shuffle a row's options three times over

_SHOWN_STYLES = tuple(
    re.compile(style, re.MULTILINE)
    for style in (
        r"(?<!\S)\(([A-Z])\)\s",
        r"(?<!\S)\(([a-z])\)\s",
        r"^[ \t]*\**([A-Z])\**[.):．、：]\**[ \t]*(?=\S)",
        r"^[ \t]*([a-z])[.)][ \t]+(?=\S)",
        r"(?<!\S)([A-Z])\)\s",
        r"(?<!\S)([a-z])\)\s",
    )
)
_SPACES = re.compile(r"\s+")
_WORDED_BOX = re.compile(r"\\(?:text(?:bf|it|rm)?|mathrm|mbox)\s*\{([^{}]*)\}")  # what \boxed{\text{...}} holds


@dataclass(frozen=True, slots=True)
class Stated:
    """A question as it is asked, its answer, and the texts of its options. `stem` is the question without them;
    `aliases` are other answers that are right."""

    question: str
    answer: str
    choices: tuple[str, ...] = ()
    stem: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of a row's fields; `a.b` is field b of the object a, or of each object in the list a.

    `question`: its parts are joined by a space. `choices`: a list of texts (with or without "A)" before each), a list
    of {label, text}, {label: [...], text: [...]}, {letter: text}, or {text: score}; `choice_fields` hold an option
    each; `same_choices` are those of every row. Of a choice without any, the options stand in the question. `answer`:
    see `answer_as`; what stands before the last `answer_after` does not count, a list has several right answers, and
    scores name the options that have 1. Of a conversation the question is what the user says, the answer what the
    assistant says; `field.system` is what stands before both.

    The rest is how published sets want to be read: `ending` follows the question, `dressed` is a mirror's "Q: ... A:",
    `one_line` joins paragraphs, `spaced_brackets` puts spaces around brackets in options."""

    question: tuple[str, ...]
    answer: str
    choices: str | None = None
    choice_fields: tuple[str, ...] = ()
    same_choices: tuple[str, ...] = ()
    answer_as: AnswerAs | None = None
    answer_after: str = ""
    ending: str = ""
    dressed: bool = False
    one_line: bool = False
    spaced_brackets: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that every row must have. Of options in a field each, later ones may be missing."""
        return (*self.question, self.answer, *([self.choices] if self.choices else []), *self.choice_fields[:2])

    def are_in(self, row: DataRow) -> bool:
        return all(_has(row, name) for name in self.names)

    def read(self, row: DataRow, kind: Kind, shuffle: random.Random | None = None) -> Stated:
        """The question of `row`. `shuffle` puts its options in another order, in which letters are given anew."""
        parts = [(name, _at(row, name)) for name in self.question]
        if len(parts) > 1:
            parts = [(name, value) for name, value in parts if value is not None or not may_be_missing(name)]
        stem = " ".join(_question(value, name) for name, value in parts)
        if self.dressed:
            stem = stem.strip().removeprefix("Q:").removesuffix("A:")
        stem = (_SPACES.sub(" ", stem) if self.one_line else stem).strip()
        if not stem:
            raise ValueError("its question is empty")
        if self.ending:
            stem = f"{stem} {self.ending}"
        rules = rules_of(kind)
        value, said = _answer(_at(row, self.answer))
        answer = [self._after(one) for one in value if one != ""] if isinstance(value, list) else self._after(value)
        if rules.has_options:
            return self._with_options(row, stem, answer, rules, shuffle, said)
        golds = golds_in(answer, rules, NO_OPTIONS, said)
        return Stated(stem, golds[0], (), stem, golds[1:])

    def _after(self, value: Any) -> Any:
        if self.answer_after and isinstance(value, str):
            _, found, value = value.rpartition(self.answer_after)
            value = value.lstrip(" :")
            if not found:
                raise ValueError(f"its answer has no {self.answer_after!r} before the final answer")
        if isinstance(value, str) and not value.strip():
            raise ValueError("its answer is empty")
        return value

    def _with_options(
        self, row: DataRow, stem: str, answer: Any, rules: AnswerRules, shuffle: random.Random | None, said: bool
    ) -> Stated:
        if self.choices is None and not self.choice_fields and not self.same_choices:
            bare, options = _options_in(stem)
            letters = golds_in(answer, rules, RowOptions(LETTERS, options, self.answer_as), said)
            return Stated(stem, letters[0], _texts(options), bare, letters[1:])
        labels, options = self.options(row)
        golds = golds_in(answer, rules, RowOptions(labels, options, self.answer_as), said)
        right = [LETTERS.index(gold) for gold in golds]
        if self.spaced_brackets:
            options = tuple(_SPACES.sub(" ", o.replace("(", " (").replace(")", ") ")).strip() for o in options)
        order = list(range(len(options)))
        if shuffle is not None:
            for _ in range(SHUFFLES):
                shuffle.shuffle(order)
        options = tuple(options[i] for i in order)
        shown = " ".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
        first, *others = (LETTERS[order.index(position)] for position in right)
        return Stated(f"{stem} {OPTIONS_HEADING} {shown}", first, _texts(options), stem, tuple(others))

    def options(self, row: DataRow) -> tuple[Any, tuple[str, ...]]:
        """The labels and the texts of `row`'s options. Raises `ValueError`."""
        if self.choices:
            return options_in(_at(row, self.choices))
        if self.choice_fields:
            there = [_at(row, name) if _has(row, name) else None for name in self.choice_fields]
            return options_of_fields(self.choice_fields, there)
        return LETTERS, self.same_choices


def read_row(row: DataRow, forms: tuple[Fields, ...], kind: Kind, shuffle: random.Random | None = None) -> Stated:
    """The question of `row` by the first of `forms` whose fields it has. Raises `ValueError`."""
    for fields in forms:
        if fields.are_in(row):
            return fields.read(row, kind, shuffle)
    missing = [[repr(name) for name in fields.names if not _has(row, name)] for fields in forms]
    what = "field" if all(len(names) == 1 for names in missing) else "fields"
    wanted = ", or ".join(" and ".join(names) for names in missing)
    raise ValueError(f"it lacks the {what} {wanted}; it has only {', '.join(map(repr, row))[:200] or 'none'}")


# Fields -------------------------------------------------------------------------------------------------------------


def _at(row: DataRow, name: str) -> Any:
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    turns = turns_of(row[head]) if rest in ROLES else None
    if turns is None and isinstance(row[head], list):
        return [_at(one, rest) for one in row[head]]
    return said_by(turns, rest) if turns is not None else _at(row[head], rest)


def _has(row: Any, name: str) -> bool:
    if not isinstance(row, Mapping):
        return False
    head, dot, rest = name.partition(".")
    inner = row.get(head)
    try:
        if rest in ROLES and turns_of(inner) is not None:
            return True
    except ValueError:
        return True  # it is there, and what is wrong with it is said when it is read
    several = inner if isinstance(inner, list) and inner else [inner]
    return name in row or (bool(dot) and all(_has(one, rest) for one in several))


def _question(value: Any, name: str) -> str:
    turns = turns_of(value)
    if turns is not None:
        return asked(turns)
    if not isinstance(value, str):
        raise ValueError(f"its {name!r} is {'missing' if value is None else f'not a text but {type(value).__name__}'}")
    return value


def _answer(value: Any) -> tuple[Any, bool]:
    """A row's answer, and whether it may be a whole solution: what an assistant said, or a text with its box."""
    turns = turns_of(value)
    if turns is not None:
        return answered(turns), True
    right = right_options(value)
    return (value, isinstance(value, str) and "\\boxed{" in value) if right is None else (right, False)


def golds_in(answer: Any, rules: AnswerRules, options: RowOptions, solved: bool) -> tuple[str, ...]:
    """The right answers. What is `solved` may be a whole solution, which some kinds take for one answer: its anchored
    answer is meant. Raises `ValueError`."""
    found = find_answer(answer, rules, options.texts) if solved else NO_ANSWER
    announced = found.answer and found.how not in (How.LAST_CANDIDATE, How.LEADING)
    try:
        golds = rules.golds_in_row(answer, options)
    except ValueError:
        if not announced:
            raise
        return (found.answer,)
    if announced and golds[0].split() == answer.split():
        return (_as_announced(answer, found, rules),)
    return golds


def _as_announced(solution: str, found: FoundAnswer, rules: AnswerRules) -> str:
    """The answer `found` in `solution` as it stands there: what is in its box, or its line or sentence."""
    said = next((said for _, said, how in anchored(solution, lowered(solution)) if how is found.how), "")
    if found.how is How.BOXED:
        worded = _WORDED_BOX.fullmatch(said.strip())
        return (worded[1] if worded else said).strip() or found.answer
    line = first_line(said)
    sentence = line.partition(". ")[0]
    for part in (line, sentence):
        if (written := rules.as_written(part, found.answer)) != found.answer:
            return written
    return rules.as_written(sentence, rules.normal(sentence)) if found.also else found.answer


# Options ------------------------------------------------------------------------------------------------------------


def _texts(options: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(option.rstrip(" .") or option for option in options)


def _options_in(question: str) -> tuple[str, tuple[str, ...]]:
    """The question before its options, and the options that stand in it: as (A) ... (B) ..., or else in lines A. ... or
    behind A) ..., with large or small letters. An option may name others that came before it."""
    behind = max(question.rfind(OPTIONS_HEADING), 0)
    for style in _SHOWN_STYLES:
        marks = _marks(list(style.finditer(question + " ", behind)))
        if len(marks) >= 2:
            ends = [*(mark.start() for mark in marks[1:]), len(question)]
            options = tuple(option_text(question[mark.end() : end]) for mark, end in zip(marks, ends, strict=True))
            return question[: behind or marks[0].start()].strip(), options
    letters = ", ".join(mark[1] for mark in _SHOWN_STYLES[0].finditer(question + " ", behind)) or "none"
    raise ValueError(
        f"its question does not list its options as (A) ... (B) ... (found: {letters}); look for an "
        "unpaired bracket, or name the field that has them with form.choices"
    )


def _marks(found: list[re.Match[str]]) -> list[re.Match[str]]:
    """Those of the letters `found` that go up from A; none where one is left out."""
    marks: list[re.Match[str]] = []
    for mark in found:
        if mark[1].upper() == LETTERS[len(marks)]:
            marks.append(mark)
        elif mark[1].upper() > LETTERS[len(marks)]:
            return []
    return marks
