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
from itertools import islice
from typing import Any

from reasoning.grading.extraction.denials import is_denied
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.extraction.numerals import plain_numerals
from reasoning.grading.kinds.alternatives import alternatives
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.named_options import is_option_text, named_option, options_within
from reasoning.grading.options import LETTERS, NO_OPTIONS, RowOptions, given

_NO_CHOICES_KNOWN = 10
_MOST_LETTERS = 40  # that are looked at in one statement

_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")
_SO = re.compile(
    r"[,;]\s*(?:and\s+)?(?:so|thus|hence|therefore|which\s+means)\b|\b(?:therefore|thus|hence)\b", re.IGNORECASE
)
_DENIED_AFTER = re.compile(
    r"[)\]*\s]*(?:\([^()\n]{0,40}\)\s*)?(?:(?:is|are|was|seems?|looks?|can|could|would|does|do|must"
    r"|should)\s*(?:n['’]t|not)\b|cannot\b"
    r"|(?:is|are|was|seems?|looks?)\s+(?:clearly\s+|obviously\s+)?(?:wrong|incorrect|false|out\b|invalid|impossible"
    r"|eliminated|ruled out|tempting))"
)
_BETWEEN = re.compile(
    r"\b(?:between|among|both|neither|either)\s+[^.;\n]{1,60}?(?:,|\band\b|\bthrough\b|\bto\b"
    r"|\bor\b)\s*[(\[]?[A-Za-z][)\]]?",
    re.IGNORECASE,
)

