"""Which number of a whole sentence is what it comes to: "4 boxes of 9 pens each make 36 pens".

Owns: the verbs that lead from what is given to what comes of it.

Invariants
- The line is plain, as in `reasoning.grading.numbers.quantities`, and a statement of at most a few hundred
  characters.
- Where neither a verb nor arithmetic says which of two numbers comes of the other ("4 cars need 16 wheels"), it is
  none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import prod

from reasoning.grading.numbers.quantities import CANDIDATE, Quantity, quantity_at

_MOST_NUMBERS = 8  # of a statement that are looked at
_FILL = r"(?:(?:a[ ]+total[ ]+of|exactly|only|just|about|us|her|him|them|you|with|together)[ ]+)*\Z"
_COMES_TO = re.compile(
    r"(?<!\bto[ ])\b(?:equal|equals|(?:come|comes|amount|amounts|add|adds|sum|sums)[ ]+(?:up[ ]+)?to|total|totals"
    rf"|results?[ ]+in|for[ ]+a[ ]+total[ ]+of)[ ]+{_FILL}",
    re.IGNORECASE,
)
_GIVING = re.compile(rf",[ ]+(?:thus[ ]+|so[ ]+)?(?:giving|making|totall?ing|yielding)[ ]+{_FILL}", re.IGNORECASE)
_IS = re.compile(r"[ ](?:is|are)[ ]+\Z", re.IGNORECASE)
_NOT_WHAT_IS = re.compile(r"[ ]*(?:%|more|less|fewer|times|percent|per|of|years?|x\b|×|\*|/)", re.IGNORECASE)
_HAS = re.compile(  # "it takes 6 hours to make 42" is not 42
    r"(?<!\bto[ ])\b(?:make|makes|give|gives|yield|yields|leave|leaves|have|has|hold|holds|need|needs|get|gets|contain"
    r"|contains|use|uses|require|requires|produce|produces|weigh|weighs|cost|costs|earn|earns|pack|packs)[ ]+"
    rf"{_FILL}",
    re.IGNORECASE,
)
_SO = re.compile(r",[ ]+(?:so|thus|hence|therefore)[ ]+(?:\w+[ ]+){0,4}?\Z", re.IGNORECASE)
_STEP = re.compile(r",[ ]+(?:then[ ]+)?(?:plus|minus|less|times|and)\b", re.IGNORECASE)
_GOES_ON = re.compile(
    r",[ ]+(?:(?:then[ ]+)?(?:plus|minus|less|times|and)|so|thus|hence|therefore|giving|making|totall?ing|yielding)\b",
    re.IGNORECASE,
)
_IN_ALL = re.compile(r"[^.,;\n]{0,40}\b(?:altogether|in[ ]+total|in[ ]+all|total)\b", re.IGNORECASE)
_APART = re.compile(r"[=;\n?()]|\b(?:because|since|which|who|if|when|where|not|but|or)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!](?:\s|\Z)|\n")
_WITHIN = re.compile(
    r"[\s*_:]*(?:in|on|after|within|over|during|from|with|for|at|by|among|between|across|every|each[ ]+of|of)[ ]+"
    r"(?:(?:the|these|those|all|his|her|its|their)[ ]+)?[$]?\Z",
    re.IGNORECASE,
)

SEVERAL = -1


def told_within(line: str, start: int) -> str:
    """The sentence whose first number, at `start`, says only in what another is counted ("In 3 hours she packs 36
    crates"); "" where it is the number meant."""
    if not line[:start].strip() or not _WITHIN.match(line[:start]):
        return ""
    ended = _SENTENCE_END.search(line, start)
    stop = ended.start() if ended else len(line)
    first = quantity_at(line, start)
    other = CANDIDATE.search(line, first.end, stop) if first else None
    counted = quantity_at(line, other.start()) if other else None
    return line[:stop] if counted and not _NOT_WHAT_IS.match(line, counted.end) else ""


def what_comes_of(line: str, start: int) -> int:
    """Where the number stands that the statement with its first number at `start` comes to: usually there. `SEVERAL`
    where it cannot be told from another."""
    ended = _SENTENCE_END.search(line, start)
    stop = ended.start() if ended else len(line)
    numbers: list[Quantity] = []
    place, chosen, several = start, start, False
    while len(numbers) < _MOST_NUMBERS and (found := CANDIDATE.search(line, place, stop)):
        one = quantity_at(line, found.start())
        if one is None:
            break
        if numbers:
            gap = line[numbers[-1].end : found.start()]
            if _APART.search(gap) or ("," in gap and not _GOES_ON.search(gap)):
                break
            comes = _comes(line, gap, numbers, one)
            if comes is False and "," in gap and not _STEP.search(gap):
                break
            several = comes is None or (several and not comes)
            chosen = found.start() if comes else chosen
        numbers.append(one)
        place = max(one.end, found.end())
    return SEVERAL if several and chosen == start else chosen


def _comes(line: str, gap: str, numbers: Sequence[Quantity], one: Quantity) -> bool | None:
    """Whether number `one` is what the `numbers` before it come to, None where that cannot be told."""
    if "," not in gap and _COMES_TO.search(gap):
        return True
    if len(numbers) > 1 and _GIVING.search(gap):
        return True
    if "," not in gap and _IS.search(gap) and not _NOT_WHAT_IS.match(line, one.end):
        begun = line[: numbers[0].start].rstrip().lower()
        given = len(numbers) > 1 or begun.endswith((" of", "twice", "double", "triple", "half")) or " of " in gap
        return given and not one.per_cent
    if _SO.search(gap):
        return _comes_of(one, numbers)
    if "," not in gap and _HAS.search(gap):
        told = _IN_ALL.match(line, one.end) or _comes_of(one, numbers)
        return True if told else None
    return "," not in gap and " and " not in gap and _IN_ALL.match(line, one.end) is not None


def _comes_of(one: Quantity, numbers: Sequence[Quantity]) -> bool:
    """Whether a number is the product, sum or difference of the last two before it, or the product or sum of all."""
    values = [number.value for number in numbers]
    known = [value for value in values if value is not None]
    if one.value is None or len(known) < 2 or len(known) < len(values):
        return False
    first, second = known[-2:]
    worked: tuple[Fraction, ...] = (first * second, first + second, first - second, prod(known, start=Fraction(1)))
    return one.value in worked or one.value == sum(known)
