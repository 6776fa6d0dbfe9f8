"""Units of measure: a number with its unit, said in another unit of the same kind.

Owns: the units that are known, how they are written, and the reading of a text in one of them.

Invariants
- Total and linear. A number in a unit of another kind (5 kg where kilometres are asked for) is no number of the answer.
- "1 h 30 min" is one quantity. A word that is no unit after a number is left as it is.
- Conversions are exact. Temperatures are not converted.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache

from reasoning.grading.extraction.mathematics import decimal, plain
from reasoning.grading.numbers.number_words import in_digits

# kind: (how many of the first, symbols, words); words also with "s"
_KINDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "length": (
        ("1", "m", "meter metre"),
        ("1/1000", "mm", "millimeter millimetre"),
        ("1/100", "cm", "centimeter centimetre"),
        ("1/10", "dm", "decimeter decimetre"),
        ("1000", "km", "kilometer kilometre"),
        ("1/1000000", "µm μm um", "micrometer micrometre micron"),
        ("1/1000000000", "nm", "nanometer nanometre"),
        ("127/5000", "in", "inch inches"),
        ("381/1250", "ft", "foot feet"),
        ("1143/1250", "yd", "yard"),
        ("201168/125", "mi", "mile"),
    ),
    "area": (
        ("1", "m² m^2 sq.m", "square_meter square_metre"),
        ("1/10000", "cm² cm^2", "square_centimeter square_centimetre"),
        ("1000000", "km² km^2", "square_kilometer square_kilometre"),
        ("10000", "ha", "hectare"),
        ("145161/1562500", "ft² ft^2 sq.ft", "square_foot square_feet"),
        ("40468564224/10000000", "", "acre"),
    ),
    "volume": (
        ("1", "l L", "liter litre"),
        ("1/1000", "ml mL cm³ cm^3", "milliliter millilitre cubic_centimeter cubic_centimetre"),
        ("1/100", "cl cL", "centiliter centilitre"),
        ("1000", "m³ m^3", "cubic_meter cubic_metre"),
        ("473176473/125000000", "gal", "gallon"),
    ),
    "mass": (
        ("1", "g", "gram gramme"),
        ("1/1000", "mg", "milligram"),
        ("1000", "kg", "kilogram kilo"),
        ("1000000", "t", "tonne ton"),
        ("45359237/100000", "lb lbs", "pound"),
        ("45359237/1600000", "oz", "ounce"),
    ),
    "time": (
        ("1", "s sec secs", "second"),
        ("1/1000", "ms", "millisecond"),
        ("60", "min mins", "minute"),
        ("3600", "h hr hrs", "hour"),
        ("86400", "d", "day"),
        ("604800", "wk", "week"),
    ),
    "years": (("1", "yr yrs", "year"), ("1/12", "mo", "month"), ("10", "", "decade"), ("100", "", "century centurie")),
    "speed": (
        ("1", "m/s m·s⁻¹", "meters_per_second metres_per_second"),
        ("5/18", "km/h kph kmh", "kilometers_per_hour kilometres_per_hour"),
        ("1397/3125", "mph mi/h", "miles_per_hour"),
    ),
    "acceleration": (("1", "m/s² m/s^2 m/s/s", "meters_per_second_squared metres_per_second_squared"),),
    "force": (("1", "N", "newton"), ("1000", "kN", "kilonewton")),
    "energy": (
        ("1", "J", "joule"),
        ("1000", "kJ", "kilojoule"),
        ("1000000", "MJ", "megajoule"),
        ("3600000", "kWh", "kilowatt-hour"),
        ("4184/1000", "cal", "calorie"),
        ("4184", "kcal", "kilocalorie"),
    ),
    "power": (("1", "W", "watt"), ("1000", "kW", "kilowatt"), ("1000000", "MW", "megawatt")),
    "pressure": (("1", "Pa", "pascal"), ("1000", "kPa", "kilopascal"), ("100000", "bar", "")),
    "voltage": (("1", "V", "volt"), ("1/1000", "mV", "millivolt")),
    "current": (("1", "A", "ampere amp"), ("1/1000", "mA", "milliampere")),
    "resistance": (("1", "Ω", "ohm"), ("1000", "kΩ", "kilohm")),
    "frequency": (("1", "Hz", "hertz"), ("1000", "kHz", "kilohertz"), ("1000000", "MHz", "megahertz")),
    "amount": (("1", "mol", "mole"), ("1/1000", "mmol", "millimole")),
    "data": (
        ("1", "B", "byte"),
        ("1000", "kB KB", "kilobyte"),
        ("1000000", "MB", "megabyte"),
        ("1000000000", "GB", "gigabyte"),
        ("1000000000000", "TB", "terabyte"),
    ),
    "angle": (("1", "° deg", "degree"),),
    "celsius": (("1", "°C ℃", "degrees_celsius degree_celsius celsius"),),
    "fahrenheit": (("1", "°F ℉", "degrees_fahrenheit degree_fahrenheit fahrenheit"),),
    "kelvin": (("1", "K", "kelvin"),),
    "per cent": (("1", "%", "percent per_cent"),),
    "dollars": (("1", "$ US$ USD", "dollar buck"), ("1/100", "¢", "cent")),
    "euros": (("1", "€ EUR", "euro"),),
    "pounds": (("1", "£ GBP", "pounds_sterling"),),
    "yen": (("1", "¥ JPY", "yen"),),
    "rupees": (("1", "₹ INR", "rupee"),),
}
_SYMBOLS = {
    s: (kind, Fraction(n)) for kind, units in _KINDS.items() for n, symbols, _ in units for s in symbols.split()
}
_WORDS = {
    form.replace("_", " "): (kind, Fraction(number))
    for kind, units in _KINDS.items()
    for number, _, words in units
    for word in words.split()
    for form in (word, f"{word}s")
}
_BEFORE = r"US\$|[$€£¥₹]|(?:USD|EUR|GBP|JPY|INR)\s"
_NUMERAL = (
    r"[0-9]+/[0-9]+|[0-9]+,[0-9]{1,2}(?![0-9]|,[0-9])|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?"
    r"|[0-9]{1,3}(?:[ '’\u00a0\u202f][0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?"
    r"|\.[0-9]+"
)
_POWER = r"(?:[eE]([-+]?[0-9]{1,2})(?![0-9])|\s?[×x*]\s?10\s?\^\s?\{?([-+−]?[0-9]{1,2})\}?)"


def _alternatives() -> str:
    words = sorted(_WORDS, key=len, reverse=True)
    symbols = sorted((s for s in _SYMBOLS if s != "in"), key=len, reverse=True)
    return "|".join((*(rf"(?i:{re.escape(w)})" for w in words), *map(re.escape, symbols), r"in(?=\s?(?:[.,;)]|\Z|\n))"))


_QUANTITY = re.compile(
    rf"(?P<before>{_BEFORE})?\s?(?<![\w.,])(?P<sign>[-−](?=[.0-9]))?(?P<number>{_NUMERAL}){_POWER}?"
    rf"(?:\s{{0,3}}-?\s{{0,3}}(?P<unit>{_alternatives()})(?![\w²³^’']))?"
)
_RATE = re.compile(r"\s?(?:/|per\b)\s?[a-z]|\s+an?\s+(?:second|minute|hour|day|week|month|year)\b", re.IGNORECASE)
_RATED = frozenset(("length", "area", "volume", "mass", "data", "energy"))  # "12 km per day" is no length
_MATHEMATICS = re.compile(r"\$([^$\n]{1,80})\$(?![0-9.])")  # of LaTeX, not "$5 and $6"
_TO_THE_MINUS_ONE = re.compile(
    r"(?<=[A-Za-z])(?:\\[,;: ]|[ ·⋅])?(s|h|hr|min|day)\s?\^\s?\{?\s?[-−]1\s?\}?"
)  # "m s^{-1}"
_DIGIT = re.compile(r"[0-9]")
_AND_A_HALF = re.compile(r"\b(?:(?:an?|one)[ ]+)(\w+)[ ]+and[ ]+a[ ]+half\b", re.IGNORECASE)  # "an hour and a half"
_MOST_SAID = 8  # numbers in the unit asked for that another may restate
_ROUNDED = Fraction(1, 100)
_JOINT = re.compile(r"\s{0,3}(?:,|and)?\s{0,3}")


@lru_cache(maxsize=64)
def known_unit(unit: str) -> tuple[str, Fraction] | None:
    """The kind of a unit and how many of the kind's first it is; None for a word that is not known."""
    unit = unit.strip()
    return _SYMBOLS.get(unit) or _WORDS.get(unit.lower())


