"""Numbers written out: "two hundred and thirty-five", "sixteen point two five", "minus one half", "五十八".

Owns: English number words and Chinese numerals, and a text with digits in their place, which the grammar of numbers in
digits then reads. A word that is not a number ends one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import islice

from reasoning.grading.extraction.mathematics import decimal

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
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "eleventh": 11,
    "twelfth": 12,
    "fifteenth": 15,
    "sixteenth": 16,
    "twentieth": 20,
    "hundredth": 100,
}
_PARTS |= {f"{word}s": value for word, value in _PARTS.items() if not word.startswith("hal")}
_WORD = re.compile(r"[a-z]+")
_KNOWN = _SMALL.keys() | _TENS.keys() | _SCALES.keys() | {"hundred", "dozen"}
_GROUPS = _SCALES.keys() | {"hundred"}
_LARGE = _SCALES.keys() | {"dozen"}
_SEPARATORS = re.compile(r"[\s\-–&]*")
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

_HAN = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_HAN_SMALL_SCALES = {"十": 10, "百": 100, "千": 1000}
_HAN_SCALES = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HAN_NUMBER = re.compile(  # what counts things or ends a clause; not the 一 of 一共 or the 三 of 三角形
    r"(?<![第一])([零〇一二两兩三四五六七八九十百千万萬亿億]+)"
    r"(?=\W|\Z|[个個只隻本人天岁歲年块塊米条條张張件辆輛元次杯瓶盒箱袋页頁支枝头頭匹棵朵颗顆枚名位台斤分小公です])"
)
_HALF_MORE = re.compile(  # "an hour and a half"; a dozen and a half is another matter
    r"\b(an?|one|two|three|four|five|six|seven|eight|nine|ten)[ ](?!dozen|hundred|thousand|million|billion|score)"
    r"(\w{2,20})[ ]and[ ]a[ ]half\b",
    re.IGNORECASE,
)
_ONE = {"a": "one", "an": "one"}


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A number in words: where it stands and what it is worth."""

    start: int
    end: int
    value: Fraction


def words_to_number(text: str) -> Fraction | None:
    """The value of the first number that is written out in `text`, None when there is none."""
    found = next(_spoken_in(text), None)
    return found.value if found else None


def in_digits(text: str) -> str:
    """`text` with digits in the place of the numbers that are written out in it."""
    parts: list[str] = []
    end = 0
    if "half" in text:
        text = _HALF_MORE.sub(lambda found: f"{_ONE.get(found[1].lower(), found[1])} and a half {found[2]}", text)
    for found in _spoken_in(text):
        parts += [text[end : found.start], _digits(found.value)]
        end = found.end
    return "".join((*parts, text[end:])) if parts else text


def _digits(value: Fraction) -> str:
    digits = decimal(value)
    return digits if Fraction(digits) == value else f"{value.numerator}/{value.denominator}"


def _spoken_in(text: str) -> Iterator[_Spoken]:
    """The numbers that are written out in `text`, in their order."""
    if text.isascii():
        return _english_in(text)
    han = (_Spoken(found.start(), found.end(), Fraction(_han_value(found[1]))) for found in _HAN_NUMBER.finditer(text))
    return iter(sorted((*han, *_english_in(text)), key=lambda found: found.start))


def _english_in(text: str) -> Iterator[_Spoken]:
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered
        return
    words = list(islice(_WORD.finditer(low), _MOST_WORDS))
    i = 0
    while i < len(words):
        value, count = _number_at(low, words, i)
        if value is None:
            i += 1
            continue
        minus = i > 0 and words[i - 1][0] in ("minus", "negative") and value
        yield _Spoken(words[i - 1 if minus else i].start(), words[i + count - 1].end(), -value if minus else value)
        i += count


def _number_at(low: str, words: list[re.Match[str]], i: int) -> tuple[Fraction | None, int]:
    """The number that begins with word `i`, and of how many words it is."""
    word, before = words[i], words[i - 1][0] if i else ""
    if word[0] in _PARTS and before in _BEFORE_A_PART:
        return _part_alone(words, i)
    if word[0] not in _KNOWN or (word[0] == "zero" and before == "below"):
        return None, 0
    if word[0] == "one" and (_PRONOUN.match(low, word.end()) or before in _BEFORE_A_PRONOUN):
        return None, 0
    run = _run(low, words[i:])
    value, more = _value(run, [one[0] for one in words[i + len(run) : i + len(run) + 5]])
    return value, len(run) + more


