"""A mathematical expression, in LaTeX or plain: 2\\sqrt{3}, x^2 - 1, (1, 2]. Normal form: itself, without dress.

Owns: where in a statement an expression stands, and when two are the same: written alike, equal as numbers, or the same
by Math-Verify within a time limit (`reasoning.grading.extraction.equal_expressions`).

Invariant: what cannot be decided in time, or is no mathematics, is the same only where it is written alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reasoning.grading.extraction.equal_expressions import equal_expressions
from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, FoundAnswer, How, first_line, settled
from reasoning.grading.kinds.number import Number
from reasoning.grading.kinds.rules import AnswerRules
from reasoning.grading.numbers.gold_numbers import gold_number, number_text, with_another_digit
from reasoning.grading.options import NO_OPTIONS, RowOptions

_ENVIRONMENT = r"(?:align(?:ed)?|equation|gather(?:ed)?|multline|split)\*?"
_MATHEMATICS = re.compile(
    r"\$\$([^$]{1,400})\$\$|\$([^$]{1,400})\$|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]"
    rf"|(\\begin\{{{_ENVIRONMENT}\}}.{{1,400}}?\\end\{{{_ENVIRONMENT}\}})",
    re.DOTALL,
)
_LINES = re.compile(rf"\\begin\{{{_ENVIRONMENT}\}}(.*)\\end\{{{_ENVIRONMENT}\}}", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{((?:(?!\\(?:boxed|fbox)).)*)\}\Z", re.DOTALL)
_CLAUSE_END = re.compile(
    r"[.!?](?=\s+[A-Z]|\s*\Z)|[,;]?\s+(?:because|since|which|where|so|as|for all|by)\b|,\s+(?:as|(?:and\s+)?not)\b"
    r"|\s+\((?=[a-z]{2,}\s[a-z])"  # "(by the power rule)"
)
_ASIDE = re.compile(  # "9\pi (about 28.27)", "4\sqrt{3}, not 3\sqrt{4}"
    r"(?:\s*\(?\s*(?:≈|\\approx|(?:or\s+)?(?:about|approximately|approx\.))\s*\$?[0-9][0-9.,]*[^()=\n]{0,30}\)?"
    r"|,\s+(?:and\s+)?not\s[^\n]{1,60})[\s.]*\Z"
)
_DRESS = (
    (re.compile(r"(?:\\[,!;: ]|~|\\q?quad)*\s*\\(?:text|mathrm|mbox|textbf|mathbf)\s*\{([^{}]*)\}"), r" \1"),
    (
        re.compile(
            r"\\(?:left|right|displaystyle|big|Big|bigg|Bigg)(?![a-zA-Z])|\\[,!;:]|(?<!\\)\\ |~|\\q?quad(?![a-z])"
        ),
        "",
    ),
    (re.compile(r"\\[dt]frac(?![a-z])"), r"\\frac"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"(?<![a-zA-Z\\])(sin|cos|tan|log|ln)(?![a-zA-Z])"), r"\\\1"),
    (re.compile(r"∞|(?<![a-zA-Z\\])(?:infinity|inf)(?![a-zA-Z])"), r"\\infty "),
    (re.compile(r"\\langle(?![a-z])|⟨"), "("),
    (re.compile(r"\\rangle(?![a-z])|⟩"), ")"),
    (re.compile(r"\A\s*\]([^\[\]]*,)"), r"(\1"),  # ]2, 3[
    (re.compile(r"(,[^\[\]]*)\[\s*\Z"), r"\1)"),
    (re.compile(r"≤"), r"\\le "),
    (re.compile(r"≥"), r"\\ge "),
    (re.compile(r"(?<=[\w)])\s*\*\*\s*(?=[\w({-])"), "^"),
    (re.compile(r"√\s*\(([^()]*)\)|(?<![\w\\])sqrt\s*\(([^()]*)\)|√\s*(\w+)"), r"\\sqrt{\1\2\3}"),
    (re.compile(r"(?<![a-zA-Z\\])pi(?![a-zA-Z])"), r"\\pi"),
)
_SUPERSCRIPT = re.compile(r"(?<=[\w)}])[⁰¹²³⁴-⁹]{1,9}")
_SIGN = re.compile(r"[0-9=^\\+²³]")
_VERB = re.compile(
    r"(?:=>|⇒|→(?=[^→]*=))\s*|\b(?:is|so|hence|thus|therefore|equals|becomes|gives|get"
    r"|(?:simplifies|reduces|comes|evaluates|expands|factors|amounts)\s+(?:to|as|into)),?\s+",
    re.IGNORECASE,
)
_UNIT_BEHIND = re.compile(r"\s+(?:[a-z]{1,2}|units?|degrees?|meters?|inches|feet)[²³]?[.\s]*\Z")
_UNIT = re.compile(  # of one side of a comparison
    r"(?<=[\w)}])\s+(?:(?:square|cubic|sq\.?)\s+)?(?:[mck]?m|in|ft|yd|inch(?:es)?|feet|foot|yards?|miles?"
    r"|(?:centi|milli|kilo)?met(?:er|re)s?|units?|degrees?|rad(?:ians?)?|s|seconds?|minutes?|hours?|k?g|km/h|mph|c?m/s"
    r"|dollars?|lit(?:er|re)s?)(?:\s*\^?\s*\{?[23]\}?)?\Z"
)
_QUANTITY = re.compile(r"\A(?:[A-Z]?[a-z]{3,}\s*|(?:∫|\\int(?![a-z]))[^=]*)=\s*(?=\S)")  # "Area = 9\pi", "∫2x dx = x^2"
_PROSE = re.compile(r"(?<![\\a-zA-Z])(?!sqrt|sin|cos|tan|log|exp|inf)[A-Za-z]{3,}")
_NO_CHAIN = re.compile(r"[<>,;]|\\[lg]e(?![a-z])")
_LONGEST_LINE = 60  # characters of a line that is nothing but mathematics
_AROUND = ' \t\r\n*_`"“”'


@dataclass(frozen=True, slots=True)
class Expression(AnswerRules):
    """An expression, an equation, an interval, a tuple or a set of mathematics."""

    description = "a mathematical expression, such as 2\\sqrt{3} or x^2 - 1"

    def first(self, said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
        answer = _of_statement(settled(said), how) or _of_statement(said, how)
        return FoundAnswer(answer, how) if answer else None

    def last(self, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
        """Without an anchor: the last mathematics that is marked as such, or a last line that is nothing else;
        a text of one line may also be an expression as a whole."""
        tail = _ASIDE.sub("", text[-LONGEST_ANSWER:].rstrip())
        found = [_plain(_inside(one)) for one in _MATHEMATICS.finditer(tail)]
        found = [one for one in found if not one.startswith("^")]  # of a unit: cm$^2$
        line = tail.rpartition("\n")[2]
        ended = _CLAUSE_END.search(line)
        bare = line[: ended.start()] if ended else line
        alone = _SIGN.search(bare) and len(bare) < _LONGEST_LINE and (not ended or not _PROSE.search(bare))
        answer = found[-1] if found else _plain(_concluded(line) or (bare if alone else ""))
        whole = _plain(tail) if len(text) <= LONGEST_ANSWER and "\n" not in tail.strip() else ""
        return FoundAnswer(answer, How.LAST_CANDIDATE if answer else How.NONE, whole) if answer or whole else None

    def every(self, text: str, choices: tuple[str, ...]) -> Iterator[str]:
        """The last few mathematics of a text: each may be compared by Math-Verify."""
        yield from [_plain(_inside(one)) for one in _MATHEMATICS.finditer(text)][-5:]

    def normal(self, answer: str) -> str:
        return _plain(answer[:LONGEST_ANSWER])

    def same(self, left: str, right: str) -> bool:
        if not left or not right:
            return False
        if "".join(left.split()) == "".join(right.split()):
            return True
        bare = _UNIT.sub("", left), _UNIT.sub("", right)
        if (bare[0] != left) != (bare[1] != right):  # one has a unit, the other none
            return self.same(*bare)
        numbers = gold_number(left), gold_number(right)
        if all(numbers):
            return Number().same(*(Number().normal(number) for number in numbers))
        return equal_expressions(_outcome(left, right), _outcome(right, left))

    def is_gold(self, answer: str, choices: tuple[str, ...]) -> bool:
        return bool(_plain(answer))

    def gold_in_row(self, value: Any, options: RowOptions = NO_OPTIONS) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"its answer is not an expression but {type(value).__name__}")
        text = value.strip() if isinstance(value, str) else number_text(value)
        boxed = _BOX.search(text.strip("$ .")) if isinstance(value, str) else None
        return boxed[1].strip() if boxed else text

    def wrong(self, answer: str, choices: tuple[str, ...]) -> str:
        other = with_another_digit(answer)
        return other if other != answer else f"{answer} + 1"

    def as_written(self, line: str, found: str) -> str:
        bare = line.strip(_AROUND)
        return bare if _plain(bare) == _plain(found) else found


def _of_statement(said: str, how: How) -> str:
    if how is How.BOXED:
        return _plain(said)
    marked = _MATHEMATICS.search(said)
    line = first_line(said.lstrip())
    if marked and (marked.start() < len(line) or not line.strip()):
        return _plain(_inside(marked))
    ended = _CLAUSE_END.search(line)
    return _plain(line[: ended.start()] if ended else line)


def _concluded(line: str) -> str:
    """The mathematics in which a sentence ends, without its unit: "The length is 2\\sqrt{3} cm."."""
    *_, verb = [None, *_VERB.finditer(line)]
    said = _UNIT_BEHIND.sub("", line[verb.end() :]) if verb else ""
    return said if _SIGN.search(said) and not _PROSE.search(said) else ""


def _outcome(text: str, other: str) -> str:
    """What a chain of equations comes to, to be compared with `other`: its last side, and its first where `other` is
    an equation itself."""
    sides = text.split("=")
    if len(sides) < 3 or _NO_CHAIN.search(text):
        return text
    return f"{sides[0]}={sides[-1]}" if "=" in other else sides[-1]


def _inside(found: re.Match[str]) -> str:
    return next(part for part in found.groups() if part is not None)


def _plain(text: str) -> str:
    """An expression without the dress of LaTeX, the marks of mathematics and a last full stop."""
    if not text.isascii():
        text = _SUPERSCRIPT.sub(lambda found: f"^{{{unicodedata.normalize('NFKC', found[0])}}}", text)
    text = text.strip(_AROUND).removesuffix(".").strip(_AROUND)
    marked = _MATHEMATICS.fullmatch(text)
    text = _inside(marked) if marked else text
    boxed = _BOX.fullmatch(text.strip())
    text = boxed[1] if boxed else text
    if lines := _LINES.fullmatch(text.strip()):
        rows = [row for one in lines[1].replace("&", " ").split("\\\\") if (row := one.strip(" \n,."))]
        chained = all(row.startswith("=") for row in rows[1:])
        text = " ".join(rows) if chained else rows[-1]
    for pattern, replacement in _DRESS:
        text = pattern.sub(replacement, text)
    return " ".join(_QUANTITY.sub("", text.strip(_AROUND).removesuffix(".").strip("$ ").removeprefix("=")).split())
