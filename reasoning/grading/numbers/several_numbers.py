"""Numbers that stand beside another: alternatives, ranges, lists, one thing counted beside another, and restatements.

Owns: whether what follows a number makes it one of several ("5 or 7", "5-7", "5, 4, 3", "5 apples and 3 pears", "x = 3,
y = 5"), says it again ("1/6, or 0.167"), or is a part of it ("12 dollars and 50 cents", "2 hours and 30 minutes").

Invariants
- The line is plain, as in `reasoning.grading.numbers.quantities`; every function looks at a bounded number of
  characters behind its place.
- Of several nobody can say which is meant, so they are no answer.
"""

from __future__ import annotations

import re
from fractions import Fraction

from reasoning.grading.extraction.found_answer import NO_ANSWER, FoundAnswer
from reasoning.grading.extraction.mathematics import decimal
from reasoning.grading.numbers.quantities import Quantity, quantity_at
from reasoning.grading.numbers.units import are_one_measure, known_unit

_WORDS = r"(?:[ ]+(?!or\b|and\b)[A-Za-z%°][\w°%/'’-]*){0,3}?"
_ALTERNATIVE = re.compile(
    rf"{_WORDS}[*_]{{0,2}}[ ]*[,?]?[ ]*[(\[]?[ ]*(?:((?<![A-Za-z])(?:or|and/or|maybe|perhaps"
    r"|possibly|alternatively|oder|ou|oppure|[oóu]|или|або|lub|albo|eller|veya|atau|hoặc|หรือ|또는|または|或者?))"
    r"|i\.e\.,?|that is,?|≈|(?<=[(])(?=[0-9]))[ ]*"
    r"(?:(?:maybe|perhaps|possibly|even|about|approximately|exactly|roughly|around|just|rather|else|also|equivalently"
    r"|it is|[a-z][ ]*=)[ ]+)*",
    re.IGNORECASE,
)
_AGAIN = re.compile(  # "180 minutes, which is 3 hours"
    rf"{_WORDS}[*_]{{0,2}},?[ ]+which[ ]+(?:is|equals|makes|comes[ ]+to)[ ]+"
    r"(?:(?:equal[ ]+to|the[ ]+same[ ]+as|about|approximately|exactly|roughly|around|just)[ ]+)*",
    re.IGNORECASE,
)
_WITH_REST = re.compile(  # "33 bags, with 1 left over"
    rf"{_WORDS},?[ ]+(?:with|leaving|and(?:[ ]+(?:has|have|had|there[ ]+(?:is|are)))?)[ ]+"
)
_LEFT_OVER = re.compile(r"(?:[ ]+\w+){0,2}?[ ]+(?:left[ -]?over|as[ ]+a[ ]+remainder)\b")
_LARGER = re.compile(r"[0-9][ ]?([A-Za-z]+),?[ ]+(?:and[ ]+)?\Z")
_OPERATOR_BEFORE = re.compile(r"(?:[-+*/×÷]|\b(?:times|plus|minus|by|of))[ ]*[$]?\Z")
_OPERATOR = re.compile(r"[ ]*[-+*/×÷=]")
_RANGE = re.compile(
    r"[ ]*(?:-{1,2}|±|\+/-|to|up to|until|till|through|bis|hasta|до|到|至|から|:|/|\||\.{2,3}|…|vs\.?)[ ]*"
    r"(?=[$]?[0-9])",
    re.IGNORECASE,
)
THAN = re.compile(  # "8 more than 10"
    r"[ ]+(?:\w+[ ]+)?(?:more|less|fewer|greater|higher|lower|older"
    r"|younger)[ ]+than[ ]+[$]?[0-9][0-9.,]*[^0-9]{0,30}\Z",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"[ ]*[,;][ ]*(?:and[ ]+|or[ ]+)?[-$]?[0-9][0-9.]*(?=[ ]*(?:[,;)\]}$]|\.?[ ]*(?:\Z|\n)|and\b|or\b))"
    r"|[ ]+(?:and|&)[ ]+[-$]?[0-9][0-9.,]*[ ]*(?:[.,;)\]}$]|\Z)",
    re.IGNORECASE,
)
_LISTED_BEFORE = re.compile(r"(?:[-$]?[0-9][0-9.]*[ ]*[,;][ ]*){1,40}\Z")  # "5, 4, " of "5, 4, 3"
_LIST_ENDS = re.compile(r"[\s.!*_)\]}$]*\Z")
_UNIT = re.compile(r"[ ]*([$%¢]|[A-Za-z°][\w°%/]*(?:[ ]per[ ](?:hour|second))?)")
_CONVERSIONS = frozenset(
    (2, 3, 4, 7, 10, 12, 14, 16, 24, 28, 30, 31, 36, 52, 60, 100, 365, 1000, 1440, 1760, 3600, 5280)
)

