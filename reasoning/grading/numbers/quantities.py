"""One grammar of numbers in digits: sign, currency, groups of digits, fraction, power, per cent, scale; and arithmetic.

Owns: what the digits at one place of a line are worth, and where they end.

Invariants
- Total: every function accepts every string, never raises, and looks at a bounded number of characters from its place.
- The line is plain: `reasoning.grading.extraction.numerals` and `mathematics.plain` have been over it.
- What follows a number and is not understood (a power, an operator without its right side) makes it none, never a part.
- Exact: values are fractions; powers are small, and so is whatever they are taken of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from reasoning.grading.extraction.mathematics import decimal

_OPENING, _CLOSING = ("(", "[", "{"), (")", "]", "}")
_LONGEST_EXACT = 30  # digits of a number that arithmetic is done with
_LARGEST_POWER = 30
_DEEPEST = 6  # brackets within brackets

_CURRENCY = "$€£¥₹"
_DIGITS = (
    r"[0-9]{1,3}(?:\.[0-9]{3}){2,}(?![0-9])"  # 1.234.567
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?:, ?000(?![0-9]))*(?![0-9]|,[0-9]{3}[0-9])(?:\.[0-9]+)?"
    r"|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?![0-9])(?:\.[0-9]+)?"  # 1,00,000
    r"|[0-9]{1,3}(?:[ _'][0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:_[0-9]{3})+(?![0-9])"
    r"|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
)
_DECIMAL_COMMA = (  # 3,5 and 1.234,50 and 1 234,5; not the 3,5 of 3,5,7
    r"(?<![0-9],)(?:(?:[0-9]{1,3}(?:[. '][0-9]{3})+|[0-9]+),[0-9]{1,2}|0,[0-9]+)(?![0-9]|,[0-9])"
)
CANDIDATE = re.compile(
    rf"(?:(?<![\w)\]%.^])(?<!\^\{{)[-+](?=[{_CURRENCY}]?\.?[0-9])|(?<=[{_CURRENCY}])[-+](?=[0-9.]))?[{_CURRENCY}]?"
    r"(?:(?<!\b[a-zA-Z])(?<!\b[a-zA-Z]{2})(?<![\^0-9])(?<!\^-)(?<!\^\{)(?<!\^\{-)(?<![a-zA-Z0-9)}\]]_)[0-9]|(?<![\w.])\.[0-9])"
)
_QUANTITY = re.compile(rf"([-+]?)[{_CURRENCY}]?[ ]?([-+]?)(?:({_DECIMAL_COMMA})|({_DIGITS}))")
_FRACTION = re.compile(r"[ ]?/[ ]?([0-9]{1,15})(?![0-9/]|[.,][0-9]| ?/ ?[0-9])")
_MIXED = re.compile(r"(?:[ ]+|-)(?:and[ ]+)?([0-9]{1,15})[ ]?/[ ]?([0-9]{1,15})(?![0-9/]|[.,][0-9])")
_AND_A_PART = re.compile(r"[ ]+and[ ]+(?:a|one)[ -](half|third|quarter|fourth|fifth|eighth|tenth)\b", re.IGNORECASE)
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "eighth": 8, "tenth": 10}
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]{1,9})(?![\w])")
_TEN = re.compile(r"[ ]?(?:×|\*|[xX])[ ]?10[ ]?(?:\^|\*\*)[ ]?(?:([-+]?[0-9]{1,9})|[({][ ]?([-+]?[0-9]{1,9})[ ]?[)}])")
_POWER = re.compile(r"[ ]?(?:\^|\*\*)[ ]?(?:([-+]?[0-9]{1,9})|[({][ ]?([-+]?[0-9]{1,9})[ ]?[)}])?")
_SPOKEN_POWER = re.compile(r"[ ]+(?:(squared)|cubed)\b", re.IGNORECASE)
_OUT_OF = re.compile(  # "3 in 4" with nothing counted behind it
    r"[ ]+out of[ ]+(?:every[ ]+)?([0-9]{1,15})(?![0-9/]|[.,][0-9])"
    r"|[ ]+in[ ]+([0-9]{1,15})(?=[ ]*[.,;!?)*$]*(?:\s|\Z))(?![ ]+(?!chances?\b|probability\b|odds\b)\w)",
    re.IGNORECASE,
)
_CLOSED = r"(?:[$*]{1,3}(?=[ ]*[%a-zA-Z]))?[ ]*"  # "$2.5$ thousand", "**25** percent"
_PERCENT = re.compile(rf"{_CLOSED}(?:%|percent\b|per cent\b|pct\b)", re.IGNORECASE)
_CENTS = re.compile(r"[ ]?(?:¢|cents?\b)", re.IGNORECASE)
_SCALE = re.compile(
    rf"{_CLOSED}-?[ ]*((?i:hundred|thousand|million|billion|trillion|dozen|lakh|crore)s?\b|(?:mn|bn)\b"
    r"|(?i:millionen|millones|milioni|milhões|milliarden?|milliards?|mio|mrd)\b|[万萬亿億])(?!-)"
    r"|[$]?([kKM]|mn|bn)(?![\w/])"
)
_SCALES = {
    **{"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12},
    **{"lakh": 10**5, "crore": 10**7, "k": 10**3, "m": 10**6, "bn": 10**9, "mn": 10**6},
    **dict.fromkeys(("millionen", "millone", "milioni", "milhõe", "mio"), 10**6),
    **dict.fromkeys(("milliarde", "milliarden", "milliard", "mrd"), 10**9),
    **{"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8},
}
_LARGE = 10**6


@dataclass(frozen=True, slots=True)
class Quantity:
    """The number at one place of a line: `answer` in normal form, "" where it is not understood; `also` as in
    `FoundAnswer`; where it begins and ends; whether it had to be worked out, and whether it is a percentage."""

    answer: str
    start: int
    end: int
    also: str = ""
    worked: bool = False
    per_cent: bool = False

    @property
    def value(self) -> Fraction | None:
        """Its value, None where arithmetic is not done with it."""
        return Fraction(self.answer) if 0 < len(self.answer) <= _LONGEST_EXACT else None


def normal_digits(digits: str, negative: bool = False) -> str:
    """The normal form of a number of digits and at most one point."""
    whole, point, decimals = digits.partition(".")
    whole = whole.lstrip("0") or "0"
    decimals = decimals.rstrip("0") if point else ""
    value = f"{whole}.{decimals}" if decimals else whole
    return f"-{value}" if negative and value != "0" else value


def quantity_at(line: str, start: int) -> Quantity | None:
    """The number that begins at `start` with its sign, currency or first digit; None where there is none."""
    found = _QUANTITY.match(line, start)
    if found is None:
        return None
    sign, second, comma_digits, digits = found.groups()
    end = found.end()
    if comma_digits:
        if line[start - 1 : start] in _OPENING and line[end : end + 1] in _CLOSING and start:
            return Quantity("", start, end)  # "(3,5)" is a pair
        digits = re.sub(r"[. ']", "", comma_digits).replace(",", ".")
    if sign and second:
        return Quantity("", start, end)  # "minus -5" is anyone's guess
    negative = "-" in (sign, second)
    if digits.count(".") > 1:  # 1.234.567
        digits = digits.replace(".", "")
    answer = normal_digits(re.sub(r"[ ,_']", "", digits), negative)
    after = line[end : end + 1]
    if not after or (after in ".\n);:*?!" and line[end : end + 2] != "**"):
        return Quantity(answer, start, end)
    return _dressed(line, answer, start, end)


def _dressed(line: str, answer: str, start: int, end: int) -> Quantity:
    """The number with what follows it: a fraction's lower part, a power, a per cent sign, "million"."""
    if len(answer) > _LONGEST_EXACT:
        return Quantity(answer, start, end)
    value: Fraction | None = Fraction(answer)
    also = ""
    if fraction := _FRACTION.match(line, end):
        value, end = _over(value, fraction[1]), fraction.end()
    elif mixed := _MIXED.match(line, end):
        part = _over(Fraction(mixed[1]), mixed[2])
        proper = part is not None and part < 1
        value, end = _joined(answer, part) if proper and part is not None else None, mixed.end()
    elif a_part := _AND_A_PART.match(line, end):
        value, end = _joined(answer, Fraction(1, _PARTS[a_part[1].lower()])), a_part.end()
    elif ten := _TEN.match(line, end):
        power = _power(Fraction(10), ten[1] or ten[2])
        value, end = None if power is None or value is None else value * power, ten.end()
    elif exponent := _EXPONENT.match(line, end):
        power = _power(Fraction(10), exponent[1])
        value, end = None if power is None or value is None else value * power, exponent.end()
    elif spoken := _SPOKEN_POWER.match(line, end):
        value, end = _power(Fraction(answer), "2" if spoken[1] else "3"), spoken.end()
    elif line[end : end + 1] == "^" or (line[end : end + 2] in (" ^", "**") and line[end + 2 : end + 3].isdigit()):
        raised = _POWER.match(line, end)
        exponent_text = (raised[1] or raised[2]) if raised else None
        nested = raised is not None and line[raised.end() : raised.end() + 1] in ("^", "*", "(", "{")
        value = _power(abs(value), exponent_text) if exponent_text and not nested and value is not None else None
        if value is not None and answer.startswith("-"):
            value = -value
        end = raised.end() if raised else end
    if value is None:
        return Quantity("", start, end)
    if percent := _PERCENT.match(line, end):
        return Quantity(decimal(value), start, percent.end(), decimal(value / 100), per_cent=True)
    if out_of := _OUT_OF.match(line, end):
        share = _over(value, out_of[1] or out_of[2])
        return Quantity(answer, start, out_of.end(), decimal(share) if share is not None else "")
    if scale := _SCALE.match(line, end):
        size = _SCALES[(scale[1] or scale[2]).lower().removesuffix("s")]
        also = decimal(value) if size >= _LARGE else ""  # questions ask for millions, and not for dozens
        return Quantity(decimal(value * size), start, scale.end(), also)
    if _CENTS.match(line, end):
        also = decimal(value / 100)
    return Quantity(decimal(value) if value != Fraction(answer) else answer, start, end, also)