def _part_alone(words: list[re.Match[str]], i: int) -> tuple[Fraction | None, int]:
    """ "half", "a quarter of it", "half a dozen"; an ordinal such as "the third" is none."""
    name, before = words[i][0], words[i - 1][0] if i else ""
    if name not in ("half", "quarter") and before not in ("a", "one"):
        return None, 0
    part = Fraction(1, _PARTS[name])
    following = [word[0] for word in words[i + 1 : i + 4]]
    skipped = 2 if following[:2] == ["of", "a"] else 1 if following[:1] == ["a"] else 0
    scale = following[skipped] if len(following) > skipped else ""
    if scale in _SCALES or scale in ("dozen", "hundred"):
        return part * _cardinal([scale]), 2 + skipped
    return part, 1


def _run(low: str, words: list[re.Match[str]]) -> list[str]:
    """The number words at the beginning of `words`, with nothing but white space and hyphens between them."""
    run = [words[0][0]]
    end = words[0].end()
    for i, word in enumerate(words[1:], start=1):
        following = words[i + 1][0] if i + 1 < len(words) else ""
        grouped = (
            run[-1] in _SCALES and following in _GROUPS and low[end : end + 1] == ","
        )  # "one thousand, two hundred"
        if not _SEPARATORS.fullmatch(low, end + grouped, word.start()):
            break
        if word[0] == "and" and i + 2 < len(words) and words[i + 2][0] in _PARTS:
            break  # "two and three quarters"
        if word[0] == "and" and run[-1] not in ("hundred", "dozen", *_SCALES):
            break  # "ten and twelve" are two
        links = word[0] in ("and", "point") and following in _KNOWN
        if not links and word[0] not in _KNOWN and word[0] not in _PARTS:
            break
        run.append(word[0])
        end = word.end()
    while len(run) > 1 and run[-1] in ("and", "point"):  # "two point. Five more"
        run.pop()
    return run


def _value(run: list[str], following: list[str]) -> tuple[Fraction, int]:
    """The value of a run of number words, and how many words of those that follow belong to it."""
    whole, point, decimals = run, False, []
    if "point" in run:
        at = run.index("point")
        whole, point, decimals = run[:at], True, run[at + 1 :]
    if whole[-1] in _PARTS and len(whole) > 1:
        share = Fraction(_cardinal(whole[:-1]), _PARTS[whole[-1]])
        of_scale = following[:2] == ["of", "a"] and following[2:3] and following[2] in _SCALES
        return (share * _SCALES[following[2]], 3) if of_scale else (share, 0)
    value = Fraction(_cardinal([word for word in whole if word not in _PARTS]))
    if not point:
        return _with_a_part(value, following, _cardinal(whole[-1:]) if whole[-1] in _LARGE else 1)
    scale = decimals[-1] if decimals[-1] in _SCALES or decimals[-1] in ("hundred", "dozen") else ""
    digits = "".join(str(n) for n in _spoken_digits(decimals))
    return (value + Fraction(Decimal(f"0.{digits or 0}"))) * (_cardinal([scale]) if scale else 1), 0


def _with_a_part(value: Fraction, following: list[str], whole: int) -> tuple[Fraction, int]:
    """ "two and a half", "one and a half million", "a dozen and a half"; `whole` is what the part is of."""
    match following:
        case ["and", count, name, *rest] if name in _PARTS and (count in ("a", "one") or count in _SMALL):
            value, used = value + whole * Fraction(_SMALL.get(count, 1), _PARTS[name]), 3
        case ["and", "half", *rest]:
            value, used = value + whole * Fraction(1, 2), 2
        case _:
            return value, 0
    if rest and (rest[0] in _SCALES or rest[0] == "dozen"):
        return value * _cardinal([rest[0]]), used + 1
    return value, used


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


def _han_value(run: str) -> int:
    """五十八 is 58, 二〇二四 is 2024, 三万五千 is 35,000."""
    if len(run) > 1 and all(char in _HAN for char in run):
        return int("".join(str(_HAN[char]) for char in run[:30]))
    total, part, digit = 0, 0, 0
    for char in run[:30]:
        if char in _HAN:
            digit = _HAN[char]
        elif char in _HAN_SMALL_SCALES:
            part, digit = part + (digit or 1) * _HAN_SMALL_SCALES[char], 0
        else:
            total, part, digit = total + (part + digit or 1) * _HAN_SCALES[char], 0, 0
    return total + part + digit
