"""An option: its letter in any dress, or its text where no letter is given. Normal form: a capital letter.

Owns: which option the answer of a row of data is. How a text chooses one is `reasoning.grading.lettered_options`.

Invariants
- A letter outranks a text.
- An answer in a row that could be two options is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.extraction.numerals import plain_numerals
from reasoning.grading.kinds.alternatives import alternatives
from reasoning.grading.kinds.options_of_people import option_of_person
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.lettered_options import (
    NO_CHOICES_KNOWN,
    leading_letter,
    letters_within,
    option_of_line,
    option_of_text,
)
from reasoning.grading.named_options import is_option_text, options_within
from reasoning.grading.options import LETTERS, NO_OPTIONS, RowOptions, given

_ALONE = re.compile(r"[\s(*]*([A-Z])[\s).*]*\Z")
_REFUSED = re.compile(r"[\s*-]*(?:❌|✗|✘|☐|\[ \])")
_NAMED_OPTION = re.compile(
    r"\A(?:option|choice|answer)[\s_\-]*(?=\w+\Z)"
)  # the answer of a row: "Option C", "option_2"
_DRESSED_OPTION = re.compile(r"\s*\(?(\w{1,3})\s*[).:]\s*(.+)\Z", re.DOTALL)  # the same with its text: "C) ink"


@dataclass(frozen=True, slots=True)
class Choice(AnswerRules):
    """The letter of one of the options of a multiple-choice question."""

    description = "an option's capital letter"
    has_options = True

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        alone = _ALONE.match(said)
        if alone and LETTERS.index(alone[1]) < (len(choices) or NO_CHOICES_KNOWN):
            return FoundAnswer(alone[1], how)
        leading = leading_letter(said, len(choices))
        if leading and len(leading[1]) < 3 and not leading[1].strip(" .)]*:!_\r\n"):
            return FoundAnswer(leading[0], how)
        if not said.isascii():
            said = plain_numerals(said)
        corrected = settled(said)
        found_answer = option_of_line(first_line(corrected), choices, how)
        if found_answer is None and corrected is not said:
            return option_of_line(first_line(said), choices, how)
        return found_answer

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        return option_of_text(plain_numerals(text), choices)

    def beside(self, question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """Of a text that gives each of several people an option, that of the one who is asked about."""
        return option_of_person(question, text, choices)

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        yield from letters_within(text, len(choices))
        yield from options_within(text, choices)

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        line = plain_numerals(line)
        leading = leading_letter(line, len(choices))
        if leading is None or _REFUSED.match(line):
            return False
        rest = leading[1].strip(" .)]}>»*:!_$`\"'”’\r-–—✓✔✅")
        return not rest or is_option_text(rest, choices, LETTERS.find(leading[0]))

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


# The answer of a row ------------------------------------------------------------------------------------------------


def _position(answer: Any, options: RowOptions) -> int:
    """Which option the answer is, counted from 0."""
    labels, texts, answer_as = options.labels, options.texts, options.answer_as
    if isinstance(answer, float) and answer.is_integer():  # a column of integers with gaps
        answer = int(answer)
    if isinstance(answer, bool) or not isinstance(answer, str | int):
        raise ValueError(f"its answer is not a letter, index or text but {type(answer).__name__}")
    text = str(answer).strip()
    bare = _NAMED_OPTION.sub("", text.strip("() .").lower())
    dressed = _DRESSED_OPTION.match(text)
    readings = {
        "letter": [
            i
            for i, label in zip(range(len(texts)), labels, strict=False)
            if str(label).lower() == bare
            or (dressed and str(label).lower() == dressed[1].lower() and texts[i] == dressed[2].strip())
        ],
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
