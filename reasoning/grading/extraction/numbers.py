"""Numbers in a text: in any dress, in calculations and in words.

Owns: what of a statement is the number meant. Normal form: no commas, currency or trailing zeros, "." before decimals.

Invariants
- Of a calculation ("16 - 3 = 13") the number is its result; of equations with unknowns, the last number they lead to.
- "50%" is 50, and 0.5 as well; "2.5 million" is 2500000, and 2.5 as well; a fraction is its value.
- Math-Verify is asked only for what is left: LaTeX that is more than dress, powers, roots, sums without a result.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from reasoning.grading.extraction.found_answer import FoundAnswer, How, first_line
from reasoning.grading.extraction.mathematics import decimal, plain, worked_out
from reasoning.grading.extraction.number_words import words_to_number

_NUMBER = re.compile(
    r"((?<![\w)\]%])[-−](?=[$€£]?\.?[0-9]))?[$€£]?"
    r"(?:([0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(\.[0-9]+)?|(?<!\w)(\.[0-9]+))"
)
_STOPS = frozenset(("", ".", "\n", ")", ";", ":", "*", "?", "!"))
_DIGIT = re.compile(r"[0-9]")
_MORE = re.compile(
    r"[^\S\n]*,?[^\S\n]*(?:[/⁄%¼-¾⅐-⅞≈0-9]|[eE][-+0-9]|per|thousand|million|billion|trillion|or\b|i\.e|that is|and\b)",
    re.IGNORECASE,
)

_GOES_ON = re.compile(r"[^\S\n]*[-+*/×÷x=−][^\S\n]*[-−$(]?[0-9]")
_UNKNOWN = re.compile(r"(?:[0-9]\s*(?!x\s*[0-9])[a-z]\b|\b[a-z]\s*[-+*/]|[-+*/]\s*[a-z]\b)[^=\n]{0,40}=", re.IGNORECASE)
_STATEMENT_END = re.compile(r"[.;,](?:\s|\Z)|\n|\Z")
_SUM = re.compile(r"(?:[0-9.,+*/×÷x()$]|\s[-−]\s|\s)+")  # "3-4" may be a range
_DATE = re.compile(r"[0-9]+/[0-9]+/[0-9]+(?![0-9/])")
_NOT_PLAIN = re.compile(r"[\\^√π]")

_FRACTION = re.compile(r"[^\S\n]*[/⁄][^\S\n]*([0-9]{1,15})(?![0-9/⁄]|[.,][0-9])")
_MIXED = re.compile(r"[^\S\n]+(?:and[^\S\n]+)?([0-9]{1,15})[/⁄]([0-9]{1,15})(?![0-9/⁄]|[.,][0-9])")
_UPPER = re.compile(
    r"(?<![\w.,/⁄])(?:[0-9]{1,6}\s+(?:and\s+)?)?[0-9]{1,15}\s?[/⁄]\s?\Z"
)  # of the fraction that ends here
_GLYPH = re.compile(r"[^\S\n]*([¼½¾⅐-⅞])")
_POWER = re.compile(r"[eE]([-+]?[0-9]{1,2})(?!\w)")
_PERCENT = re.compile(r"[^\S\n]*(?:%|per ?cent\b)", re.IGNORECASE)
_SCALE = re.compile(r"[^\S\n]*(thousand|million|billion|trillion)\b", re.IGNORECASE)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_RESTATED = re.compile(
    r"[^\S\n]*,?[^\S\n]*(?:or|i\.e\.,?|that is,?|≈)[^\S\n]+(?:about|approximately|exactly)?[^\S\n]*(?=[$.0-9])"
)

_LONGEST_EXACT = 30  # digits of a number that arithmetic is done with
_LONGEST_UPPER = 30
_LONGEST_NUMBER = 400  # characters looked back from a text's last digit
_TAIL = 120


def stated_number(said: str, how: How) -> FoundAnswer | None:
    """The number that a statement comes to: its first one, or what its calculation or equation leads to."""
    if "\\" in said or "{,}" in said:
        said = plain(said)
    line = first_line(said)
    if _NOT_PLAIN.search(line):
        result = line[: _statement_end(line, 0)].rpartition("=")[2]
        value = worked_out(result) if _NOT_PLAIN.search(result) else ""
        if value:
            return FoundAnswer(value, How.MATH_VERIFY)
    found = _first_not_denied(line)
    if found is None:
        return _without_digits(line, how)
    if "=" in line and _UNKNOWN.search(line):
        return last_number(said, how)
    if _GOES_ON.match(line, found.end()):
        return _result(line, found, how)
    answer = _dressed(line, found, how)
    if answer.answer != "0" and line[: found.start()].strip(" :*").lower() in ("minus", "negative"):
        return FoundAnswer(f"-{answer.answer}", answer.how, answer.also and f"-{answer.also}")
    return answer


def _first_not_denied(line: str) -> re.Match[str] | None:
    for found in _NUMBER.finditer(line):
        if not line[: found.start()].rstrip().endswith(" not") and line[: found.start()].strip() != "not":
            return found
    return None


def _statement_end(line: str, start: int) -> int:
    found = _STATEMENT_END.search(line, start)
    return found.start() if found else len(line)


def _result(line: str, found: re.Match[str], how: How) -> FoundAnswer:
    """What a calculation that begins with `found` comes to: its right side, or what a sum or a fraction is worth."""
    statement = line[found.start() : _statement_end(line, found.end())]
    equals = statement.rfind("=")
    right = _NUMBER.search(line, found.start() + equals + 1) if equals >= 0 else None
    if right:
        return _dressed(line, right, how)
    fraction = _dressed(line, found, how)
    if fraction.answer != _number(found) or _DATE.match(statement):
        return fraction
    arithmetic = _SUM.match(statement)
    several = arithmetic is not None and _GOES_ON.search(arithmetic[0])
    value = worked_out(arithmetic[0].replace("x", "×").replace("$", "")) if arithmetic and several else ""
    return FoundAnswer(value, How.MATH_VERIFY) if value else fraction


def _dressed(line: str, found: re.Match[str], how: How) -> FoundAnswer:
    """The number with what follows it: a fraction's lower part, a power of ten, a percent sign, "million"."""
    answer, end = _number(found), found.end()
    if line[end : end + 1] in _STOPS or not _MORE.match(line, end) or len(answer) > _LONGEST_EXACT:
        return FoundAnswer(answer, how)
    value: Fraction | None = None
    if fraction := _FRACTION.match(line, end):
        if line[: found.start()].endswith(("/", "⁄")):  # a date is no fraction
            return FoundAnswer(answer, how)
        value, end = _divided(Fraction(answer), fraction[1]), fraction.end()
    elif mixed := _MIXED.match(line, end):
        part = _divided(Fraction(mixed[1]), mixed[2])
        value, end = (None if part is None else _joined(answer, part)), mixed.end()
    elif glyph := _GLYPH.match(line, end):
        part = Fraction(unicodedata.numeric(glyph[1])).limit_denominator(10)
        value, end = _joined(answer, part), glyph.end()
    elif power := _POWER.match(line, end):
        value, end = Fraction(answer) * Fraction(10) ** int(power[1]), power.end()
    if value is not None:
        answer = decimal(value)
    if _PERCENT.match(line, end):
        return FoundAnswer(answer, how, also=decimal(Fraction(answer) / 100))
    if scale := _SCALE.match(line, end):
        return FoundAnswer(decimal(Fraction(answer) * _SCALES[scale[1].lower()]), how, also=answer)
    if value is None and (restated := _RESTATED.match(line, end)):
        return FoundAnswer(_more_exact(answer, _NUMBER.match(line, restated.end())), how)
    return FoundAnswer(answer, how)


