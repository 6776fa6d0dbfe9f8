"""The number that a statement or a text comes to: in any dress, in calculations and in words.

Owns: which of the numbers of a statement is the one meant. What a calculation comes to is
`reasoning.grading.numbers.calculations`. Normal form: no commas, currency or trailing zeros, "." before decimals.

Invariants
- Of a calculation ("16 - 3 = 13") the number is its result; of equations with unknowns, the last number they lead to.
- Several numbers ("5 or 7", "5-7", "5, 4, 3", "x > 5") are no answer, unless one restates the other.
- "50%" is 50, and 0.5 as well; "2.5 million" is 2500000, and 2.5 as well; a fraction is its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from reasoning.grading.extraction.conditions import was_not_so
from reasoning.grading.extraction.denials import is_denied, is_denied_after, without_struck
from reasoning.grading.extraction.found_answer import NO_ANSWER, FoundAnswer, How, concluded, first_line
from reasoning.grading.extraction.mathematics import plain
from reasoning.grading.extraction.numerals import plain_numerals
from reasoning.grading.extraction.refusals import leaves_unsaid, refuses
from reasoning.grading.numbers.absolute_values import without_bars
from reasoning.grading.numbers.asides import is_said_besides, without_aside
from reasoning.grading.numbers.calculations import COMPARED, HIGHER, calculation_at, enclosing, higher_mathematics
from reasoning.grading.numbers.number_words import in_digits
from reasoning.grading.numbers.quantities import CANDIDATE, Quantity, quantity_at
from reasoning.grading.numbers.sentences import SEVERAL, told_within, what_comes_of
from reasoning.grading.numbers.several_numbers import THAN, are_labelled, beside_another, ends_list, unless_several

_DIGIT = re.compile(r"[0-9]")
_ANY_DIGIT = re.compile(r"\d|[¼-¾⅐-⅞]")
_UNKNOWN = re.compile(r"(?:[0-9]\s*(?!x\s*[0-9])[a-z]\b|\b[a-z]\s*[-+*/]|[-+*/]\s*[a-z]\b)[^=\n]{0,40}=", re.IGNORECASE)
_REST_OF_DIGITS = re.compile(r"[0-9.,]*(?<![.,])")
_SPOKEN_OPERATOR = re.compile(r"(?<=[0-9])[ ]+(plus|minus|times|multiplied by|divided by)[ ]+(?=[$0-9])", re.IGNORECASE)
_OPERATORS = {"plus": " + ", "minus": " - ", "times": " × ", "multiplied by": " × ", "divided by": " ÷ "}

_FROM_TO = re.compile(r"(?<=[0-9])(?:[ ]+~[ ]*|[ ]*~[ ]+|~(?![0-9]{3}(?![0-9])))(?=[0-9])")  # not the 1~000 of LaTeX
_SIGNED_APART = re.compile(r"[\s$(*:]*-[ ]+(?=[$.0-9])")
_NEGATIVE = re.compile(
    r"(?:\bnegative|(?:\A|\b(?:is|was|be|to|get|at|of|equals|becomes|reads)[ ]+|=[ ]*)"
    r"(?:(?:\w+ly|now|then|about|just|only)[ ]+){0,2}minus)[ ]+\Z",
    re.IGNORECASE,
)
_SIGN_WORD = re.compile(r"\b(?:minus|negative)[ ]*\Z", re.IGNORECASE)
_UPPER_END = re.compile(
    r"[0-9](?:[ ]?-{1,2}|:|[ ]?\.{2,3}|[ ]?…[ ]?|[ ]+(?:or|to)(?:[ ]+[a-z][ ]*=)?[ ]+)\Z"
)  # "5-7", "5 or 7" read from its end

_PREPOSITION = re.compile(
    r"\b(?:in|after|within|during|per|every|over|across|for|from|on|among|between|out of"
    r"|to[ ]+(?:fill|feed|serve|cover|seat|carry|hold|last)"
    r"|of(?=[ ]+(?:the|these|those|all|his|her|their)\b))[ ]+(?:\w+ing[ ]+)?"
    r"(?:(?:the|each|of|all|these|those|their|her|his|its|every|next|last|first|about|just|only"
    r"|days?|weeks?|months?|years?|steps?|rounds?|pages?|rooms?|questions?|problems?|chapters?|grades?|no\.)[ ]+)*\Z",
    re.IGNORECASE,
)
_LEADS_TO = re.compile(r"=|\b(?:equals|gives|makes|yields|is equal to)\b")
_EACH_HAS = re.compile(r"[ ]+\w+[ ]+(?:of|with|at|by)[ ]+[$]?(?:\w+ing[ ]+)?")
_CLAUSE_BREAK = re.compile(r"[,;:=(]|\b(?:so|then|is|are|was|were|has|have|had|and|but)\b", re.IGNORECASE)
_RELATIVE = re.compile(r"[^.;,\n]{0,40},[ ]+(?:which|who|whose|where)\b")
_SENTENCE = re.compile(  # "Ann has 5; Bo has 7" are two of a kind
    r"[.!?](?=\s)|\n|;(?=\s)(?![ ]+(?:(?:and|while|but)[ ]+)?[A-Z]\w*[ ]+(?:has|have|had|gets?|got|is|was|earns?"
    r"|pays?|needs?)[ ]+[$]?[0-9])"
)
_NOTHING_LEFT = re.compile(
    r"\b(?:none|nothing|no \w+) (?:is|are|was|were|will be|remains?) ?(?:left|remaining|over)?\b|\bnone (?:left"
    r"|remain)|\bno \w+ (?:left|remain)"
    r"|\bnone of (?:\w+ ){1,3}(?:is|are|was|were|will be|remains?)(?: left| remaining)\b"
    r"|\b(?:has|have|had|leaves?|left|leaving|ends? up)(?: \w+)?(?: with)? (?:none|nothing)(?: left"
    r"| remaining)?[\s.!*]*\Z"
)
_ONE_ALONE = re.compile(  # "only one"; "one" alone counts nothing
    r"\b(?:(?:only|just|exactly|leaves|left\s+with|there\s+(?:is|was))\s+one|(?:is|only|just)\s+a\s+single"
    r"|\Aa\s+single)\b(?!\s+(?:of|that|who|which|way|more))"
    r"(?:\s+(?!(?:and|plus|or)\b)\w+){0,4}[\s.!]*\Z"
)
_ASKED = re.compile(  # "Is it 48? No."
    r"[^\w?]{0,5}\?(?:\W{0,5}?\s(?:(?P<no>no|nope|not)|(?P<yes>yes|yep|correct|right|indeed|exactly|true))\b)?",
    re.IGNORECASE,
)
_WONDERS = re.compile(
    r"\W*(?:(?:so|but|and|or|then|hmm+|wait)\b,?\s+)*(?:is|are|was|were|isn['’]t|could|can|would|should|might|may"
    r"|what if|do|does"
    r"|did|how about|maybe)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\W*(?:(?:so|but|and|now|then)\b,?\s+)*(?:what|how (?:many|much))\b", re.IGNORECASE)
_BELOW_ZERO = re.compile(
    r"[ ]*(?:°[ ]?[CF]?|degrees?)?(?:[ ]+(?:celsius|fahrenheit))?[ ]+below[ ]+(?:zero|0|freezing)\b", re.IGNORECASE
)
_BEYOND = re.compile(  # "over 10" is not 10
    r"(?:\A|(?<=[\s*_:$(]))(?:over|under|above|below|beyond|exceeds|exceeding|short[ ]of)[ ]+[\s*_$(]*\Z",
    re.IGNORECASE,
)
_OF_IT = re.compile(  # nor is "twice 10"
    r"(?:\A|(?<=[\s*_:$(]))(?:twice|thrice|double|triple|halve|(?<!\ba[ ])half(?:[ ]of)?"
    r"|(?:square|cube)(?:[ ]root)?[ ]of|root[ ]of|log(?:arithm[ ]of)?|ln|sin|cos|tan"
    r"|(?:third|quarter|fifth|tenth|per[ ]?cent|percentage)s?[ ]of)[ ]+[\s*_$(]*\Z",
    re.IGNORECASE,
)
_ROOT = re.compile(r"(?:√|\\sqrt)[ ]?[({]?\Z")
_SUPPOSES = re.compile(r"\W*(?:so\s+|now\s+)?(?:suppose|assume|imagine)\b[^,;]*\Z", re.IGNORECASE)  # "Suppose it is 5"
_AND_MORE = re.compile(r"\+(?=\s*(?:[.,;:!)*]|\Z)|[ ]+[a-z])", re.IGNORECASE)  # "200+ pages"
_PART_OF = re.compile(r"[ ]+of[ ]+(?:which|whom|them|these|those)\b|(?<=[0-9])(?:st|nd|rd|th)\b")
_TAIL = 300
_MOST_SENTENCES = 3  # looked at before the last one that holds a number, where all of its numbers are denied
_AFTER = 100
_AROUND = 48  # characters from a number's beginning that decide what it is, where it ends within half of them
_MOST_REMEMBERED = 10_000


def is_plain(said: str) -> bool:
    """Whether `said` has nothing that must be made plain before numbers are read in it."""
    return "\\" not in said and "{" not in said and "~" not in said and "|" not in said and said.isascii()


def _plain(said: str) -> str:
    if is_plain(said):
        return said
    if "|" in said or "vert" in said:
        said = "\n".join(map(without_bars, said.split("\n")))
    said = _FROM_TO.sub("-", plain_numerals(without_struck(said)))
    return plain(said) if "\\" in said or "{" in said or "~" in said or not said.isascii() else said


def stated_number(said: str, how: How) -> FoundAnswer | None:
    """The number that a statement comes to: its first one, or what its calculation or equation leads to. `NO_ANSWER`
    where it is several, or not understood; None where there is none."""
    said = _plain(said)
    line = first_line(said)
    if " " in line and _SPOKEN_OPERATOR.search(line):
        line = _SPOKEN_OPERATOR.sub(lambda found: _OPERATORS[found[1].lower()], line)
    if HIGHER.search(line):
        found = higher_mathematics(line)
        if found is not None:
            return found
    if "=" in line:
        line = concluded(line)
    start = _first_meant(line)
    if start < 0:
        return _without_digits(line, how)
    if "=" in line and _UNKNOWN.search(line):
        return last_number(said, how)
    before = line[:start]
    if before and COMPARED.search(before):
        return NO_ANSWER
    if (apart := _SIGNED_APART.match(line)) and apart.end() == start and "-" not in line[start : start + 2]:
        return _signed(_resolved(line, start, how))
    if told := told_within(line, start):
        return last_number(told, how)
    first, start = start, what_comes_of(line, start)
    if before and start == first and (_BEYOND.search(before) or _OF_IT.search(before)):
        return NO_ANSWER
    found = _resolved(line, start, how) if start != SEVERAL else NO_ANSWER
    if _SIGN_WORD.search(before):
        return NO_ANSWER if found.answer.startswith("-") else _signed(found)
    return found


def _signed(found: FoundAnswer) -> FoundAnswer:
    if found.answer in ("", "0") or found.answer.startswith("-") or found.also.startswith("-"):
        return found  # once is enough: "- 3 below zero"
    return FoundAnswer(f"-{found.answer}", found.how, found.also and f"-{found.also}")


def _first_meant(line: str) -> int:
    """Where the first number begins that is not denied; -1 where there is none."""
    for found in CANDIDATE.finditer(line):
        end = _end_of_digits(line, found)
        denied = (found.start() > 3 and is_denied(line, found.start())) or (
            end < len(line) and is_denied_after(line, end)
        )
        if not denied:
            return found.start()
    return -1


def _end_of_digits(line: str, found: re.Match[str]) -> int:
    rest = _REST_OF_DIGITS.match(line, found.end())
    return rest.end() if rest else found.end()


def _resolved(line: str, start: int, how: How) -> FoundAnswer:
    """The number at `start`, or the result of the calculation that it begins, unless another one stands beside it."""
    one = calculation_at(line, start)
    if not one.answer:
        return NO_ANSWER
    end = one.end
    found = FoundAnswer(one.answer, How.MATH_VERIFY if one.worked else how, one.also)
    if _BELOW_ZERO.match(line, end) and not found.answer.startswith("-"):
        return _signed(found)
    if end >= len(line) or (line[end] in ".\n" and end + 1 >= len(line.rstrip())):
        return found
    if how is How.BOXED and line[end] == "!":
        return NO_ANSWER  # a factorial; elsewhere a shout
    if _AND_MORE.match(line, end):
        return NO_ANSWER
    return unless_several(line, found, end)


def _without_digits(line: str, how: How) -> FoundAnswer | None:
    """The number that a statement comes to in words: read as if it were in digits."""
    if CANDIDATE.search(line) or (spoken := in_digits(line)) is line:
        return None
    return _spoken(stated_number(spoken, how)) if CANDIDATE.search(spoken) else None


def _spoken(found: FoundAnswer | None) -> FoundAnswer | None:
    return replace(found, how=How.NUMBER_WORDS) if found and found.answer else found


def last_number(text: str, how: How, sentences: int = _MOST_SENTENCES) -> FoundAnswer | None:
    """The last number of a text: the result of its last calculation, or what its last sentence counts, not the days or
    bags in which it does ("42 marbles in 3 bags")."""
    place = _last_digit(text)
    if place < 0:
        return _in_words(text, how)
    start, line = _sentence_around(text, place)
    if refuses(text) or are_labelled(text) or leaves_unsaid(line, place - start):
        return NO_ANSWER
    if sentences and start > 0 and is_said_besides(line):
        return last_number(text[:start], how, sentences - 1) or last_number(line, how, 0)
    if "would" in line and was_not_so(line.lower().rstrip(" .!")):
        return last_number(text[:start], how, sentences - 1) if sentences and start > 0 else NO_ANSWER
    if line.rstrip().endswith("?") and _WONDERS.match(line):
        return NO_ANSWER
    if line.rstrip().endswith("?") and _ASKS.match(line):
        return (last_number(text[:start], how, sentences - 1) if sentences and start > 0 else None) or NO_ANSWER
    if asked := _ASKED.match(text, start + len(line)):
        earlier = last_number(text[:start], how, sentences - 1) if sentences and start > 0 else None
        if asked["no"]:
            return earlier
        if not asked["yes"] and earlier is not None and not is_number_alone(line):
            return earlier  # "Shall I explain step 3?"
        if not asked["yes"] and (text[:start].rstrip().endswith("?") or _WONDERS.match(line)):
            return NO_ANSWER  # "5? 7?", "Could it be 5?"
    line = _plain(line)
    whole, line = without_aside(line)
    if apart := _SIGNED_APART.match(line) if "-" in line[:4] and not text[start:].lstrip().startswith("-") else None:
        line = f"-{line[apart.end() :]}"
    chosen, previous, counted = _told_in(line)
    if chosen is None:
        # all its numbers are denied
        return last_number(text[:start], how, sentences - 1) if sentences and 0 < start < len(text) else None
    if previous is not None and counted is None and previous.answer:
        first = FoundAnswer(previous.answer, how, previous.also)
        joined = beside_another(line, chosen.start, (previous.start, previous.end), first)
        if joined is not None:
            return joined
    return _as_meant(line, counted or chosen, previous, how, whole)


def _told_in(line: str) -> tuple[Quantity | None, Quantity | None, Quantity | None]:
    """Of the numbers of `line` that are not denied the last, the one before it, and the one that it counts where the
    last only says in what ("42 marbles in 3 bags")."""
    chosen: Quantity | None = None
    previous: Quantity | None = None
    counted: Quantity | None = None
    position = 0
    while found := CANDIDATE.search(line, position):
        if found.start() > 3 and is_denied(line, found.start()):
            position = _end_of_digits(line, found)
            continue
        one = calculation_at(line, found.start())
        position = max(one.end, found.end())
        if is_denied_after(line, one.end):
            continue
        if chosen is not None and (
            _PART_OF.match(line, one.end) or _OF_IT.search(line[max(0, found.start() - 24) : found.start()])
        ):
            continue  # "14 loaves, 2 of which are burnt"; "7 days to the 15th"; "18, i.e. twice 9"
        within = _PREPOSITION.search(line, max(0, one.start - 40), one.start) and not _LEADS_TO.search(
            line, one.start, one.end
        )
        if counted is not None and _EACH_HAS.fullmatch(line, chosen.end if chosen else 0, one.start):
            pass  # "56 chairs in 8 rows of 7"
        elif chosen is None or not within:
            counted = None
        elif counted is None and (
            _RELATIVE.match(line, chosen.end) or not _CLAUSE_BREAK.search(line, chosen.end, one.start)
        ):
            counted = chosen
        previous, chosen = chosen, one
    return chosen, previous, counted


def _as_meant(line: str, chosen: Quantity, previous: Quantity | None, how: How, whole: str) -> FoundAnswer:
    """What `chosen` comes to with what stands around it in `line`. `NO_ANSWER` where it is a bound, a part of another
    number or one of several. `whole`: the line with the aside at its end, if it has one."""
    if "\\" in line and (within := enclosing(line, chosen.end)) >= 0:
        return higher_mathematics(line[within:]) or NO_ANSWER
    root = _ROOT.search(line, max(0, chosen.start - 12), chosen.start)
    begun = root.start() if root else chosen.start
    if HIGHER.search(line, begun, chosen.end + 8) and (higher := higher_mathematics(line[begun:])):
        return higher
    if _AND_MORE.match(line, chosen.end) or _SUPPOSES.match(line):
        return NO_ANSWER
    if ends_list(line, begun, chosen.end):
        return NO_ANSWER
    if _UPPER_END.search(line, max(0, begun - 20), begun) and (
        previous is None or previous.answer not in (chosen.answer, chosen.also)
    ):
        return NO_ANSWER
    before = line[max(0, begun - 24) : begun]
    if (
        not chosen.answer
        or THAN.match(line, chosen.end)
        or (before and (COMPARED.search(before) or _BEYOND.search(before) or _OF_IT.search(before)))
    ):
        return NO_ANSWER
    stated = FoundAnswer(chosen.answer, How.MATH_VERIFY if chosen.worked else how, chosen.also)
    negative = chosen.answer[0] != "-" and (
        _NEGATIVE.search(line, max(0, begun - 40), begun) or _BELOW_ZERO.match(line, chosen.end)
    )
    if whole:  # "1.5 hours (90 minutes)"
        restated = unless_several(whole, stated, chosen.end)
        stated = restated if restated.answer else stated
    return _signed(stated) if negative else stated


def _last_digit(text: str) -> int:
    found = _DIGIT.search(text[: -_AFTER - 1 : -1]) or _DIGIT.search(text[::-1])  # read from its end
    if not text.isascii():
        wide = _ANY_DIGIT.search(text[::-1])
        found = wide if wide and (found is None or wide.start() < found.start()) else found
    return len(text) - 1 - found.start() if found else -1


def _sentence_around(text: str, place: int) -> tuple[int, str]:
    """The sentence that holds the character at `place`, and where it begins."""
    begun = max(0, place - _TAIL)
    start = begun
    for found in _SENTENCE.finditer(text, begun, place):
        start = found.end()
    after = _SENTENCE.search(text, place, place + _AFTER)
    return start, text[start : after.start() if after else place + _AFTER]


def _in_words(text: str, how: How) -> FoundAnswer | None:
    """The number in words in the last sentence of a text without digits."""
    tail = text[-_TAIL:].rstrip()
    sentence = tail[max((found.end() for found in _SENTENCE.finditer(tail)), default=0) :]
    low = sentence.lower()
    if _NOTHING_LEFT.search(low):
        return FoundAnswer("0", How.NUMBER_WORDS)
    if _ONE_ALONE.search(low):
        return FoundAnswer("1", How.NUMBER_WORDS)
    spoken = in_digits(sentence)
    found = last_number(spoken, how, 0) if spoken is not sentence and not refuses(text) else None
    return _spoken(found) if found is None or found.answer != "1" or found.also else None


def every_number(text: str) -> Iterator[str]:
    """All numbers of a text, in both readings where there are two."""
    line = text if is_plain(text) else plain_numerals(text).replace("{,}", ",")
    ends: dict[str, int] = {}  # where a number ends that stands in the same surroundings as one before it
    position = 0
    for found in CANDIDATE.finditer(line):
        start = found.start()
        if start < position:
            continue
        around = line[start - 1 if start else 0 : start + _AROUND]
        if around in ends:
            position = start + ends[around]
            continue
        quantity = quantity_at(line, start)
        position = found.end()
        if quantity is None:
            continue
        position = max(position, quantity.end)
        if len(ends) < _MOST_REMEMBERED and position - start < _AROUND // 2 and not around[-8:].isspace():
            ends[around] = position - start
        if quantity.answer:
            yield quantity.answer
        if quantity.also:
            yield quantity.also


def is_number_alone(line: str) -> bool:
    """Whether `line` is a number and its marks, and nothing else."""
    line = _plain(line)
    found = CANDIDATE.search(line)
    if found is None:
        return False
    quantity = quantity_at(line, found.start())
    return quantity is not None and not f"{line[: found.start()]}{line[quantity.end :]}".strip(" .*$%!_\r\n")
