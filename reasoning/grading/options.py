"""Options of multiple-choice questions: their letters, those that a question states, and which one a text names.

Owns: the alphabet of options, the heading before them, and how their texts are compared with what somebody says.

Invariants
- Options are lettered from A in the order in which they stand; there are at most 26.
- A text names an option only if it names no other one: the longest of those that hold one another, or the only one of
  its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPTIONS_HEADING = "Answer Choices:"

AnswerAs = Literal["letter", "index", "position", "text"]

_LONGEST_TEXT = 400  # characters of an option's text that are looked for

_TOKEN = re.compile(r"(?:(?<![\w)])-)?[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+|[^\W\d_]+|[^\s\w.,;:!?'\"`*(){}\[\]$]")
_NUMERIC = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ARTICLES = frozenset(("a", "an", "the"))
_DENIED = re.compile(r"\bnot\b[^,.;]*")


@dataclass(frozen=True, slots=True)
class RowOptions:
    """The options of a row of data: their `labels` and `texts` in order, and what its answer is where that could be two
    things (None: not said)."""

    labels: Sequence[Any] = ()
    texts: tuple[str, ...] = ()
    answer_as: AnswerAs | None = None


NO_OPTIONS = RowOptions()


def given(options: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The `options` of a row without those of other rows, which a table of one schema has in every row, as null."""
    return {key: value for key, value in options.items() if value is not None}


# Which option a text names ------------------------------------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    """Words in lower case without articles, numbers without commas and leading zeros, and signs that are no dress."""
    text = text.replace("−", "-").replace("–", "-")
    return [_token(token) for token in _TOKEN.findall(text) if token.lower() not in _ARTICLES]


def _token(token: str) -> str:
    if token[-1].isdigit() and token.isascii():
        sign = "-" if token[0] == "-" else ""
        whole, point, decimals = token.lstrip("-").replace(",", "").partition(".")
        return f"{sign}{whole.lstrip('0') or '0'}{point}{decimals}"
    return token.rstrip(",").lower()


@lru_cache(maxsize=4096)
def _options(choices: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """Of each option its letter, its text as it is looked for, and its number ("" for none or several)."""
    rows = []
    for letter, choice in zip(LETTERS, choices, strict=False):
        tokens = _tokens(choice[:_LONGEST_TEXT])
        numbers = [token for token in tokens if _NUMERIC.fullmatch(token)]
        rows.append((letter, f" {' '.join(tokens)} ", numbers[0] if len(numbers) == 1 else ""))
    return tuple(rows)


def named_option(said: str, choices: tuple[str, ...]) -> str:
    """The letter of the one option whose text, or else whose number, is named; "" when none or several are."""
    if not choices:
        return ""
    return _named_in(said, choices) or _named_in(_DENIED.sub("", said), choices)


def _named_in(said: str, choices: tuple[str, ...]) -> str:
    tokens = _tokens(said)
    words = f" {' '.join(tokens)} "
    options = _options(choices)
    held = [(text, letter) for letter, text, _ in options if text.strip() and text in words]
    if held:
        longest, letter = max(held, key=lambda option: len(option[0]))
        alone = sum(text == longest for text, _ in held) == 1 and all(text in longest for text, _ in held)
        return letter if alone else ""
    numbers = {token for token in tokens if _NUMERIC.fullmatch(token)}
    same = [letter for letter, _, number in options if number in numbers]
    return same[0] if len(numbers) == 1 and len(same) == 1 else ""


def options_within(text: str, choices: tuple[str, ...]) -> Iterator[str]:
    """The letters of all options whose text stands somewhere in `text`."""
    words = f" {' '.join(_tokens(text))} "
    for letter, option, _ in _options(choices):
        if option.strip() and option in words:
            yield letter


# The options that a question states ---------------------------------------------------------------------------------


class OptionsError(ValueError):
    """The options of a question cannot be told apart; the message says which."""


_STYLES = tuple(
    (style, letters) for style in (r"\(\s*{}\s*\)", r"(?<![\w(]){}\)") for letters in (LETTERS, LETTERS.lower())
)


def stated_choices(question: str) -> tuple[str, ...]:
    """The texts of the options that `question` states after "Answer Choices:", in order: "(A) ... (B) ...", "(a) ..."
    or "A) ...". () when it states none. Errors: `OptionsError` when an option's bracket is unpaired or a letter is left
    out."""
    _, heading, stated = question.rpartition(OPTIONS_HEADING)
    if not heading:
        return ()
    for style, letters in _STYLES:
        marks = _marks(stated, style, letters)
        if marks:
            break
    else:
        return ()
    _check_next(stated[marks[-1].end() :], style, letters[len(marks) : len(marks) + 2])
    ends = [mark.start() for mark in marks[1:]] + [len(stated)]
    return tuple(stated[mark.end() : end].strip(" .\n\t") for mark, end in zip(marks, ends, strict=True))


def _marks(stated: str, style: str, letters: str) -> list[re.Match[str]]:
    marks: list[re.Match[str]] = []
    for letter in letters:
        found = re.compile(style.format(letter)).search(stated, marks[-1].end() if marks else 0)
        if found is None:
            break
        marks.append(found)
    return marks


def _check_next(rest: str, style: str, letters: str) -> None:
    """That `rest`, the text of the last option found, holds no broken mark of one of the next two `letters`."""
    for letter in letters:
        if re.search(rf"\(\s*{letter}\s+[^\s)]|(?<![\w(]){letter}\)\s", rest):
            raise OptionsError(f"the bracket of option ({letter}) is unpaired")
    if len(letters) == 2 and re.search(style.format(letters[1]), rest):
        raise OptionsError(f"option ({letters[1]}) follows, but there is no option ({letters[0]})")
