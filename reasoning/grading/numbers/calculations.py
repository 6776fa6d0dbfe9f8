"""What a number and the calculation that it begins come to: "16 - 3 = 13", "3 bags × 14 marbles = 42 marbles", roots.

Owns: where a calculation ends, and what of it is not understood. What the digits at one place are worth is
`reasoning.grading.numbers.quantities`.

Invariants
- The line is plain, as in `reasoning.grading.numbers.quantities`; every function looks at a bounded number of
  characters from its place.
- Math-Verify is asked only for what is left: roots, pi, and powers of sums.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reasoning.grading.extraction.found_answer import NO_ANSWER, FoundAnswer, How
from reasoning.grading.extraction.mathematics import decimal, worked_out
from reasoning.grading.numbers.quantities import CANDIDATE, Quantity, quantity_at, sum_at
from reasoning.grading.numbers.units import are_one_measure

_STATEMENT_END = re.compile(r"[.;,?!](?:\s|\Z)|\n|\Z")
HIGHER = re.compile(r"[\\√π]|\^\s*[{(]|\)\s*\^")  # mathematics beyond arithmetic
COMPARED = re.compile(
    r"(?<![=\-<>])[<>≤≥≠±][ =]*[$(]*\Z|(?:\+/-|!=)[ ]*\Z"
)  # what stands before is compared with what follows
_VALUE = re.compile(r"[0-9]|pi")
_EXPRESSION = re.compile(r"\s*\$?((?:\\(?:frac|sqrt|pi)(?![a-z])|[0-9.+\-*/^(){}\s×÷])+)")
_COMMAND = re.compile(
    r"\\(?:binom|dbinom|tbinom|sum|prod|int|log|ln|exp|sin|cos|tan|sqrt|frac|pi|infty|lim|vec|choose|mod)(?![a-z])"
)
_OPERATOR = re.compile(r"[ ]*[-+×*/÷xX=(\w]")
# From a number to the sign of equality that its calculation leads to: units and operators, but no other clause.
_TO_EQUALS = re.compile(
    r"(?:(?!\b(?:since|because|as|or|where|for|from|with|when|if|but)\b)(?:[^=,;(\n]|,(?=[0-9])"
    r"|\([^()=\n]{0,60}\))){0,160}?"
    r"(?:=>?|->|\b(?:equals|gives|makes|yields|is equal to)\b)"
)
_UNIT = re.compile(r"[ ]{0,3}([A-Za-z°][\w°/]*)")
_UNIT_ALONE = re.compile(r"[ ]{0,3}([A-Za-z°][\w°/]*)[ ]*(?:=|equals|is equal to)")
_SLASHES = re.compile(r"[0-9]+(?:[ ]?/[ ]?[0-9]+){2,}")  # a date, or a list
_VARIABLE = re.compile(r"[ ]?(?:[xyzni]\b(?![-'’.][a-z])|\\)")
_BOUND = re.compile(r"[ ]?[<>≤≥≠][ =]*\$?[a-zA-Z]\b")  # "7 ≤ x"
_TERM = re.compile(r"[ ]?[-+*/×][ ]?[b-hj-z]\b(?![-'’.])|[ab]\b(?!['’])")  # "5 + y", "no. 7b"
_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Aug"
    r"|Sept?|Oct|Nov|Dec)"
)
_DAY = re.compile(rf"(?:st|nd|rd|th)?[ ]+(?:of[ ]+)?{_MONTH}\b")

_ENCLOSES = re.compile(r"\\(?:frac|sqrt|[dt]?binom)(?![a-z])")
_SEGMENT = re.compile(r"=|\$|:|(?<![\\A-Za-z])[A-Za-z]{2,}[ ]|[,;.][ ]")  # before which other mathematics ends
_FURTHEST = 120  # characters before a number in which a command may begin that encloses it


def enclosing(line: str, place: int) -> int:
    """Where the mathematics begins in whose LaTeX braces `place` stands; -1 where it stands in none."""
    for found in _ENCLOSES.finditer(line, max(0, place - _FURTHEST), place):
        if line.count("{", found.end(), place) > line.count("}", found.end(), place):
            begun = max(0, found.start() - _FURTHEST)
            return max((one.end() for one in _SEGMENT.finditer(line, begun, found.start())), default=begun)
    return -1


def higher_mathematics(line: str) -> FoundAnswer | None:
    """What mathematics beyond arithmetic is worth; `NO_ANSWER` where it is not understood, None where there is none."""
    statement = line[: _statement_end(line, 0)]
    result = statement.rpartition("=")[2] if not COMPARED.search(statement.rpartition("=")[0]) else statement
    if not HIGHER.search(result):
        return None
    roots = re.sub(r"√[ ]?(?:([0-9.]+)|\(([^()]*)\))", r"\\sqrt{\1\2}", result.replace("π", "\\pi "))
    expression = _EXPRESSION.match(re.sub(r"^[\s$]*[a-zA-Z][ ]?=", "", roots))
    if expression is None or not _VALUE.search(expression[1]):
        return NO_ANSWER if _COMMAND.match(roots.strip(" $")) else None
    rest = roots[expression.end() :]
    value = worked_out(expression[1].strip()) if not rest.startswith("\\") and not _VARIABLE.match(rest) else ""
    if value:
        return FoundAnswer(value, How.MATH_VERIFY)
    return NO_ANSWER if HIGHER.search(expression[1]) or _COMMAND.match(rest) else None


def _statement_end(line: str, start: int) -> int:
    found = _STATEMENT_END.search(line, start)
    return found.start() if found else len(line)


def calculation_at(line: str, start: int) -> Quantity:
    """The number at `start`, or what the calculation that it begins comes to; "" where it is not understood."""
    quantity = quantity_at(line, start)
    if quantity is None:
        return Quantity("", start, start)
    end = quantity.end
    if _BOUND.match(line, end):
        return Quantity("", start, end)
    closed = start > 0 and line[start - 1] == "(" and line.startswith(")", end)  # "(-3)/4"
    if not _OPERATOR.match(line, end + 1 if closed else end):
        return quantity
    stop = _statement_end(line, end)
    place = end
    while found := _TO_EQUALS.match(line, place, stop):
        place = found.end()
    if place > end:
        right = CANDIDATE.search(line, place)
        if right and right.start() - place < 40:
            result = replace(_sum_or_number(line, right.start()), start=start)
            return replace(result, also=quantity.answer) if _is_conversion(line, quantity, result, place) else result
    if start and line[start - 1] == "(" and line.find(")", end, stop) >= 0:
        in_brackets = _sum_or_number(line, start - 1)
        if in_brackets.end > start:
            return replace(in_brackets, start=start)
    return _sum_or_number(line, start)


def _is_conversion(line: str, first: Quantity, result: Quantity, place: int) -> bool:
    """Whether `result`, behind the sign of equality before `place`, is `first` in another unit: "180 min = 3 h". What
    one of a unit is ("1 hour = 60 minutes") is only said to convert by."""
    unit, other_unit = _UNIT_ALONE.fullmatch(line, first.end, place), _UNIT.match(line, result.end)
    if unit is None or other_unit is None or result.worked or result.also or first.answer in ("", "1"):
        return False
    value, again = first.value, result.value
    return value is not None and again is not None and are_one_measure(value, unit[1], again, other_unit[1])


def _sum_or_number(line: str, start: int) -> Quantity:
    """The number at `start`, or what its arithmetic comes to."""
    quantity = quantity_at(line, start)
    if quantity is not None and _SLASHES.match(line, start):
        return Quantity("", start, quantity.end)
    worked = sum_at(line, start)
    if worked is not None and worked[2]:
        value = decimal(worked[0]) if not _VARIABLE.match(line, worked[1]) else ""
        return Quantity(value, start, worked[1], worked=True)
    if quantity is None:
        return Quantity("", start, start)
    if (
        line[quantity.end : quantity.end + 1] == "^"
        or (_VARIABLE.match(line, quantity.end) and line[quantity.end] != " ")  # not "5 x 2 boxes", "5 n"
        or _TERM.match(line, quantity.end)
        or _DAY.match(line, quantity.end)
    ):
        return Quantity("", start, quantity.end)
    return quantity
