"""Which option of a multiple-choice question a text names, by the option's text instead of its letter.

Owns: how the texts of options are compared with what somebody says.

Invariants
- A text names an option only if it names no other one: the one that it is to the letter, the longest of those that hold
  one another, the only one of its number, value or words.
- Numbers count by their value: "0.5" and "50%" name the option "1/2"; by their unit where several have the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from reasoning.grading.extraction.dates import DAY_FIRST, MONTH_FIRST, dates_in
from reasoning.grading.extraction.found_answer import FoundAnswer, How
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.extraction.numerals import plain_numerals
from reasoning.grading.numbers.number_words import in_digits
from reasoning.grading.numbers.numbers import stated_number
from reasoning.grading.options import LETTERS

_LONGEST_TEXT = 400  # characters of an option's text that are looked for
_MOST_WORDS = 6  # of a saying that may leave out what all options share

_TOKEN = re.compile(
    r"[0-9]+/[0-9]+(?![0-9/])|(?:(?<![\w)])-)?[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+|[^\W\d_]+"
    r"|[^\s\w.,;:!?'\"`*(){}\[\]$]"
)
_NUMERIC = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"\A([0-9]+),([0-9]{1,2})\Z")
_DATE = re.compile(r"(?<![0-9/-])([0-9]{1,4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,4})(?![0-9/-])")
_TO = re.compile(r"(?<=[0-9])\s{1,3}to\s{1,3}(?=[0-9])")  # of a ratio
_PER_CENT = re.compile(r"(?<=[0-9])\s?per\s?cent\b", re.IGNORECASE)
_ARTICLES = frozenset(("a", "an", "the"))
_FILLERS = frozenset(("is", "it", "are", "be", "so", "would", "must", "of", "in", "to", "one", "s", "that", "this"))
_DENIED = re.compile(
    r"(?:[^,.;]{1,60}\b(?:is|are|was|were)(?:n['’]t|\s+(?:\w+ly\s+|also\s+)?(?:not|wrong|incorrect|false|out|unlikely"
    r"|impossible))"
    r"|(?:\A|(?<=[,.;:])\s|\b(?:but|so|and)\s)(?:(?!who\b|that\b|which\b|if\b|when\b|but\b)[\w'’-]+\s+){0,4}?"
    r"(?:(?:(?:would|could|can?|should|do|does|did|will|wo)(?:n['’]t|\s+not)|cannot|never|nobody|no\s+one)\b"
    r"(?![^,.;]*\b(?:any\w*|other|than|except|unless|until|without|wrong|matter|nothing|better|beat)\b))"
    r"|\b(?:not|rather than|instead of|unlike|other than"
    r"|(?:any|every|all)\w*(?: \w+)? (?:but|except)))\b"
    r"(?:(?!\s+but\b)(?:[^,.;]|[.,](?=[0-9])))*",
    re.IGNORECASE,
)
_VALUED = re.compile(r"[\s$€£(]*-?[\s$€£]*[0-9.\\]")
_DIGIT = re.compile(r"[0-9]")
_UNIT = re.compile(r"[^\W\d_]+(?:/[^\W\d_]+)?|[%°$€£]")
_OF_THE_ABOVE = re.compile(  # "none of these" is "None of the above"
    r"(none|all|both) of (?:the|these|those|them)"
    r"(?: (?:above|others?|options|choices|answers|listed|given|mentioned))*"
)
_BOTH_SIGNS = re.compile(r"±|\+/-|\\pm(?![a-z])")
_MONTH_FIRST = re.compile(r"[0-9]{1,2}[-/.](?:1[3-9]|2[0-9]|3[01])[-/.][0-9]{2,4}")
_EDGES = " \t\r\n.,;:!?*_\"'`“”‘’()[]"


@dataclass(frozen=True, slots=True)
class _Option:
    """One option as it is looked for: `exact` to the letter; `text`, its tokens between spaces; its `number` ("" for
    none or several); its `values` and `unit`, where it is a number (50 and 0.5 of "50%"); its `words`, each in one
    form; the `date` that it is, read in the order of the options' own."""

    letter: str
    exact: str
    text: str
    number: str
    values: tuple[str, ...]
    unit: str
    words: frozenset[str]
    date: str = ""
    date_order: str = ""