# One counted thing beside another. A verb behind the second makes it the subject of a clause of its own.
_VERB = (
    r"(?:is|are|was|were|be|been|has|have|had|will|would|can|remains?|makes?|gives?|equals?|leaves?|more|less|fewer"
    r"|times|of|out|in|per|each|every|because|since|so|which|that)\b"
)
_BESIDE = re.compile(
    rf"(?P<thing>(?:[ ]+(?!or\b|and\b|{_VERB})[A-Za-z%°][\w°%/'’-]*){{0,3}}?)[ ]*"
    r"(?:,[ ]+(?:and[ ]+)?|[ ]+(?:and|&|plus)[ ]+)(?P<name>[A-Za-z][ ]*=[ ]*)?(?=-?[$€£¥₹]?[0-9])",
    re.IGNORECASE,
)
_ENDS = re.compile(
    rf"(?:[ ]+(?!{_VERB})[A-Za-z%°][\w°%/'’-]*){{0,3}}?[ ]*"
    r"(?:[.;:!?)\]*]|,[ ]+(?:and[ ]+)?(?=[0-9])|,?[ ]+(?:and|respectively)\b|\Z|\n)",
    re.IGNORECASE,
)
_SMALLER = re.compile(r"(?P<thing>[ ]?[A-Za-z]+)[ ]+(?P<name>)(?=[0-9])")  # "2 hours 30 minutes"
_PARTS_OF = {  # what a word means only behind a larger unit
    "euros": (("cent", "cents"), Fraction(1, 100)),
    "pounds": (("penny", "pence", "p"), Fraction(1, 100)),
    "time": (("m",), Fraction(60)),
}
# "Ducks: 17, geese: 9" are two, unless the second is what they come to.
_LABEL = r"[A-Za-z][\w'’ -]{0,30}[*_]*:[*_ ]*[$€£]?-?[0-9][0-9.,]*(?<![.,])(?:[ ](?!and\b)\w+){0,2}"
_LABELLED = re.compile(
    rf"(?:\A|[.!?\n(]|,)[\s*_-]*{_LABEL}(?:[,;][ ]*(?:and[ ]+)?|[ ]+and[ ]+)(?P<last>{_LABEL})[\s.!*)]*\Z"
)
_SUMS_UP = re.compile(
    r"total|sum|answer|result|all|left|remain|differ|final|combined|together|overall|profit|average|mean|ratio"
    r"|product|so\b",
    re.IGNORECASE,
)
_LONGEST_LABELLED = 160
_MAY_BE = re.compile(
    r"\b(?:could|might|may|can)(?:[ ]+\w+)?[ ]+(?:be|have|equal)[ ]+(?:\w+[ ]+){0,2}?[$]?\Z", re.IGNORECASE
)
_NAMED = re.compile(r"\b[A-Za-z][ ]*=[ ]*\Z")
_BETWEEN = re.compile(r"\bbetween[ ]+[$]?\Z", re.IGNORECASE)
_WITHIN = re.compile(
    r"\b(?:in|on|after|within|during|over|with|among|from|for|of)[ ]+(?:the[ ]+)?[$]?\Z", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[ ]*(?:[a-z]\w*(?:[ ]+(?!older|younger|more|less|fewer|taller|shorter)[a-z]\w*){0,2}[ ]*)?[,;]?[ ]+"
    r"(?:(?:and|while|but)[ ]+)?"
    r"(?:[A-Z]\w*|she|he|they|the[ ](?:other|second|latter)|another)[ ]+(\w+)"
    r"[ ]+\Z"
)
_VERB_BEFORE = re.compile(r"\b(?:[A-Z]\w*|she|he|they|(?i:one)(?:[ ]\w+)?|the[ ](?:first|former))[ ]+(\w+)[ ]+\Z")


