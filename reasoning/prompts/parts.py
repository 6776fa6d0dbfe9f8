"""Several questions in one request, and the reply taken apart again, part by part.

Owns: the numbered headings that part a request ("### 3" alone on a line) and its reply, where they may be dressed.

Invariants
- A reply is taken apart strictly: a part that is missing, doubled, cut off or not in the form that was asked for (one
  reasoning, one answer) is no part, whatever the others are. It is asked for again, alone.
- A part is that of its number, or nobody's: where the numbers are not those of the request, or one heading follows
  another at once, nobody knows whose it is.
- A text that has such a heading of its own is in no such request.

Source: several questions share one request's instructions (batch prompting, arXiv 2301.08721).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from reasoning.prompts.headings import ANSWER, REASONING

_LINE = re.compile(r"[^\n]+")
_DRESS = re.compile(r"[*_`'\"“”‘’\\>()\[\]]+")
_BOLD = re.compile(r"\s*(?:\*\*|__)")
# "### 3", "## **Question 3**:", "Question 3:", "**3.**"; with words of its own, as a title, only "### 3. Pens" and
# "Question 3: How many?"; "### 3 and 4" is of several.
_HEADING = re.compile(
    r"-?\s*(?P<level>\#*)\s*(?P<word>(?:part|question|q|problem|exercise|task|item|mistake|student|answer|solution)s?"
    r"(?![^\W\d]))?\s*(?:(?:no\.|number|\#)\s*)?(?P<number>\d{1,3})(?P<more>(?:\s*(?:,\s|&|and|to|-|–)\s*\d{1,3})*)"
    r"\s*(?P<end>[.:]?)(?:\s*\#*|(?P<title>(?:(?<=[.:])|\s*[-–—])\s+[^\W\d].*))",
    re.IGNORECASE,
)
_AFTERWORD = re.compile(r"\n[ \t]*(?:#{1,6}[ \t]*\S|```|(?:[-*_=][ \t]*){3,}\r?$)", re.MULTILINE)


def heading(number: int) -> str:
    """What stands above part `number` (from 1)."""
    return f"### {number}"


def numbered(parts: Sequence[str]) -> str:
    """The parts of a request, each under its heading."""
    return "\n\n".join(f"{heading(number)}\n{part}" for number, part in enumerate(parts, 1))


def has_heading(text: str) -> bool:
    """Whether `text` has a line that would be taken for the heading of a part."""
    return next(_headings(text), None) is not None


def parts_of(text: str) -> list[tuple[int, str]]:
    """The numbered parts of a text in their order, each with its number; what stands before the first is left out.
    Headings of the highest level part it: others are of a part's own."""
    found = list(_headings(text))
    top = min((level for level, *_ in found if level), default=0)
    marks = [(number, line) for level, number, line in found if level == top]
    ends = [*(line.start() for _, line in marks[1:]), len(text)]
    return [(number, text[line.end() : end].strip()) for (number, line), end in zip(marks, ends, strict=False)]


def _headings(text: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    """The level (0: without "#"), the number (0: of several) and the line of each heading."""
    for line in _LINE.finditer(text):
        found = _HEADING.fullmatch(" ".join(_DRESS.sub("", line[0]).split()))
        if found is None:
            continue
        if found["level"] or found["word"] or (_BOLD.match(line[0]) and not found["title"]):
            yield len(found["level"]), 0 if found["more"] else int(found["number"]), line


def parts_of_reply(text: str, count: int, *, complete: bool = True) -> tuple[str | None, ...]:
    """The `count` parts of a reply in order, None for each that is missing, doubled or malformed. Of a reply that is
    not `complete` the last one is cut off."""
    found, asked = parts_of(text), set(range(1, count + 1))
    numbers = {number for number, _ in found}
    if 0 in numbers or (numbers - asked and asked - numbers):  # numbered in another way, or several at once
        return (None,) * count
    if not complete and found:
        number, _ = found.pop()
        found = [part for part in found if part[0] != number]
    times = Counter(number for number, _ in found)
    headless = {number for (_, part), (number, _) in pairwise(found) if not part}  # the answer to both, or to which?
    sure = {number: _own(part) for number, part in found if times[number] == 1 and number not in headless}
    return tuple(part if (part := sure.get(number)) and _is_whole(part) else None for number in range(1, count + 1))


def _own(part: str) -> str:
    """A part up to the next heading or horizontal line after its answer: what follows is said of all parts."""
    _, answers = _named(part)
    said = part[answers[0].end() :].lstrip() if answers else ""
    after = _AFTERWORD.search(said)
    return part.removesuffix(said[after.start() :]).strip() if after else part


def _is_whole(part: str) -> bool:
    """Whether a part has one reasoning and one answer after it, and something in both."""
    reasonings, answers = _named(part)
    if len(reasonings) != 1 or len(answers) != 1:
        return False
    between = part[reasonings[0].end() : answers[0].start()]
    return bool(between.strip()) and bool(part[answers[0].end() :].strip(" \t\n*"))


def _named(part: str) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
    """The headings of reasoning and, after the first of them, of answers: before it one may be repeated."""
    reasonings = list(REASONING.finditer(part))
    return reasonings, list(ANSWER.finditer(part, reasonings[0].end())) if reasonings else []