def _over(upper: Fraction | None, lower: str) -> Fraction | None:
    return upper / int(lower) if upper is not None and int(lower) else None


def _joined(whole: str, part: Fraction) -> Fraction:
    return Fraction(whole) - part if whole.startswith("-") else Fraction(whole) + part


def _power(base: Fraction, exponent: str | None) -> Fraction | None:
    power = int(exponent or 0)
    if abs(power) > _LARGEST_POWER or len(str(base)) > 12 or (power < 0 and base == 0):
        return None
    return base**power


# Arithmetic -----------------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ ]*")
_TIMES = re.compile(r"[ ]*(×|÷|\*(?!\*)|/|[xX](?=[ ]?[-$€£(.0-9]))[ ]*")
_PLUS = re.compile(r"[ ]*(\+)[ ]*|[ ]+(-)[ ]+|(?<=\))[ ]*(-)[ ]*")


def sum_at(line: str, start: int, depth: int = 0) -> tuple[Fraction, int, int] | None:
    """The value of the arithmetic that begins at `start`, where it ends, and how many operators it has; None where
    there is none. "3-4" without spaces is not a subtraction: it may be a range."""
    first = _product_at(line, start, depth)
    if first is None:
        return None
    total, end, count = first
    while (found := _PLUS.match(line, end)) and count < 100:
        term = _product_at(line, found.end(), depth)
        if term is None:
            return total, end, count
        total += term[0] if found[1] else -term[0]
        end, count = term[1], count + term[2] + 1
    return total, end, count