def are_one_measure(one: Fraction, unit: str, other: Fraction, other_unit: str) -> bool:
    """Whether two numbers in two known units are the same measure, as far as people round: 2.5 km is 2500 m."""
    known, again = known_unit(unit), known_unit(other_unit)
    if known is None or again is None or known[0] != again[0] or known[1] == again[1] or not one:
        return False
    return abs(one * known[1] - other * again[1]) <= abs(one * known[1]) * _ROUNDED


def in_unit(text: str, unit: str) -> str:
    """`text` with each quantity as a bare number of `unit`. Quantities of another kind lose their number."""
    if "-1" in text or "−1" in text or "⁻¹" in text:
        text = _TO_THE_MINUS_ONE.sub(r"/\1", text.replace("⁻¹", "^-1"))
    if "\\" in text:
        text = plain(text)
    if text.count("$") > 1:
        text = _MATHEMATICS.sub(r"\1", text)
    if not _DIGIT.search(text):
        text = in_digits(_AND_A_HALF.sub(r"1.5 \1", text))
    target = known_unit(unit)
    if target is None:
        return re.sub(rf"(?<=[0-9])\s*{re.escape(unit.strip())}(?:e?s)?\b", "", text, flags=re.IGNORECASE)
    kind, size = target
    parts: list[str] = []
    end, sum_so_far, smallest = 0, None, Fraction(0)
    quantities = list(_QUANTITY.finditer(text))
    in_it = _said_in(quantities, target)
    for found in quantities:
        name = found["unit"] or (found["before"] or "").strip()
        own = known_unit(name) if name else None
        if own is None:
            continue
        if own[0] == "angle" and kind in ("celsius", "fahrenheit"):
            own = (kind, Fraction(1))  # "37°"
        if own[0] in _RATED and _RATE.match(text, found.end()):
            own = ("a rate", Fraction(1))
        number = _value(found)
        if number is not None and own[0] == kind:
            number = _as_said(number * own[1] / size, in_it)
        gap = text[end : found.start()]
        joined = sum_so_far is not None and own[0] == kind and own[1] < smallest and _JOINT.fullmatch(gap)
        if not joined:
            parts += [*([decimal(sum_so_far)] if sum_so_far is not None else []), gap]
            sum_so_far = None
        if own[0] != kind or number is None:
            parts.append(" " + name if own[0] != kind else found[0])
        else:
            sum_so_far, smallest = (sum_so_far or 0) + number, own[1]
            if not joined and found[0][:1].isspace():
                parts.append(" ")
        end = found.end()
    parts += [*([decimal(sum_so_far)] if sum_so_far is not None else []), text[end:]]
    return "".join(parts)