# "Eliminating A, B and D": what is named to be left out.
_LETTER = r"[(\[*\"']*+[A-Za-z][)\]*\"']*+(?![\w'’])"
_AND = r"\s*+(?:,\s*+(?:(?:and|or|nor|&)\s*+)?|(?:and|or|nor|&)\s*+)"  # possessive: no list is tried in two ways
_NOT_A_SUBJECT = r"(?!\s+(?:is|remains|it|must)\b)"  # "eliminating A and B, C is left"
_LEFT_OUT = re.compile(
    r"\b(?:eliminat|rul|discard|exclud|reject|dismiss|remov|cross|set|leav)(?:e|es|ed|ing|s)?(?:\s+(?:out|off|aside))*\s+"
    rf"(?:options?\s+|choices?\s+|answers?\s+|letters?\s+|out\s+)*{_LETTER}(?:{_AND}{_LETTER}{_NOT_A_SUBJECT})++(?:\s+(?:out|off|aside)\b)?"
    rf"|{_LETTER}(?:{_AND}{_LETTER})*+\s+(?:(?:is|are|was|were|being|can\s+be|have\s+been|all)\s+)*+"
    r"(?:eliminated|ruled\s+out|excluded|discarded|crossed\s+out|rejected)\b"
    rf"|(?:\b(?:not|neither|nor|none\s+of)|n['’]t)\s+(?:option\s+)?{_LETTER}(?:{_AND}{_LETTER})++",
    re.IGNORECASE,
)
_CALLED_RIGHT = re.compile(  # "(A) fridge is correct, while (B) oven is not."
    r"\(([A-Z])\)\s+(?:[\w'’-]+\s+){1,6}?(?:is|was)\s+(?:the\s+)?(?:correct|right|best)\b", re.IGNORECASE
)
_JUDGED = re.compile(  # "(A) no (B) yes (C) no"
    r"(?<![\w'’])\(?([A-Z])[):.]{0,2}\s*(?:[-–—=]\s*)?(?:is\s+)?"
    r"(?:(no|false|wrong|incorrect|not\s+correct|✗|❌|✘)|(yes|true|right|correct|✓|✔|✅))(?![\w'’])",
    re.IGNORECASE,
)


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
        patterns = _patterns(len(choices))
        found = patterns.leading.match(said)
        if found and len(said) - found.end() < 3 and not said[found.end() :].strip(" .)]*:!_\r\n"):
            return FoundAnswer((found[1] or found[2]).upper(), how)
        if not said.isascii():
            said = plain_numerals(said)
        corrected = settled(said)
        found_answer = _of_line(first_line(corrected), choices, patterns, how)
        if found_answer is None and corrected is not said:
            return _of_line(first_line(said), choices, patterns, how)
        return found_answer

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """Without an anchor: what the last sentence picks, by letter or by text; else the last letter in brackets."""
        patterns = _patterns(len(choices))
        text = plain_numerals(text)
        if judged := _judged(text[-LONGEST_ANSWER:]):
            return FoundAnswer(judged, How.LAST_CANDIDATE)
        sentence = _last_sentence(text)
        if "\\" in sentence:
            sentence = plain(sentence)
        picked = _picked(sentence, choices, patterns)
        if picked is not None:
            return picked
        reversed_text = text[::-1]
        for found in islice(patterns.reversed.finditer(reversed_text), _MOST_LETTERS):
            start, end = len(text) - found.end(), len(text) - found.start()
            if not is_denied(text, start) and not _DENIED_AFTER.match(text, end):
                return FoundAnswer(found[1].upper(), How.LAST_CANDIDATE)
        return None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        patterns = _patterns(len(choices))
        for pattern in (patterns.bracketed, patterns.lone):
            for found in pattern.finditer(text):
                yield found[1].upper()
        yield from options_within(text, choices)

    def is_bare(self, line: str, choices: tuple[str, ...]) -> bool:
        line = plain_numerals(line)
        found = _patterns(len(choices)).leading.match(line)
        if found is None:
            return False
        rest = line[found.end() :].strip(" .)]}>»*:!_`\"'”’\r-–—")
        return not rest or is_option_text(rest, choices, LETTERS.find((found[1] or found[2]).upper()))

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
    ( b ). `lone`: a capital by itself anywhere. `chosen`: a letter that words around it choose."""

    leading: re.Pattern[str]
    bracketed: re.Pattern[str]
    lone: re.Pattern[str]
    several: re.Pattern[str]  # what follows the first of several: "A, B or C", "A and B", "A/B", "(A) ink or (B) milk"
    chosen: re.Pattern[str]
    reversed: re.Pattern[str]  # `bracketed` in a text read from its end


@lru_cache(maxsize=32)
def _patterns(count: int) -> _Patterns:
    last = LETTERS[min(count or _NO_CHOICES_KNOWN, len(LETTERS)) - 1]
    small = last.lower()
    either = f"A-{last}a-{small}"
    reason = r"(?:because|since|as|is|and|by|for|which)\b|[-–—=:,(]"
    article = rf"(?!A\s+(?!{reason})\w)"
    abbreviation = r"(?!\.[A-Za-z])"  # e.g., i.e.
    wrong = r"(?![\w'’]|\s(?:is|was|being)\b)"
    return _Patterns(
        leading=re.compile(
            rf"(?:[\W_]*(?i:option|choice|letter|answer)\b)?[\W_]*(?:([{either}])(?=[\W_]*\Z|\s*[).\]:,*_}}/;!])"
            rf"{abbreviation}|{article}([A-{last}])(?=\s))"
        ),
        bracketed=re.compile(rf"[(\[]\s*([{either}])\s*[)\]]"),
        reversed=re.compile(rf"[)\]]\s*([{either}])\s*[(\[]"),
        several=re.compile(
            rf"[)\]*]*\s*(?:,|or|and|/|&|\+)\s*(?:(?:or|and|maybe"
            rf"|perhaps)\s+)?(?:option\s+)?[(\[*]*(?!A\s[a-z])[A-{last}]{wrong}"
            rf"|(?:\s+[A-{last}](?![\w'’.])){{1,25}}\W*\Z"
            rf"|[)\]*]*[\w\s'’-]{{1,60}}?,?\s+(?:or|and)\s+(?:option\s+)?[(\[]\s*[{either}]\s*[)\]]{wrong}"
        ),
        lone=re.compile(rf"(?<![\w'’(\[])(?!A\s+(?!(?:or|and)\b)[a-z])([A-{last}])(?![\w'’)\]]){abbreviation}"),
        chosen=re.compile(
            rf"\b(?i:choose|chose|pick|picked|select|selected|go(?:ing)?\s+with|choice|option|letter"
            rf"|vote\s+for)\b[\s:*]*(?i:is\b[\s:*]*)?"
            rf"(?:(?i:option|choice|letter)\s+)?[(\[*\"']*(?:([A-{last}])(?![\w'’])|([b-{max(small, 'b')}]|a(?=[\W_]*\Z"
            rf"|[.)*]))(?![\w'’]))"
            rf"|\b(?i:leav(?:es|ing)|left\s+with|remaining\s+is|only|just)\s+(?i:us\s+with\s+|me\s+with\s+)?"
            rf"(?i:(?:only\s+)?(?:option|choice|letter)?\s*)[(\[*\"']*([A-{last}])(?![\w'’])"
            rf"|[选選][项項择擇]?\s*[:：]?\s*[(\[*\"']*([A-{last}])(?![\w'’])"
            rf"|(?<![\w'’])[(\[*]*([A-{last}])[)\]*]*\s+(?i:remains|is\s+left|is\s+what\s+(?:is\s+left|remains))\b"
            rf"|(?<![\w'’])[(\[*]*([A-{last}])[)\]*]*\s+(?i:is|it\s+is|seems|looks|must\s+be|would\s+be|fits|works)\b"
            r"(?=\s*[.!]?\s*\Z|\s+(?i:right|correct|best|true|the\s+(?:right|correct|best|only|odd|answer)|better|fine"
            r"|most)|\s*;|(?<=fits)|(?<=works))"
        ),
    )


def _of_line(line: str, choices: tuple[str, ...], patterns: _Patterns, how: How) -> FoundAnswer | None:
    if "\\" in line:
        line = plain(line)
    if " " in line:
        line = _LEFT_OUT.sub(" ", line)
    found = patterns.leading.match(line)
    if found:
        if patterns.several.match(line, found.end()):
            return NO_ANSWER
        if not _DENIED_AFTER.match(line, found.end()):
            return FoundAnswer((found[1] or found[2]).upper(), how)
    for pattern in (patterns.bracketed, patterns.lone):
        for found in islice(pattern.finditer(line), _MOST_LETTERS):
            if is_denied(line, found.start()) or _DENIED_AFTER.match(line, found.end()):
                continue
            if pattern is patterns.lone and (option := named_option(line, choices)):
                return FoundAnswer(option, How.OPTION_TEXT)
            if patterns.several.match(line, found.end()):
                return NO_ANSWER
            return FoundAnswer(found[1].upper(), how)
    option = named_option(line, choices)
    return FoundAnswer(option, How.OPTION_TEXT) if option else None


def _picked(sentence: str, choices: tuple[str, ...], patterns: _Patterns) -> FoundAnswer | None:
    """The option that a sentence without an anchor picks; `NO_ANSWER` for several, None for none."""
    bare = _LEFT_OUT.sub(" ", _BETWEEN.sub(" ", sentence))
    bracketed = _meant(bare, patterns.bracketed)
    if len(bracketed) > 1:  # "(A) and (B) are too cold, so (C)"
        bracketed = _meant(_SO.split(bare)[-1], patterns.bracketed)
    if len(bracketed) == 1:
        return FoundAnswer(bracketed.pop(), How.LAST_CANDIDATE)
    if bracketed:
        right = {found[1].upper() for found in _CALLED_RIGHT.finditer(bare)} & bracketed
        return FoundAnswer(right.pop(), How.LAST_CANDIDATE) if len(right) == 1 else NO_ANSWER
    chosen = [
        found
        for found in patterns.chosen.finditer(bare)
        if not is_denied(bare, found.start()) and not _DENIED_AFTER.match(bare, found.end())
    ]
    letters = {found[found.lastindex or 1].upper() for found in chosen}
    if len(letters) == 1 and not patterns.several.match(bare, chosen[-1].end()):
        return FoundAnswer(letters.pop(), How.LAST_CANDIDATE)
    option = named_option(sentence, choices)
    if option:
        return FoundAnswer(option, How.LAST_CANDIDATE)
    lone = _meant(bare, patterns.lone)
    if len(lone) > 1:  # "A and C are mammals, so B"
        lone = _meant(_SO.split(bare)[-1], patterns.lone)
    if len(lone) == 1 and bare.rstrip(" .*!\"'”").endswith(next(iter(lone))):
        return FoundAnswer(lone.pop(), How.LAST_CANDIDATE)
    concluded = _SO.split(sentence)[-1]
    option = named_option(concluded, choices) if concluded is not sentence else ""
    return FoundAnswer(option, How.LAST_CANDIDATE) if option else None


def _judged(text: str) -> str:
    """The one option that is called right where several are judged one by one; "" where there is none such."""
    if "no" not in text and "wrong" not in text and "orrect" not in text and "✗" not in text and "alse" not in text:
        return ""
    found = list(islice(_JUDGED.finditer(text), _MOST_LETTERS))
    right = {one[1].upper() for one in found if one[3]}
    wrong = {one[1].upper() for one in found if one[2]}
    return right.pop() if len(right) == 1 and len(wrong) > 1 and not right & wrong else ""


def _meant(sentence: str, pattern: re.Pattern[str]) -> set[str]:
    """The letters of a sentence that are not denied."""
    return {
        found[1].upper()
        for found in islice(pattern.finditer(sentence), _MOST_LETTERS)
        if not is_denied(sentence, found.start()) and not _DENIED_AFTER.match(sentence, found.end())
    }


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
