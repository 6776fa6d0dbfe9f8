"""Options: their letters in any dress, and their texts where no letter is given.

Owns: which option a statement names, and the options that a question states. Normal form: a capital letter.

Invariants
- A letter outranks a text. A capital inside a word is no letter, nor is the article "A", nor an option that is denied.
- A text names an option only if it names no other one: the longest of those that hold one another, or the only one of
  its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from reasoning.grading.extractors.found import NO_ANSWER, Extractor, FoundAnswer, How, first_line, settled
from reasoning.grading.extractors.mathematics import plain

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OPTIONS_HEADING = "Answer Choices:"
_NO_CHOICES_KNOWN = 10
_LONGEST_ANSWER = 400

_TOKEN = re.compile(r"(?:(?<![\w)])-)?[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+|[^\W\d_]+|[^\s\w.,;:!?'\"`*(){}\[\]$]")
_NUMERIC = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ARTICLES = frozenset(("a", "an", "the"))
_DENIED = re.compile(r"\bnot\b[^,.;]*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")


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


def _first(said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
    patterns = _patterns(len(choices))
    found = patterns.leading.match(said)
    if found and len(said) - found.end() < 3:  # nothing after it that could take it back
        return FoundAnswer((found[1] or found[2]).upper(), how)
    corrected = settled(said)
    found_answer = _of_line(first_line(corrected), choices, patterns, how)
    if found_answer is None and corrected is not said:
        return _of_line(first_line(said), choices, patterns, how)
    return found_answer


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
                if pattern is patterns.lone and (option := _named(line, choices)):
                    return FoundAnswer(option, How.OPTION_TEXT)
                return FoundAnswer(found[1].upper(), how)
    option = _named(line, choices)
    return FoundAnswer(option, How.OPTION_TEXT) if option else None


def _is_denied(line: str, start: int) -> bool:
    words = line[max(0, start - 20) : start].lower().replace("option", "").replace("choice", "").split()
    return bool(words) and words[-1] in ("not", "isn't", "isn’t")


def _last(text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
    """Without an anchor: the last letter in brackets; else what the last sentence names."""
    patterns = _patterns(len(choices))
    found = patterns.reversed.search(text[::-1])
    if found and not _is_denied(text, len(text) - found.end()):
        return FoundAnswer(found[1].upper(), How.LAST_CANDIDATE)
    sentence = _last_sentence(text)
    lone = patterns.lone.findall(sentence)
    if len(lone) == 1 and sentence.rstrip(" .*!").endswith(lone[0]):
        return FoundAnswer(lone[0], How.LAST_CANDIDATE)
    option = _named(sentence, choices)
    return FoundAnswer(option, How.LAST_CANDIDATE) if option else None


def _last_sentence(text: str) -> str:
    tail = text[-_LONGEST_ANSWER:].rstrip()
    ends = [found.end() for found in _SENTENCE_END.finditer(tail) if found.end() < len(tail)]
    return tail[ends[-1] :] if ends else tail


# Texts of options ---------------------------------------------------------------------------------------------------


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
        tokens = _tokens(choice[:_LONGEST_ANSWER])
        numbers = [token for token in tokens if _NUMERIC.fullmatch(token)]
        rows.append((letter, f" {' '.join(tokens)} ", numbers[0] if len(numbers) == 1 else ""))
    return tuple(rows)


def _named(said: str, choices: tuple[str, ...]) -> str:
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


def _bare(line: str, choices: tuple[str, ...]) -> bool:
    found = _patterns(len(choices)).leading.match(line)
    return found is not None and not line[found.end() :].strip(" .)]*:!_\r")


def _every(text: str, choices: tuple[str, ...]) -> Iterator[str]:
    patterns = _patterns(len(choices))
    for pattern in (patterns.bracketed, patterns.lone):
        for found in pattern.finditer(text):
            yield found[1].upper()
    words = f" {' '.join(_tokens(text))} "
    for letter, option, _ in _options(choices):
        if option.strip() and option in words:
            yield letter


def _normal(answer: str) -> str:
    letter = answer[:_LONGEST_ANSWER].strip(" ().").upper()
    return letter if len(letter) == 1 and letter in LETTERS else ""


CHOICES = Extractor(first=_first, last=_last, bare=_bare, every=_every, normal=_normal)


# Options in a question ----------------------------------------------------------------------------------------------


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