def _product_at(line: str, start: int, depth: int) -> tuple[Fraction, int, int] | None:
    first = _factor_at(line, start, depth)
    if first is None:
        return None
    value, end, count = first
    while count < 100:
        found = _TIMES.match(line, end)
        implied = found is None and line[end : end + 1] == "("
        if found is None and not implied:
            break
        factor = _factor_at(line, found.end() if found else end, depth)
        if factor is None:
            break
        divides = found is not None and found[1] in "÷/"
        if divides and not factor[0]:
            return None
        value = value / factor[0] if divides else value * factor[0]
        if len(str(value.numerator)) + len(str(value.denominator)) > 60:
            return None
        end, count = factor[1], count + factor[2] + 1
    return value, end, count


def _factor_at(line: str, start: int, depth: int) -> tuple[Fraction, int, int] | None:
    if line.startswith("(", start):
        inner = sum_at(line, _end_of_space(line, start + 1), depth + 1) if depth < _DEEPEST else None
        close = _end_of_space(line, inner[1]) if inner else -1
        return (inner[0], close + 1, inner[2]) if inner and line.startswith(")", close) else None
    quantity = quantity_at(line, start)
    value = quantity.value if quantity else None
    return None if quantity is None or value is None else (value, quantity.end, 0)


def _end_of_space(line: str, start: int) -> int:
    found = _SPACE.match(line, start)
    return found.end() if found else start