def _said_in(quantities: list[re.Match[str]], target: tuple[str, Fraction]) -> tuple[Fraction, ...]:
    """The numbers that a text gives in the very unit that is asked for."""
    said = [_value(found) for found in quantities[:_MOST_SAID] if found["unit"] and known_unit(found["unit"]) == target]
    return tuple(number for number in said if number is not None)


def _as_said(number: Fraction, said: tuple[Fraction, ...]) -> Fraction:
    """`number`, or the one of those `said` that it restates rounded: of "2 kg, which is 4.4 lb", 2."""
    return next((one for one in said if abs(number - one) <= abs(one) * _ROUNDED), number)


def _value(found: re.Match[str]) -> Fraction | None:
    power = (found[4] or found[5] or "0").replace("−", "-")
    if "/" in found["number"]:
        upper, lower = found["number"].split("/")
        return Fraction(int(upper), int(lower)) if int(lower) and len(found["number"]) < 40 else None
    try:
        value = Decimal(_digits(found["number"])[:60]).scaleb(int(power))
    except InvalidOperation:
        return None
    return -Fraction(value) if found["sign"] else Fraction(value)


def _digits(number: str) -> str:
    """Digits and a point. Behind a comma stand three digits of a group, or one or two decimals: "3,5 kg"."""
    whole, comma, rest = re.sub(r"[ '’\u00a0\u202f]", "", number).partition(",")
    return f"{whole}.{rest}" if comma and len(rest) < 3 else f"{whole}{rest}".replace(",", "")
