"""Where in a text its answer stands: the anchors, such as "Answer:", "the answer is", "####", "-->" and \\boxed{}.

Owns: what announces an answer, and what only looks like it ("3 answers", "if the answer is 5", "the answer cannot be
5"); where the part of a completion that counts ends.

Invariants
- Total: every function accepts every string, never raises, and takes time linear in its length.
- `low` is always `lowered(text)`, whose positions are those of `text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, How, first_line
from reasoning.teacher.turns import next_turn

_STOP_WORD = " END"  # of paper B's completions
_MAX_ANCHORS = 16  # a text that repeats "the answer is" for ever is read from its end, so far

_ANCHOR = re.compile(
    r"(?<![a-z])answers?(?![a-z])(?:[*_ \t]*(?:\([^()\n]{0,40}\))?[*_ \t]*(?:[:=]|(?:is|are)(?![a-z]))"
    r"|(?!\s+(?:choices|options))([^\n.:=?]{0,60}?)\b(?:is|are|be)\b)[\s*_:]*"
)
_HEADING = re.compile(r"answers?[*_ \t]*\n\s*")
_BEFORE_HEADING = ("", "final", "the", "the final", "my", "my final", "correct")
_DENIED = re.compile(r"\bnot\b|n[’']t\b|\bcannot\b")
_CONDITION = re.compile(r"\b(?:if|whether) (?:the )?(?:final |correct |right )?\Z")
_STEP = re.compile(r"\s*(?:step|part|[0-9]+[.)]\s)")  # a heading's "####", not an answer's
_BOX = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"(?<!\\)[{}]")

_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_TAKEN_BACK = re.compile(
    r"\W{0,20}(?:(?:oh|hmm+|no|but|um|ah)\b\W{0,9}){0,3}(?:wait|hmm+|actually|correction|scratch that|hold on|oops"
    r"|sorry|no,|edit:|let me (?:re|double)|on second thought|i made an? (?:mistake|error)"
    r"|(?:that|this|it)(?:['’]s| is| was) (?:wrong|not right|incorrect|a mistake))"
)
_ANSWER_LINE = re.compile(r"answer[ \t*_]*:[\s*_]*[^\s*_]")
_MARKUP = " \t*_#"


def lowered(text: str) -> str:
    """`text` in lower case, of the same length."""
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered, and positions must stay those of `text`
        low = text.encode("ascii", "replace").decode("ascii").lower()
    return low


def anchored(text: str, low: str) -> Iterator[tuple[int, str, How]]:
    """After each anchor, the last first: where it ends, at most 400 characters from the first that is not blank, and
    which anchor it is."""
    word, arrow = low.rfind("answer"), text.rfind("-->")
    marks, boxed = text.rfind("####"), text.rfind("\\boxed")
    for _ in range(_MAX_ANCHORS):
        place = max(word, arrow, marks, boxed)
        if place < 0:
            return
        if place == word:
            start = _after_phrase(low, place)
            if start >= 0:
                yield start, text[start : start + LONGEST_ANSWER].lstrip(), How.ANCHORED
            word = low.rfind("answer", 0, place)
        elif place == boxed:
            yield place, _in_box(text, place), How.BOXED
            boxed = text.rfind("\\boxed", 0, place)
        elif place == arrow:
            said = text[place + 3 : place + LONGEST_ANSWER].lstrip()
            yield place + 3, said.partition(_STOP_WORD)[0], How.ARROW
            arrow = text.rfind("-->", 0, place)
        else:
            if not _STEP.match(low, place + 4):
                yield place + 4, text[place + 4 : place + LONGEST_ANSWER].lstrip(), How.HASH_MARKS
            marks = text.rfind("####", 0, place)


def _after_phrase(low: str, place: int) -> int:
    """Where the answer begins that the word "answer" at `place` announces; -1 where it announces none: "3 answers",
    "the answer cannot be 5", "if the answer is 5"."""
    found = _ANCHOR.match(low, place)
    if found is None:
        found = _HEADING.match(low, place)
        if found is None or low[low.rfind("\n", 0, place) + 1 : place].strip(_MARKUP) not in _BEFORE_HEADING:
            return -1
    elif found[1] and _DENIED.search(found[1]):
        return -1
    before = low[max(0, place - 30) : place]
    if ("if" in before or "whether" in before) and _CONDITION.search(before):
        return -1
    return found.end()


def _in_box(text: str, place: int) -> str:
    """The content of the `\\boxed{}` at `place`; of one whose brackets are unpaired, the rest of its line."""
    opening = _BOX.match(text, place)
    if opening is None:
        return ""
    start, depth = opening.end(), 1
    for brace in _BRACE.finditer(text, start, start + LONGEST_ANSWER):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[start : brace.start()]
    return first_line(text[start : start + LONGEST_ANSWER])


def judged_end(text: str, low: str) -> int:
    """Where the part of a completion that counts ends: before somebody else's words (`reasoning.teacher.turns`), and
    before the first blank line after an answer line, unless the next paragraph takes the answer back."""
    end = next_turn(text)
    if _BLANK_LINE.search(text, 0, end) is None:
        return end
    place = low.find("answer", 0, end)
    while place >= 0:
        line = _ANSWER_LINE.match(low, place, end)
        if line and low[low.rfind("\n", 0, place) + 1 : place].strip(_MARKUP) in ("", "final"):
            return _end_of_answer(text, low, line.end(), end)
        place = low.find("answer", place + 6, end)
    return end


def _end_of_answer(text: str, low: str, start: int, end: int) -> int:
    """The first blank line after `start` that no second thought follows, such as "Hmm, that is wrong."."""
    for blank in _BLANK_LINE.finditer(text, start, end):
        if not _TAKEN_BACK.match(low, blank.end(), end):
            return blank.start()
    return end
