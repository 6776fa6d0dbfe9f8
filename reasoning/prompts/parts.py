"""Several questions in one request, and the reply taken apart again, part by part.

Owns: the numbered headings ("### 3" alone on a line) that part a request and its reply.

Invariants
- A reply is taken apart strictly: a part that is missing, doubled, cut off or not in the form that was asked for (one
  reasoning, one answer) is no part, whatever the others are. It is asked for again, alone.
- A text that has such a heading of its own is in no such request.

Source: several questions share one request's instructions (batch prompting, arXiv 2301.08721).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from reasoning.prompts.headings import ANSWER_HEADING, REASONING_HEADING

_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}|\*\*)[ \t]*(?:(?:part|question|student)[ \t]+)?(\d{1,3})[.:)]?[ \t]*(?:\*\*)?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_RULE = re.compile(r"(?:\n[ \t]*(?:[-*_=][ \t]*){3,})+\s*\Z")


def heading(number: int) -> str:
    """What stands above part `number` (from 1)."""
    return f"### {number}"


def numbered(parts: Sequence[str]) -> str:
    """The parts of a request, each under its heading."""
    return "\n\n".join(f"{heading(number)}\n{part}" for number, part in enumerate(parts, 1))


def has_heading(text: str) -> bool:
    """Whether `text` has a line that would be taken for the heading of a part."""
    return _HEADING.search(text) is not None


def parts_of(text: str) -> list[tuple[int, str]]:
    """The numbered parts of a text in their order, each with its number; what stands before the first is left out."""
    marks = list(_HEADING.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [(int(mark[1]), text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=False)]


def parts_of_reply(text: str, count: int, *, complete: bool = True) -> tuple[str | None, ...]:
    """The `count` parts of a reply in order, None for each that is missing, doubled or malformed. Of a reply that is
    not `complete` the last one is cut off."""
    found = parts_of(text)
    if not complete and found:
        number, _ = found.pop()
        found = [part for part in found if part[0] != number]
    times = Counter(number for number, _ in found)
    whole = {number: _RULE.sub("", part).strip() for number, part in found if times[number] == 1}
    return tuple(part if (part := whole.get(number)) and _is_whole(part) else None for number in range(1, count + 1))


def _is_whole(part: str) -> bool:
    """Whether a part has one reasoning and one answer, in this order, and something in both."""
    reasoning, answer = (_at(part, name) for name in (REASONING_HEADING, ANSWER_HEADING))
    if len(reasoning) != 1 or len(answer) != 1:
        return False
    between = part[reasoning[0].end() : answer[0].start()]
    return bool(between.strip()) and bool(part[answer[0].end() :].strip(" \t\n*"))


def _at(part: str, name: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"^[ \t]*\**{name}\**", part, re.IGNORECASE | re.MULTILINE))
