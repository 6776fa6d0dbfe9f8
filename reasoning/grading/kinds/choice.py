"""An option: its letter in any dress, or its text where no letter is given. Normal form: a capital letter.

Owns: which option a statement names, and which one the answer of a row of data is.

Invariants
- A letter outranks a text. A capital inside a word is no letter, nor is the article "A", nor an option that is denied.
- An answer in a row that could be two options is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.kinds.alternatives import alternatives
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.options import LETTERS, NO_OPTIONS, RowOptions, given, named_option, options_within

_NO_CHOICES_KNOWN = 10

_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")


@dataclass(frozen=True, slots=True)
class Choice(AnswerRules):
    """The letter of one of the options of a multiple-choice question."""

    description = "an option's capital letter"
    has_options = True

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        patterns = _patterns(len(choices))
        found = patterns.leading.match(said)
        if found and len(said) - found.end() < 3:  # nothing after it that could take it back
            return FoundAnswer((found[1] or found[2]).upper(), how)
        corrected = settled(said)
        found_answer = _of_line(first_line(corrected), choices, patterns, how)
        if found_answer is None and corrected is not said:
            return _of_line(first_line(said), choices, patterns, how)
        return found_answer

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """Without an anchor: the last letter in brackets; else what the last sentence names."""
        patterns = _patterns(len(choices))
        found = patterns.reversed.search(text[::-1])
        if found and not _is_denied(text, len(text) - found.end()):
            return FoundAnswer(found[1].upper(), How.LAST_CANDIDATE)
        sentence = _last_sentence(text)
        lone = patterns.lone.findall(sentence)
        if len(lone) == 1 and sentence.rstrip(" .*!").endswith(lone[0]):
            return FoundAnswer(lone[0], How.LAST_CANDIDATE)
        option = named_option(sentence, choices)
        return FoundAnswer(option, How.LAST_CANDIDATE) if option else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        patterns = _patterns(len(choices))
        for pattern in (patterns.bracketed, patterns.lone):
            for found in pattern.finditer(text):
                yield found[1].upper()
        yield from options_within(text, choices)

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        found = _patterns(len(choices)).leading.match(line)
        return found is not None and not line[found.end() :].strip(" .)]*:!_\r")

    def normal(self, answer: str) -> str:
        letter = answer[:LONGEST_ANSWER].strip(" ().").upper()
        return letter if len(letter) == 1 and letter in LETTERS else ""

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return len(answer) == 1 and answer in LETTERS[: len(choices)]

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        return self.golds_in_row(value, options)[0]

    def golds_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> tuple[str, ...]:
        found = [LETTERS[position] for position in _positions(value, options)]
        if len(found) == len(options.texts):
            raise ValueError("all of its options are right")
        return tuple(found)

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        there = LETTERS[: max(2, len(choices))]
        return there[(there.find(answer) + 1) % len(there)]

    def in_a_sentence(self, answer: str, choices: tuple[str, ...]) -> str:
        """An option by its text and its letter, small and in brackets, as paper A names it."""
        index = LETTERS.find(answer) if len(answer) == 1 else -1
        return f"{choices[index].rstrip('.')} ({answer.lower()})" if 0 <= index < len(choices) else answer


# Letters ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Patterns:
    """`leading`: a letter that begins a statement: B, b), **B** -- but not the article of "A ball". `bracketed`: (B),
    ( b ). `lone`: a capital by itself anywhere."""

    leading: re.Pattern[str]
    bracketed: re.Pattern[str]
    lone: re.Pattern[str]
    several: re.Pattern[str]  # what follows the first of several: "A, B or C", "A and B"
    reversed: re.Pattern[str]  # `bracketed` in a text read from its end


@lru_cache(maxsize=32)
def _patterns(count: int) -> _Patterns:
    last = LETTERS[min(count or _NO_CHOICES_KNOWN, len(LETTERS)) - 1]
    small = last.lower()
    reason = r"(?:because|since|as|is|and|by|for|which)\b|[-–—=:,(]"
    article = rf"(?!A\s+(?!{reason})\w)"
    return _Patterns(
        leading=re.compile(
            rf"(?:[\W_]*(?i:option|choice|letter|answer)\b)?[\W_]*(?:([A-{last}a-{small}])(?=[\W_]*\Z|\s*[).\]:,*_}}])|{article}([A-{last}])(?=\s))"
        ),
        bracketed=re.compile(rf"[(\[]\s*([A-{last}a-{small}])\s*[)\]]"),
        reversed=re.compile(rf"[)\]]\s*([A-{last}a-{small}])\s*[(\[]"),
        several=re.compile(
            rf"[)\]*]*\s*(?:,|or|and|/|&)\s*(?:(?:or|and)\s+)?[(\[*]*(?!A\s[a-z])[A-{last}](?![\w'’]|\s(?:is|was|being)\b)"
        ),
        lone=re.compile(rf"(?<![\w'’(\[])(?!A\s+[a-z])([A-{last}])(?![\w'’)\]])"),
    )


def _of_line(line: str, choices: tuple[str, ...], patterns: _Patterns, how: How) -> FoundAnswer | None:
    if "\\" in line:
        line = plain(line)
    found = patterns.leading.match(line)
    if found:
        if patterns.several.match(line, found.end()):
            return NO_ANSWER
        return FoundAnswer((found[1] or found[2]).upper(), how)
    for pattern in (patterns.bracketed, patterns.lone):
        for found in pattern.finditer(line):
            if not _is_denied(line, found.start()):
                if pattern is patterns.lone and (option := named_option(line, choices)):
                    return FoundAnswer(option, How.OPTION_TEXT)
                return FoundAnswer(found[1].upper(), how)
    option = named_option(line, choices)
    return FoundAnswer(option, How.OPTION_TEXT) if option else None


def _is_denied(line: str, start: int) -> bool:
    words = line[max(0, start - 20) : start].lower().replace("option", "").replace("choice", "").split()
    return bool(words) and words[-1] in ("not", "isn't", "isn’t")


def _last_sentence(text: str) -> str:
    tail = text[-LONGEST_ANSWER:].rstrip()
    ends = [found.end() for found in _SENTENCE_END.finditer(tail) if found.end() < len(tail)]
    return tail[ends[-1] :] if ends else tail


# The answer of a row ------------------------------------------------------------------------------------------------


def _position(answer: Any, options: RowOptions) -> int:
    """Which option the answer is, counted from 0."""
    labels, texts, answer_as = options.labels, options.texts, options.answer_as
    if isinstance(answer, float) and answer.is_integer():  # a column of integers with gaps
        answer = int(answer)
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        raise ValueError(f"its answer is not a letter, index or text but {type(answer).__name__}")
    text = str(answer).strip()
    bare = text.strip("() .").lower()
    readings = {
        "letter": [i for i, label in zip(range(len(texts)), labels, strict=False) if str(label).lower() == bare],
        "index": [i for i in range(len(texts)) if text == str(i)],
        "position": [i for i in range(len(texts)) if text == str(i + 1)],
        "text": [i for i, option in enumerate(texts) if option == text],
    }
    if answer_as is None:
        readings["position"] = []  # counted from 1 only if the recipe says so
        if isinstance(answer, str):
            readings["index"] = []  # a text is read as an index only if the recipe asks for it
    found = {i for way, positions in readings.items() if answer_as in (None, way) for i in positions}
    if not found:
        counted = "; where it counts options, set form.answer_as: index (from 0) or position (from 1)"
        hint = counted if text.isdecimal() and answer_as is None else ""
        raise ValueError(f"its answer {text[:40]!r} is not among its {len(texts)} options{hint}")
    if len(found) > 1:
        several = " or ".join(f"({LETTERS[i]})" for i in sorted(found))
        raise ValueError(
            f"its answer {text[:40]!r} can be {several}; say which with form.answer_as: letter, index, position, text"
        )
    return found.pop()


def _positions(value: Any, options: RowOptions) -> list[int]:
    """The options that are right, each once: by their scores, or by one or several answers."""
    scores = _scores(value, len(options.texts))
    if scores is not None:
        if 1 not in scores:
            raise ValueError("its scores must give an option 1 and the others 0")
        return [i for i, score in enumerate(scores) if score == 1]
    return list(dict.fromkeys(_position(answer, options) for answer in alternatives(value)))


def _scores(value: Any, count: int) -> list[Any] | None:
    """Of each option 1 or 0; None where `value` is something else. Raises `ValueError` for scores that are others."""
    if isinstance(value, Mapping) and not any(isinstance(one, str | list) for one in value.values()):
        found = list(given(value).values())
        if len(found) == count and all(score in (0, 1) for score in found):
            return found
        raise ValueError("its scores must give an option 1 and the others 0")
    if isinstance(value, list) and len(value) == count and all(score in (0, 1) for score in value):
        return value
    return None