def named_option(said: str, choices: tuple[str, ...]) -> str:
    """The letter of the one option whose text, or else whose number, value or words, is named; "" when none or several
    are."""
    if not choices:
        return ""
    if "\\" in said:
        said = plain(said)
    options = _options(choices)
    if _BOTH_SIGNS.search(said) and not any(map(_BOTH_SIGNS.search, choices)):
        return ""
    said = _with_dates_as(options, said)
    exact = _exact(said)
    same = [option.letter for option in options if option.exact == exact]
    if len(same) == 1:
        return same[0]
    named = _named_in(said, options) or ("=" in said and _named_in(said.rpartition("=")[2], options)) or ""
    if not named and not _DIGIT.search(said) and all(option.values for option in options):
        named = _named_in(in_digits(said), options)  # "five twelfths are left"
    if _DENIED.search(said) and not (named and _DENIED.search(choices[LETTERS.index(named)])):
        return _named_in(_DENIED.sub("", said), options)
    return named


def _with_dates_as(options: tuple[_Option, ...], said: str) -> str:
    """`said` with each date that an option is in that option's own spelling: "May 1, 2021" as "05/01/2021"."""
    if not all(option.date or _DATE.fullmatch(option.exact) for option in options) or not _DIGIT.search(said):
        return said
    order = options[0].date_order
    parts, end = [], 0
    for found in dates_in(said, order):
        same = [option.exact for option in options if option.date == found.normal]
        if same:
            parts += [said[end : found.start], same[0]]
            end = found.end
    return "".join((*parts, said[end:]))


def is_option_text(said: str, choices: tuple[str, ...], index: int) -> bool:
    """Whether `said` is the text of option `index`, and nothing else."""
    return 0 <= index < len(choices) and _tokens(said) == _tokens(choices[index][:_LONGEST_TEXT])


def options_within(text: str, choices: tuple[str, ...]) -> Iterator[str]:
    """The letters of all options whose text stands somewhere in `text`."""
    plain_text = plain_numerals(text)
    low = plain_text.lower()
    looked_for = [
        option
        for option in _options(choices)
        if option.text.strip() and all(word in low for word in option.text.split() if word.isalpha())
    ]
    words = f" {' '.join(_tokens(plain_text))} " if looked_for else ""
    yield from (option.letter for option in looked_for if option.text in words)


@lru_cache(maxsize=4096)
def _options(choices: tuple[str, ...]) -> tuple[_Option, ...]:
    rows = []
    order = MONTH_FIRST if any(_MONTH_FIRST.search(choice) for choice in choices) else DAY_FIRST
    for letter, choice in zip(LETTERS, choices, strict=False):
        choice = choice[:_LONGEST_TEXT]
        tokens = _tokens(plain(choice) if "\\" in choice else choice)
        numbers = [token for token in tokens if _NUMERIC.fullmatch(token)]
        valued = _value(choice)
        rows.append(
            _Option(
                letter=letter,
                exact=_exact(choice),
                text=f" {' '.join(tokens)} ",
                number=numbers[0] if len(numbers) == 1 else "",
                values=tuple(filter(None, (valued.answer, valued.also))) if valued else (),
                unit=_unit(choice),
                words=frozenset(map(_one_form, tokens)),
                date=_date(choice, order),
                date_order=order,
            )
        )
    return tuple(rows)


def _named_in(said: str, options: tuple[_Option, ...]) -> str:
    tokens = _tokens(said)
    words = f" {' '.join(tokens)} "
    held = [option for option in options if option.text.strip() and option.text in words]
    if held:
        longest = max(held, key=lambda option: len(option.text))
        alone = sum(option.text == longest.text for option in held) == 1
        return longest.letter if alone and all(option.text in longest.text for option in held) else ""
    numbers = {token for token in tokens if _NUMERIC.fullmatch(token)}
    same = [option.letter for option in options if option.number in numbers]
    if len(numbers) == 1 and len(same) == 1:
        return same[0]
    return _of_value(said, options) or _of_words(tokens, options)


