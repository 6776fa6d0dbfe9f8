"""Dates in a text, in the forms people write them.

Owns: which words are a date, and which day they mean. Normal forms: 2021-05-01; without a day 2021-05, without a year
--05-01, a year alone 2021.

Invariants
- Total and linear. A day that is in no calendar (February 30) is no date.
- Of "05/01/2021" nobody can say whether it is in May or in January unless the task says so (`order`): until then it is
  a date of which the day is not known. "13/05/2021" can only be one.
- A year of two digits is one from 1969 to 2068, as POSIX has it. Times of day are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

DAY_FIRST, MONTH_FIRST = "day_first", "month_first"
UNKNOWN = "?"  # a date whose day and month could be the other way round

_NAMES = (  # English, German, French, Spanish, Italian, Portuguese, Dutch, Russian, Scandinavian, Polish, Turkish
    "january jan januar janv janvier enero ene gennaio gen janeiro januari январь января stycznia styczeń ocak",
    "february feb februar février fevrier févr febrero febbraio fevereiro fev februari февраль февраля lutego luty"
    " şubat",
    "march mar märz maerz mars marzo março marco maart mrt март марта marts marca marzec maret mart",
    "april apr avril avr abril abr aprile апрель апреля kwietnia kwiecień nisan",
    "may mai mayo maggio mag maio mei май мая maj maja mayis",
    "june jun juni juin junio giugno giu junho июнь июня czerwca czerwiec haziran",
    "july jul juli juillet juil julio luglio lug julho июль июля lipca lipiec temmuz",
    "august aug août aout agosto ago augustus август августа augusti agustus sierpnia sierpień ağustos",
    "september sep sept septembre septiembre settembre set setembro сентябрь сентября września wrzesień eylül",
    "october oct oktober okt octobre octubre ottobre ott outubro out октябрь октября października październik ekim",
    "november nov novembre noviembre novembro ноябрь ноября listopada listopad kasim",
    "december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro декабрь декабря"
    " desember grudnia grudzień aralik",
)
_MONTHS = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_SAME_LETTERS = str.maketrans({"ı": "i", "ſ": "s", "\u0307": None})  # as patterns without regard to case have it
_MONTH = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>[0-9]{1,2})(?:\s?(?:st|nd|rd|th|er|º|ª)\b|\.)?"
_YEAR = r"(?P<year>[0-9]{4}|(?<=['’])[0-9]{2})(?![0-9]|[.,][0-9])"
_OF = r"(?:[\s,/'’-]|\b(?:of|in|de|del|the)\b)+"
_SIGN = r"[ ]{0,6}[-/][ ]{0,6}|\.[ ]?"  # with the blanks of \text{-}
_START, _END = r"(?<![\w.,/-])", r"(?![\w/])"

_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_START}(?P<year>[0-9]{{4}})(?P<sign>{_SIGN})(?P<number>[0-9]{{1,2}})(?P=sign)(?P<day>[0-9]{{1,2}})(?![0-9])",
        rf"{_START}(?P<year>[0-9]{{4}})(?P<number>[0-9]{{2}})(?P<day>[0-9]{{2}})(?!\w|[.,][0-9])",
        r"(?P<year>[0-9]{4})\s*[年년]\s*(?P<number>[0-9]{1,2})\s*[月월](?:\s*(?P<day>[0-9]{1,2})\s*[日일])?",
        r"(?<![年년0-9])(?P<number>[0-9]{1,2})\s*[月월]\s*(?P<day>[0-9]{1,2})\s*[日일]",
        r"(?P<day>[0-9]{1,2})\s+tháng\s+(?P<number>[0-9]{1,2})(?:\s+năm|,)\s+(?P<year>[0-9]{4})",
        rf"{_START}(?P<left>[0-9]{{1,2}})(?P<sign>{_SIGN})(?P<right>[0-9]{{1,2}})(?P=sign)(?P<year>[0-9]{{4}}"
        rf"|[0-9]{{2}}){_END}",
        rf"{_START}{_DAY}{_OF}{_MONTH}{_OF}{_YEAR}",
        rf"\b{_MONTH}\s*(?:the\s+)?{_DAY}{_OF}{_YEAR}",
        rf"{_START}(?P<year>[0-9]{{4}}){_OF}{_MONTH}{_OF}{_DAY}{_END}",
        rf"\b{_MONTH}{_OF}{_YEAR}",
        rf"{_START}(?P<year>[0-9]{{4}})-(?P<number>[0-9]{{2}})(?![-0-9])",
        rf"{_START}(?P<number>0?[1-9]|1[0-2])/(?P<year>[12][0-9]{{3}}){_END}",
        rf"{_START}{_DAY}{_OF}{_MONTH}(?!\w)",
        rf"\b{_MONTH}\s*(?:the\s+)?{_DAY}{_END}",
        r"(?<![\w-])--(?P<number>[0-9]{2})-(?P<day>[0-9]{2})(?![0-9])",
    )
)
_YEAR_ALONE = re.compile(
    r"[\s\"'*_$(]*(?:it\s+(?:is|was)\s+)?(?:in\s+)?(?:the\s+year\s+(?:(?:is"
    r"|was)\s+)?)?(?P<year>[12][0-9]{3})(?:\s?(?:AD|CE|A\.D\.|C\.E\.))?[\s.\"'*_$)]*\Z",
    re.IGNORECASE,
)
_LATEX = re.compile(r"\\(?:text|mathrm|textbf)\s*\{([^{}]*)\}|[{}\\$]")


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a text: its normal form (`UNKNOWN` where it could be two), and where it stands."""

    normal: str
    start: int
    end: int


