"""Equations of two numbers in a text, such as "17 - 10 = 7": whether they are true.

Owns: where such an equation stands, and what counts as true. What is longer ("2 + 3 + 4 = 9"), or is no number, is not
looked at.
"""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = r"(-?\d+(?:,\d{3})*(?:\.\d+)?)"
_SIGN = r"([-+*/×÷·−–]|x(?!\s*[-+−–]))"  # "3x - 5" is no product
_BEFORE = (  # not the end of a longer term, of a mixed number or of a time
    r"(?<![\w+*/×÷·=.,:^()$€£−–-])(?<![+*/×÷·=x−–-]\s)(?<![+*/×÷·=x−–-]\s\s)(?<!\d )(?<!\d and )"
)
_AFTER = (  # nor its beginning, nor a quotient beside its rest
    r"(?![\d%/]|:\d|[A-Za-z]\b|\s*[-+*/×÷·−–]\s*[\w$(]|\s*x\s*\d|[ ]\d|,[ ]\d{3}|[ ]and[ ]\(?\d+/"
    r"|,?\s*(?:with |and )?(?:a )?(?:remainder|rest|[Rr] ?\d))"
)
_EXACT = 10**12  # what a machine's numbers are exact to
_EQUATION = re.compile(rf"{_BEFORE}\$?{_NUMBER}\s*{_SIGN}\s*\$?{_NUMBER}\s*=\s*\$?{_NUMBER}{_AFTER}")


def all_true(text: str) -> bool:
    """Whether every equation of two numbers in `text` is true; one that rounds its last digit is."""
    return all(_is_true(*found) for found in _EQUATION.findall(text))


def _is_true(left: str, sign: str, right: str, result: str) -> bool:
    a, b, said = (Fraction(number.replace(",", "")) for number in (left, right, result))
    match sign:
        case "+":
            value = a + b
        case "-" | "−" | "–":
            value = a - b
        case "/" | "÷":
            if b == 0:
                return False
            value = a / b
        case _:
            value = a * b
    if value.denominator == 1:
        return value == said
    places = len(result.partition(".")[2])
    return abs(value - said) <= max(Fraction(1, 2 * 10**places), abs(value) / _EXACT)