def _of_value(said: str, options: tuple[_Option, ...]) -> str:
    valued = _value(said)
    if valued is None or not any(option.values for option in options):
        return ""
    same = [option for option in options if any(_equal(valued, value) for value in option.values)] or [
        option for option in options if any(_rounded(valued.answer, value) for value in option.values)
    ]
    if len(same) > 1:
        unit = _unit(said)
        same = [option for option in same if option.unit == unit] or same
    return same[0].letter if len(same) == 1 else ""


def _of_words(tokens: list[str], options: tuple[_Option, ...]) -> str:
    """Of "green" the green ball, of "products" the product: the only option that has all of a short saying's words."""
    words = {_one_form(token) for token in tokens} - _FILLERS
    if not words or len(tokens) > _MOST_WORDS or any(_NUMERIC.fullmatch(word) for word in words):
        return ""
    same = [option.letter for option in options if words <= option.words]
    return same[0] if len(same) == 1 else ""


def _date(choice: str, order: str) -> str:
    """The date that an option is, and nothing else; "" where it is none."""
    found = list(dates_in(choice, order))
    alone = len(found) == 1 and not f"{choice[: found[0].start]}{choice[found[0].end :]}".strip(_EDGES)
    return found[0].normal if alone else ""


def _value(text: str) -> FoundAnswer | None:
    """The number that a text is, None where it is none."""
    if not _DIGIT.search(text):
        text = in_digits(text)
    if not _VALUED.match(text):
        return None
    found = stated_number(text, How.ANCHORED)
    return found if found and found.answer else None


def _equal(valued: FoundAnswer, value: str) -> bool:
    if value in (valued.answer, valued.also):
        return True
    if len(valued.answer) > 30 or len(value) > 30:
        return False
    return any(
        abs(Fraction(one) - Fraction(value)) <= Fraction(1, 10**9) for one in (valued.answer, valued.also) if one
    )


def _rounded(said: str, value: str) -> bool:
    """Whether `said` is `value` to at least two decimals: 0.333 is 1/3."""
    decimals = len(said.partition(".")[2])
    if not 2 <= decimals <= 12 or len(said) > 30 or len(value) > 30:
        return False
    return abs(Fraction(said) - Fraction(value)) <= Fraction(1, 2 * 10**decimals)


def _unit(text: str) -> str:
    """The last word or sign of a number's text."""
    units: list[str] = _UNIT.findall(text.lower())
    return units[-1] if units else ""


def _exact(text: str) -> str:
    exact = " ".join(plain_numerals(text).strip(_EDGES).lower().split())
    found = _OF_THE_ABOVE.fullmatch(exact)
    return f"{found[1]} of the above" if found else exact


def _one_form(token: str) -> str:
    """A word without the ending of its plural."""
    return token[:-1] if len(token) > 3 and token.endswith("s") and not token.endswith("ss") else token


def _tokens(text: str) -> list[str]:
    """Words in lower case without articles, numbers without commas and zeros that say nothing, and signs that are no
    dress."""
    if "er" in text:
        text = _PER_CENT.sub("%", text)
    text = _DATE.sub(r"\1 / \2 / \3", _TO.sub(":", plain_numerals(text)))
    return [_token(token) for token in _TOKEN.findall(text) if token.lower() not in _ARTICLES]


def _token(token: str) -> str:
    if token[-1].isdigit() and token.isascii():
        sign = "-" if token[0] == "-" else ""
        whole, point, decimals = _DECIMAL_COMMA.sub(r"\1.\2", token.lstrip("-")).replace(",", "").partition(".")
        decimals = decimals.rstrip("0")
        return f"{sign}{whole.lstrip('0') or '0'}{point if decimals else ''}{decimals}"
    return token.rstrip(",").lower()