_SAME_VERB = re.compile(  # "35% are taken and 65% are free"
    r"[ ]*%?(?:[ ]\w+){0,2}?[ ](are|is|were|was)[ ]\w+(?:[ ]\w+){0,2}?,?[ ]+(?:and|while|but)[ ]+\Z", re.IGNORECASE
)
_VERB_AFTER = re.compile(
    r"[ ]*%?(?:[ ]\w+){0,2}?[ ](?:are|is|were|was)[ ](?!left|remaining|the)\w+[\s.!]*\Z", re.IGNORECASE
)


def are_labelled(text: str) -> bool:
    """Whether a text ends in several numbers, each with a name of its own: "Ducks: 17, geese: 9"."""
    tail = text[-_LONGEST_LABELLED:]
    if tail.count(":") < 2:
        return False
    found = _LABELLED.search(tail)
    return found is not None and _SUMS_UP.search(found["last"]) is None


def unless_several(line: str, found: FoundAnswer, end: int) -> FoundAnswer:
    """`found`, which ends at `end`, unless what follows is another candidate: "5 or 7", "5-7", "5, 4, 3", "5 apples and
    3 pears". Restated it is the same, or more exact; with a smaller unit ("2 hours and 30 minutes") both."""
    if alternative := _ALTERNATIVE.match(line, end):
        other = quantity_at(line, alternative.end())
        if other is not None and other.answer:
            return _restated(line, found, end, other, bool(alternative[1]))
    if again := _converted(line, found, end):
        return again
    if (after := _RANGE.match(line, end)) and quantity_at(line, after.end()):
        return NO_ANSWER
    if _LIST.match(line, end) or THAN.match(line, end):
        return NO_ANSWER
    beside = _BESIDE.match(line, end) or _SMALLER.match(line, end)
    other = quantity_at(line, beside.end()) if beside else None
    return found if beside is None or other is None else _counted_beside(line, found, beside, other)


def ends_list(line: str, start: int, end: int) -> bool:
    """Whether the number from `start` to `end` is the last of a list with nothing but numbers, of three or more or of
    the whole line; not of one that counts: "1, 2, 3, 4"."""
    if "," not in line and ";" not in line:
        return False
    before = _LISTED_BEFORE.search(line, max(0, start - _LONGEST_LABELLED), start)
    if before is None or not _LIST_ENDS.match(line, end):
        return False
    listed = [number.strip(" $") for number in re.split("[,;]", before[0])][:-1]
    counts = [*listed, line[start:end].strip(" $")] == [str(place) for place in range(1, len(listed) + 2)]
    return not counts and (len(listed) > 1 or not line[: before.start()].strip(" \n.*_([{$"))


def beside_another(line: str, start: int, before: tuple[int, int], first: FoundAnswer) -> FoundAnswer | None:
    """What the last number of a sentence, at `start`, is worth beside the one that stands at `before`, `first`:
    `NO_ANSWER` where they are two of several, both together where the second is a smaller unit, None where the last
    stands for itself."""
    begun, end = before
    other = quantity_at(line, start)
    if other is None or other.answer == first.answer:
        return None
    if (alternative := _ALTERNATIVE.match(line, end)) and alternative.end() == start:
        restated = _restated(line, first, end, other, bool(alternative[1]) and not _OPERATOR.match(line, other.end))
        if restated is not NO_ANSWER and (
            restated is not first or (first.also and first.also in (other.answer, other.also))
        ):
            return restated
        return None if restated is first or _sums_up(line, begun, first, other) else NO_ANSWER
    if again := _converted(line, first, end, start):
        return again
    if (rest := _WITH_REST.match(line, end)) and rest.end() == start and _LEFT_OVER.match(line, other.end):
        return FoundAnswer(other.answer, first.how, first.answer)
    if _MAY_BE.search(line, max(0, start - 40), start) and _MAY_BE.search(line, max(0, begun - 40), begun):
        return NO_ANSWER
    if _BETWEEN.search(line, max(0, begun - 12), begun):
        return NO_ANSWER if _ENDS.match(line, other.end) else None
    beside = _BESIDE.match(line, end) or _SMALLER.match(line, end)
    if beside and beside.end() == start:
        if "," in beside[0] and _WITHIN.search(line, max(0, begun - 24), begun):
            return None  # "With 5 trays, 60 loaves."
        joined = _counted_beside(line, first, beside, other, named=bool(_NAMED.search(line, max(0, begun - 8), begun)))
        return None if joined is first else joined
    if (alike := _SAME_VERB.match(line[:start], end)) and _VERB_AFTER.match(line, other.end, other.end + 40):
        return NO_ANSWER if f" {alike[1].lower()} " in line[other.end : other.end + 40].lower() else None
    if (clause := _CLAUSE.match(line[:start], end)) and (verb := _VERB_BEFORE.search(line[max(0, begun - 40) : begun])):
        return NO_ANSWER if clause[1] == verb[1] and _ENDS.match(line, other.end) else None
    return None


