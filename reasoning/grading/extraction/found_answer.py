"""An answer found in a text and how it was found; what a speaker takes back; the search from a text's end.

Owns: the record that every kind of answer hands to `reasoning.grading.answers`, and the reading that kinds share.

Invariant: total: every function accepts every string, never raises, and takes time linear in its length.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from reasoning.grading.extraction.denials import without_struck


class How(StrEnum):
    """The way an answer was found: after which anchor, or, where it had to be worked out, by what."""

    ANCHORED = "anchored"  # after "the answer is", "Answer:" and the like
    ARROW = "arrow"  # after "-->"
    HASH_MARKS = "hash_marks"  # after "####"
    BOXED = "boxed"  # in \boxed{}
    OPTION_TEXT = "option_text"  # an option's text instead of its letter
    NUMBER_WORDS = "number_words"  # "thirty-seven"
    MATH_VERIFY = "math_verify"  # an expression, worked out by Math-Verify
    LEADING = "leading"  # the text begins with it, as one does that goes on after "the answer is"
    LAST_CANDIDATE = "last_candidate"  # without an anchor: the last one of the text
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """An answer in its normal form ("" when there is none). `also` is a second reading that is as good, "" without:
    0.5 of "50%", 2.5 of "2.5 million"."""

    answer: str
    how: How
    also: str = ""


NO_ANSWER = FoundAnswer("", How.NONE)


LONGEST_ANSWER = 400  # characters in which one answer is looked for

_SECOND_THOUGHT = re.compile(
    r"(?:wait|actually|correction|scratch that|hold on|hmm+, no(?=[,:.])|oops"
    r"|(?:but|however,?) (?:i|we) (?:get|got|obtain|calculated?)(?= [$€£]?[0-9][0-9.,]*[\s.!*]*\Z)"
    r"|(?:that|this|it)(?: does not|(?: doesn|doesn)['’]t| can['’]t| cannot)"
    r" (?:(?:look|seem|sound|feel|be) (?:right|correct)|add up|make sense)|something(?: is|['’]s) (?:wrong|off)"
    r"|i meant?|sorry|on (?:second thought|reflection)"
    r"|(?<=[.?!] )no,|(?<=[0-9], )no,|(?<=\b[a-j], )no,|(?<=[—–-] )no,"
    r"|(?<=, )no,(?= (?:(?:it['’]s|it is|make that|rather|only|that['’]s) )?[$€£(]?[0-9])"
    r"|let me (?:re(?:check|consider|think|do|calculate|compute|count|read|view|start|evaluate|work|try|examine"
    r"|-\w+))\w*"
    r"|edit(?=:)|i (?:forgot|missed|overlooked|miscounted|miscalculated|misread)|i (?:made|was) (?:a mistake|an error"
    r"|wrong)|that(?:['’]s| is| was) (?:wrong|not right|incorrect"
    r"|a mistake))(?!\w)"
)
_NOT_BUT = re.compile(r"\bnot\b[^.\n]{1,80}?\bbut\b", re.IGNORECASE)
_SO = re.compile(r"[,;] (?:so|thus|hence|therefore)\b")
_PREMISE = re.compile(r"[0-9].*(?:\bis\b|=).*[0-9]")
_EQUATION = re.compile(r"[0-9].*=.*[0-9]")
_WINDOWS = (128, 4096)  # characters from the end, before the whole text is read
_LONGEST_MATCH = 100


def settled(said: str) -> str:
    """`said` as it stands corrected: without what is denied ("not 5 but") and from its last second thought on, where
    there are words after it ("5. No, wait: 6")."""
    said = without_struck(said)
    if " but " in said:
        said = _NOT_BUT.sub("", said)
    low = said.lower()  # without capitals, the pattern is searched by its first letters
    if len(low) != len(said) or not _SECOND_THOUGHT.search(low):
        return said
    thoughts = [found.end() for found in _SECOND_THOUGHT.finditer(low) if not low[: found.start()][-1:].isalnum()]
    return said[thoughts[-1] :] if thoughts else said


_WITHDRAWN = re.compile(
    r"[.!?\n][\s*]*(?:(?:but|no|wait|hmm+)\b,?\s+)*(?:that|this|it)(?:(?:['’]s|\s+is|\s+was"
    r"|\s+must\s+be)\s+(?:clearly\s+)?"
    r"(?:wrong|incorrect|not\s+right|not\s+correct|a\s+mistake|impossible)|\s+can(?:not|\s+not"
    r"|['’]t)\s+be(?:\s+(?:right|correct|true|it))?"
    r"|\s+(?:is\s+not|isn['’]t)\s+(?:right|correct|it))[\s.!*]*\Z|[.!?]\s+(?-i:No)[.!]\s*\Z",
    re.IGNORECASE,
)
_WITHDRAWING = ("wrong", "right", "correct", "mistake", "impossible", "t be", "t true", "t it", ". No", "! No", "? No")
_LONGEST_WITHDRAWAL = 60
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")


def before_withdrawal(text: str) -> str | None:
    """What stands before a sentence that `text` ends by calling wrong ("42. That is incorrect."); None where it does
    not."""
    if not text.rstrip(" \n.!*").endswith(_WITHDRAWING):
        return None
    found = _WITHDRAWN.search(text, max(0, len(text) - _LONGEST_WITHDRAWAL))
    if found is None:
        return None
    ends = [end.end() for end in _SENTENCE_END.finditer(text, max(0, found.start() - LONGEST_ANSWER), found.start())]
    return text[: ends[-1]] if ends else ""


def concluded(line: str) -> str:
    """The conclusion of "1 hour is 60 min, so 60 - 18 = 42 min": what an equation follows from is not the answer."""
    so = _SO.search(line)
    if so is None or not _EQUATION.search(line, so.end()) or not _PREMISE.search(line[: so.start()]):
        return line
    return line[so.end() :]


def first_line(said: str) -> str:
    """The first line of `said`, which begins with it."""
    return said.partition("\n")[0]


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The last match of `pattern` in `text`, looked for from the end. A match must be shorter than 100 characters."""
    for window in _WINDOWS:
        start = len(text) - window
        if start <= 0:
            break
        # one that begins at the window's edge may be a part of another
        found = [match for match in pattern.finditer(text, start) if match.start() >= start + _LONGEST_MATCH // 4]
        if found:
            return found[-1]
    newest = deque(pattern.finditer(text), maxlen=1)
    return newest[0] if newest else None