def _divided(upper: Fraction, lower: str) -> Fraction | None:
    return upper / int(lower) if int(lower) else None


def _joined(whole: str, part: Fraction) -> Fraction:
    return Fraction(whole) - part if whole.startswith("-") else Fraction(whole) + part


def _more_exact(answer: str, again: re.Match[str] | None) -> str:
    """Of ".33 or .3333333" the second, where the first is the second rounded."""
    other = _number(again)
    decimals = len(answer.partition(".")[2])
    if not other or len(other) > _LONGEST_EXACT or len(other.partition(".")[2]) <= decimals:
        return answer
    return other if abs(Fraction(other) - Fraction(answer)) * 2 * 10**decimals <= 1 else answer


def _without_digits(line: str, how: How) -> FoundAnswer | None:
    glyph = _GLYPH.search(line)
    if glyph:
        value = Fraction(unicodedata.numeric(glyph[1])).limit_denominator(10)
        return FoundAnswer(decimal(value), how)
    spoken = words_to_number(line)
    return None if spoken is None else FoundAnswer(decimal(spoken), How.NUMBER_WORDS)


def last_number(text: str, how: How) -> FoundAnswer | None:
    """The last number of a text: the one that its last digit belongs to."""
    digit = _DIGIT.search(text[: -_TAIL - 1 : -1]) or _DIGIT.search(text[::-1])  # read from its end
    if digit is None:
        return None
    end = len(text) - digit.start()
    word = text[max(0, end - _LONGEST_NUMBER) : end].rsplit(None, 1)[-1]
    start = end - len(word)
    if "\\" in word or "{" in word:
        tail = text[max(0, end - _TAIL) : end + _TAIL].rpartition("=")[2].strip(" $]}")
        stated = stated_number(tail, how)
        if stated:
            return FoundAnswer(stated.answer, how, stated.also)
    found = None
    for found in _NUMBER.finditer(text, start, end):  # noqa: B007 - the last one
        pass
    if found is None:
        return None
    place = found.start()
    if text[max(0, place - 2) : place].rstrip().endswith(("/", "⁄")):
        upper = _UPPER.search(text, max(0, place - _LONGEST_UPPER), place)
        found = (upper and _NUMBER.match(text, upper.start())) or found
    return _dressed(text, found, how)


def _number(found: re.Match[str] | None) -> str:
    if found is None:
        return ""
    sign, digits, fraction, bare = found.groups()
    whole = (digits or "").replace(",", "").lstrip("0") or "0"
    decimals = fraction or bare
    value = whole + decimals.rstrip("0").rstrip(".") if decimals else whole
    return f"-{value}" if sign and value != "0" else value


def every_number(text: str) -> Iterator[str]:
    """All numbers of a text, in both readings where there are two."""
    for found in _NUMBER.finditer(text):
        dressed = _dressed(text, found, How.LAST_CANDIDATE)
        yield dressed.answer
        if dressed.also:
            yield dressed.also


def is_number_alone(line: str) -> bool:
    """Whether `line` is a number and its marks, and nothing else."""
    found = _NUMBER.search(line)
    return found is not None and not f"{line[: found.start()]}{line[found.end() :]}".strip(" .*$%!_\r")


# Numbers as data ----------------------------------------------------------------------------------------------------


def number_text(value: float) -> str:
    """A number of a row of data in decimal digits. Raises `ValueError` for one that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"not a finite number: {value}")
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def with_another_digit(text: str) -> str:
    """`text` with another last digit; as it is when it has none."""
    *_, last = [None, *_DIGIT.finditer(text)]
    if last is None:
        return text
    return f"{text[: last.start()]}{(int(last[0]) + 1) % 10}{text[last.end() :]}"