def _sums_up(line: str, begun: int, first: FoundAnswer, other: Quantity) -> bool:
    """Whether an alternative is what stands before it, rounded ("12.5, or 13 boxes") or worked out ("1 hour 30 minutes,
    or 1.5 hours", "7 times 3, or 21")."""
    rounded = "." in first.answer and "." not in other.answer and other.value is not None
    if rounded and other.value is not None and abs(Fraction(first.answer) - other.value) < 1:
        return True
    if _OPERATOR_BEFORE.search(line, max(0, begun - 24), begun):
        return True
    larger = _LARGER.search(line, max(0, begun - 24), begun)
    return larger is not None and known_unit(larger[1]) is not None


def _counted_beside(
    line: str, found: FoundAnswer, beside: re.Match[str], other: Quantity, *, named: bool = False
) -> FoundAnswer:
    thing, value = beside["thing"].strip(), other.value
    unit = _UNIT.match(line, other.end)
    before = line[: beside.start()]
    large = known_unit(thing) or (known_unit("$") if "$" in before[-20:] and not thing else None)
    small = known_unit(unit[1]) if unit else None
    if large and unit and large[0] in _PARTS_OF and unit[1].lower() in _PARTS_OF[large[0]][0]:
        small = (large[0], _PARTS_OF[large[0]][1])
    if large and small and large[0] == small[0] and small[1] < large[1] and value is not None and found.answer:
        whole = Fraction(found.answer) * large[1] + value * small[1]
        return FoundAnswer(decimal(whole / large[1]), found.how, decimal(whole / small[1]))
    if beside.re is _SMALLER:
        return found
    if not thing and "," in beside[0] and not (named and beside["name"]):
        return found  # "5, 3 of which are red": a list has nothing but numbers
    return NO_ANSWER if other.answer != found.answer and _ENDS.match(line, other.end) else found


def _restated(line: str, found: FoundAnswer, end: int, other: Quantity, alternative: bool) -> FoundAnswer:
    value, again = Fraction(found.answer), other.value
    if again is None:
        return NO_ANSWER if alternative else found
    digits, more = (len(number.partition(".")[2]) for number in (found.answer, other.answer))
    if min(digits, more) and abs(again - value) * 2 * 10 ** min(digits, more) <= 1:
        return FoundAnswer(other.answer, found.how, found.also) if more > digits else found
    if again == value or other.answer == found.also or (other.also and other.also == found.also):
        return found
    if _is_rounded(other.also, value) or _is_rounded(found.also, again):  # "$0.75 (75 cents)", "1/3, or 33%"
        return FoundAnswer(found.answer, found.how, other.answer)
    unit, other_unit = _UNIT.match(line, end), _UNIT.match(line, other.end)
    if unit and other_unit and value and again:
        ratio = max(again / value, value / again)
        if (ratio in _CONVERSIONS and unit[1].lower() != other_unit[1].lower()) or are_one_measure(
            value, unit[1], again, other_unit[1]
        ):
            return FoundAnswer(found.answer, found.how, other.answer)
    return NO_ANSWER if alternative else found


def _is_rounded(decimals: str, value: Fraction) -> bool:
    """Whether `decimals`, as of "33%", are `value` to at least two places."""
    return "." in decimals and abs(Fraction(decimals) - value) * 2 * 10 ** max(2, len(decimals.partition(".")[2])) <= 1


def _converted(line: str, found: FoundAnswer, end: int, start: int = -1) -> FoundAnswer | None:
    """Both readings of `found`, which ends at `end`, where the number behind it (at `start`, if that is given) is the
    same in another unit; None where it is not."""
    again = _AGAIN.match(line, end)
    other = quantity_at(line, again.end()) if again and start in (-1, again.end()) else None
    unit, other_unit = _UNIT.match(line, end), _UNIT.match(line, other.end) if other else None
    if other is None or other.value is None or not unit or not other_unit or not found.answer:
        return None
    same = are_one_measure(Fraction(found.answer), unit[1], other.value, other_unit[1])
    return FoundAnswer(found.answer, found.how, other.answer) if same else None
