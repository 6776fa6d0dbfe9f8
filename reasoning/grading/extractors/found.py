"""An answer found in a text, how it was found, and what every extractor offers.

Owns: the records that extractors and `reasoning.grading.answers` share, and the search from a text's end.

Invariant: extractors are total: they accept every string, never raise, and take time linear in its length.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Extractor:
    """How one kind of answer is read.

    `first` reads what was said after an anchor, of at most a few hundred characters: its first answer, or the last one
    after second thoughts; `NO_ANSWER` where it says that there is none, None where it says nothing. `last` reads a text
    without an anchor. `bare` says whether a line is an answer and nothing else. `every` gives all candidates of a text.
    `normal` is the normal form of an answer given alone, "" when it is none. With `settles`, words after "the answer
    is" that hold no answer say that there is none, whatever was said before ("The answer is not known.")."""

    first: Callable[[str, tuple[str, ...], How], FoundAnswer | None]
    last: Callable[[str, tuple[str, ...]], FoundAnswer | None]
    bare: Callable[[str, tuple[str, ...]], bool]
    every: Callable[[str, tuple[str, ...]], Iterable[str]]
    normal: Callable[[str], str]
    settles: bool = False


_SECOND_THOUGHT = re.compile(
    r"(?:wait|actually|correction|scratch that|hold on|oops|i meant?|sorry|on second thought|(?<=[.?!] )no,)(?!\w)"
)
_NOT_BUT = re.compile(r"\bnot\b[^.\n]{1,80}?\bbut\b", re.IGNORECASE)
_WINDOWS = (128, 4096)  # characters from the end, before the whole text is read
_LONGEST_MATCH = 100


def settled(said: str) -> str:
    """`said` as it stands corrected: without what is denied ("not 5 but") and from its last second thought on, where
    there are words after it ("5. No, wait: 6")."""
    if " but " in said:
        said = _NOT_BUT.sub("", said)
    low = said.lower()  # without capitals, the pattern is searched by its first letters
    if len(low) != len(said) or not _SECOND_THOUGHT.search(low):
        return said
    thoughts = [found.end() for found in _SECOND_THOUGHT.finditer(low) if not low[: found.start()][-1:].isalnum()]
    return said[thoughts[-1] :] if thoughts else said


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
