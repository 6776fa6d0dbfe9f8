"""Numbers written out: "two hundred and thirty-five", "sixteen point two five", "minus one half".

Owns: English number words. Only the first number of a text is read; a word that is not a number ends it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from itertools import islice

_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_SMALL = {word: value for value, word in enumerate(_UNITS + _TEENS)}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "eighth": 8,
    "tenth": 10,
}
_PARTS |= {f"{word}s": value for word, value in _PARTS.items() if not word.startswith("hal")}
_WORD = re.compile(r"[a-z]+")
_KNOWN = _SMALL.keys() | _TENS.keys() | _SCALES.keys() | {"hundred", "dozen"}
_SEPARATORS = re.compile(r"[\s\-–]*")
_PRONOUN = re.compile(r"\s+(?:of|that|who|which|can|could|has|by)\b")  # "one of them" counts nothing
_BEFORE_A_PART = ("", "a", "one", "exactly", "is", "about", "only", "just", "roughly", "over")
_BEFORE_A_PRONOUN = (
    "no",
    "any",
    "which",
    "this",
    "that",
    "each",
    "every",
    "first",
    "second",
    "third",
    "last",
    "another",
)
_MOST_WORDS = 40


def words_to_number(text: str) -> Fraction | None:
    """The value of the first number that is written out in `text`, None when there is none."""
    low = text.lower()
    words = list(islice(_WORD.finditer(low), _MOST_WORDS))
    for i, word in enumerate(words):
        before = words[i - 1][0] if i else ""
        if word[0] in _PARTS and before in _BEFORE_A_PART:
            part = _part_alone(low, words, i)
            if part is not None:
                return part
        if word[0] not in _KNOWN:
            continue
        if word[0] == "one" and (_PRONOUN.match(low, word.end()) or before in _BEFORE_A_PRONOUN):
            continue
        run = _run(low, words[i:])
        value = _value(run, words[i + len(run) :])
        return -value if value and before in ("minus", "negative") else value
    return None


def _part_alone(low: str, words: list[re.Match[str]], i: int) -> Fraction | None:
    """ "half", "a quarter of it", "half a dozen"; an ordinal such as "the third" is none."""
    name, before = words[i][0], words[i - 1][0] if i else ""
    if name not in ("half", "quarter") and before not in ("a", "one"):
        return None
    part = Fraction(1, _PARTS[name])
    following = [word[0] for word in words[i + 1 : i + 3]]
    scale = following[1] if following[:1] == ["a"] and len(following) > 1 else following[0] if following else ""
    if scale in _SCALES or scale in ("dozen", "hundred"):
        return part * _cardinal([scale])
    return part


def _run(low: str, words: list[re.Match[str]]) -> list[str]:
    """The number words at the beginning of `words`, with nothing but white space and hyphens between them."""
    run = [words[0][0]]
    end = words[0].end()
    for i, word in enumerate(words[1:], start=1):
        if not _SEPARATORS.fullmatch(low, end, word.start()):
            break
        following = words[i + 1][0] if i + 1 < len(words) else ""
        if word[0] == "and" and i + 2 < len(words) and words[i + 2][0] in _PARTS:
            break  # "two and three quarters"
        links = word[0] in ("and", "point") and following in _KNOWN
        if not links and word[0] not in _KNOWN and word[0] not in _PARTS:
            break
        run.append(word[0])
        end = word.end()
    return run


def _value(run: list[str], following: list[re.Match[str]]) -> Fraction:
    whole, point, decimals = run, False, []
    if "point" in run:
        at = run.index("point")
        whole, point, decimals = run[:at], True, run[at + 1 :]
    if whole[-1] in _PARTS and len(whole) > 1:
        return Fraction(_cardinal(whole[:-1]), _PARTS[whole[-1]])
    value = Fraction(_cardinal([word for word in whole if word not in _PARTS]))
    if not point:
        return _with_a_part(value, [word[0] for word in following[:5]])
    digits = "".join(str(n) for n in _spoken_digits(decimals))
    return value + Fraction(Decimal(f"0.{digits or 0}"))


def _with_a_part(value: Fraction, following: list[str]) -> Fraction:
    """ "two and a half", "one and a half million", "two and three quarters"."""
    match following:
        case ["and", count, name, *rest] if name in _PARTS and (count in ("a", "one") or count in _SMALL):
            value += Fraction(_SMALL.get(count, 1), _PARTS[name])
        case ["and", "half", *rest]:
            value += Fraction(1, 2)
        case _:
            return value
    return value * _cardinal([rest[0]]) if rest and (rest[0] in _SCALES or rest[0] == "dozen") else value


def _cardinal(words: list[str]) -> int:
    total, part = 0, 0
    for word in words:
        if word in _SMALL:
            part += _SMALL[word]
        elif word in _TENS:
            part += _TENS[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word == "dozen":
            part = (part or 1) * 12
        elif word in _SCALES:
            total, part = total + (part or 1) * _SCALES[word], 0
    return total + part


def _spoken_digits(words: list[str]) -> list[int]:
    """After the point: "eighty-seven" is 87, "two eight" is 2, 8."""
    numbers: list[int] = []
    tens = False
    for word in words:
        if word in _SMALL:
            if tens and 0 < _SMALL[word] < 10:
                numbers[-1] += _SMALL[word]
            else:
                numbers.append(_SMALL[word])
            tens = False
        elif word in _TENS:
            numbers.append(_TENS[word])
            tens = True
    return numbers
