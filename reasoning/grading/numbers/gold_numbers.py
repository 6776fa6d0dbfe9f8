"""A number as data states it: a gold answer in any form that people keep it in.

Owns: which texts are one number and nothing else, and the form in which it is kept and taught. The same texts are gold
answers in a task's data, in a file that is graded and in an imported file.

Invariants
- Total and linear. A text that could be two numbers ("10,80") is none.
- Plain numbers are kept in plain digits; a fraction and a percentage are kept as they are written ("1/2", "50%"), since
  no decimals say them as well.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation

from reasoning.grading.extraction.numerals import plain_numerals

_LONGEST = 400
_DIGIT = re.compile(r"[0-9]")
_MINUS = re.compile(r"[−–‐‑﹣－](?=\s*[$€£¥₹]?\s*[.0-9])")
_OTHER_DASH = re.compile(r"[—―‒]")  # may begin an item of a list
_BOX = re.compile(r"\\boxed\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\Z")
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{?\s*([0-9]+)\s*\}?\s*\{?\s*([0-9]+)\s*\}?")
_MARKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "％": "%"})
_IN_BRACKETS = re.compile(  # the unit of ASDiv's "9 (apples)", and no word that is worth something
    r"(?<=[0-9])\s*\((?!\s*(?:hundred|thousand|[mb]illion|trillion|dozen|half|minus|negative|or|not)\b)[^\W\d_][^()\d]*\)\Z",
    re.IGNORECASE,
)
_DRESS = ' \t\r\n*_`$"“”'
_CURRENCY = r"[$€£¥₹]"
_NUMBER = re.compile(
    rf"([-+]?)\s*{_CURRENCY}?\s*([-+]?)"
    r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:[ '_][0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE]([-+]?[0-9]{1,2})|\s*(?:[×x*·]|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?([-+]?[0-9]{1,2})\}?)?"
    rf"\s*(%|\\%|{_CURRENCY})?"
)
_FRACTION = re.compile(r"([-+]?)([0-9]{1,15})\s*[/⁄]\s*([0-9]{1,15})")
_MIXED = re.compile(r"([-+]?)([0-9]{1,15})\s+([0-9]{1,15})\s*[/⁄]\s*([0-9]{1,15})")


def gold_number(text: str) -> str:
    """The number that `text` is, as it is kept; "" when it is none or more than one. What stands before the last `####`
    is the way to it."""
    if len(text) > _LONGEST and "####" not in text:
        return ""
    said = text.rpartition("####")[2].translate(_MARKS).strip(_DRESS)
    if boxed := _BOX.search(said):
        said = boxed[1].strip(_DRESS)
    said = _LATEX_FRACTION.sub(r" \1/\2", said).replace("{,}", ",").replace("\\$", "$")
    said = _MINUS.sub("-", _IN_BRACKETS.sub("", said)).strip(_DRESS).removesuffix(".").strip(_DRESS)
    if not _OTHER_DASH.search(said):
        said = plain_numerals(said)
    if said.startswith("- "):
        said = f"-{said[2:]}"
    if not 0 < len(said) <= _LONGEST:
        return ""
    if found := _FRACTION.fullmatch(said):
        sign, upper, lower = found.groups()
        return f"{_sign(sign)}{upper}/{lower}" if int(lower) else ""
    if found := _MIXED.fullmatch(said):
        sign, whole, upper, lower = found.groups()
        return f"{_sign(sign)}{whole} {upper}/{lower}" if int(lower) else ""
    return _plain(_NUMBER.fullmatch(said))


def _plain(found: re.Match[str] | None) -> str:
    if found is None or (found[1] and found[2]):
        return ""
    sign, digits = _sign(found[1] or found[2]), re.sub(r"[,' _]", "", found[3])
    power = found[4] or found[5]
    if power:
        try:
            digits = format(Decimal(digits).scaleb(int(power)), "f")
        except InvalidOperation:
            return ""
    whole, point, decimals = digits.partition(".")
    if point and decimals in ("", "0"):
        digits = whole
    digits = digits if not digits.startswith(".") else f"0{digits}"
    return f"{sign}{digits}" + ("%" if found[6] and found[6].endswith("%") else "")


def _sign(sign: str) -> str:
    return "-" if sign == "-" else ""


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