def dates_in(text: str, order: str = "") -> Iterator[FoundDate]:
    """The dates of `text` in their order, each by the first form that fits. `order`: which of two numbers is first."""
    text = _LATEX.sub(_bare, text)
    taken: list[FoundDate] = []
    for form in _FORMS:
        for found in form.finditer(text):
            if any(found.start() < other.end and other.start < found.end() for other in taken[-64:]):
                continue
            taken.append(FoundDate(_normal(found, order), found.start(), found.end()))  # no date takes its place, too
    if not taken and (alone := _YEAR_ALONE.match(text)):
        taken.append(FoundDate(alone["year"], alone.start("year"), alone.end("year")))
    yield from sorted((one for one in taken if one.normal), key=lambda one: one.start)


def _bare(found: re.Match[str]) -> str:
    """What LaTeX dresses, at its place, blanks around it."""
    if found[1] is None:
        return " " * len(found[0])
    return " " * (found.start(1) - found.start()) + found[1] + " " * (found.end() - found.end(1))


def _normal(found: re.Match[str], order: str) -> str:
    parts = found.groupdict()
    year = _whole_year(parts.get("year"))
    if parts.get("left"):
        return _of_two(int(parts["left"]), int(parts["right"]), year or 0, order)
    month = _MONTHS[parts["month"].lower().translate(_SAME_LETTERS)] if parts.get("month") else int(parts["number"])
    day = int(parts["day"]) if parts.get("day") else None
    if day is None:
        return f"{year:04}-{month:02}" if 1 <= month <= 12 else ""
    return _iso(year, month, day)


def _of_two(left: int, right: int, year: int, order: str) -> str:
    as_day_first, as_month_first = _iso(year, right, left), _iso(year, left, right)
    if order:
        return as_day_first if order == DAY_FIRST else as_month_first
    if as_day_first and as_month_first and as_day_first != as_month_first:
        return UNKNOWN
    return as_day_first or as_month_first


def _iso(year: int | None, month: int, day: int) -> str:
    try:
        found = date(year or 2000, month, day)  # a leap year, where no year is said
    except ValueError:
        return ""
    return f"{found:%Y-%m-%d}".rjust(10, "0") if year else f"--{month:02}-{day:02}"


def _whole_year(digits: str | None) -> int | None:
    if digits is None or len(digits) > 2:
        return int(digits) if digits else None
    return int(digits) + (2000 if int(digits) < 69 else 1900)
