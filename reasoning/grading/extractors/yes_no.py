"""Yes or no, true or false.

Owns: which "yes" and "no" of a sentence is its answer. Normal form: "yes" or "no".

Invariant: a "no" that only denies a noun ("no evidence", "no one") is no answer, and neither is "yes or no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reasoning.grading.extractors.found import Extractor, FoundAnswer, How, first_line, settled

_LONGEST_ANSWER = 400
_HEDGE = r"\s*(?:or|and|/|nor)\s*"
# The word, and for "no" what may follow it: a stop, or the beginning of a reason.
_STOP = r"(?=\W*\Z|\s*[.,;:!?)\]}\"'”’*\n]"
_REASON = r"\s+(?:because|since|as|but|and|it|he|she|they|we|you|i|this|that)\b"
_WORD = re.compile(
    r"(?<![\w-])(?<!yes or )(?<!yes and )(?<!yes/)(?:(not\s+true|not\s+false)"
    rf"|(yes|true)(?!{_HEDGE}(?:no|false)\b)(?![\w-])|(false)(?![\w-])|(no){_STOP}|{_REASON}))",
    re.IGNORECASE,
)
_ALONE = re.compile(r"[\s:*\"'“(]*(yes|no)[\s.\"'”*!)]*\Z", re.IGNORECASE)
_LEADING_NO = re.compile(
    rf"\W*no\b(?!-)(?!{_HEDGE}yes\b)(?!\s+(?:one|way|evidence|idea|longer|more|matter|other|clear|definite|definitive|single"
    r"|answer|information|such|change|record|proof|doubt)\b)",
    re.IGNORECASE,
)
_LONE = re.compile(
    rf"(?<![\w-])(?<!yes or )(?<!yes and )(?:(yes)(?!\s+(?:or|and)\s+no\b)(?![\w-])|(no){_STOP}))",
    re.IGNORECASE,
)


def _first(said: str, choices: tuple[str, ...], how: How) -> FoundAnswer | None:
    alone = _ALONE.match(said)
    if alone:
        return FoundAnswer(alone[1].lower(), how)
    corrected = settled(said)
    answer = _of_line(first_line(corrected))
    if not answer and corrected is not said:
        answer = _of_line(first_line(said))
    return FoundAnswer(answer, how) if answer else None


def _of_line(line: str) -> str:
    if _LEADING_NO.match(line):
        return "no"
    found = _WORD.search(line)
    return _meaning(found) if found else ""


def _meaning(found: re.Match[str]) -> str:
    denied, yes, _, _ = found.groups()
    if denied:
        return "no" if denied.lower().endswith("true") else "yes"
    return "yes" if yes else "no"


def _last(text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
    low = text.lower()
    if len(low) != len(text):  # a few capitals grow when lowered
        low = text
    yes, no = low.rfind("yes"), low.rfind("no")
    while (place := max(yes, no)) >= 0:
        found = _LONE.match(low, place)
        if found:
            return FoundAnswer("yes" if found[1] else "no", How.LAST_CANDIDATE)
        if place == yes:
            yes = low.rfind("yes", 0, place)
        else:
            no = low.rfind("no", 0, place)
    return None


def _bare(line: str, choices: tuple[str, ...]) -> bool:
    return _ALONE.match(line) is not None


def _every(text: str, choices: tuple[str, ...]) -> Iterator[str]:
    return (_meaning(found) for found in _WORD.finditer(text))


def _normal(answer: str) -> str:
    return _of_line(first_line(answer[:_LONGEST_ANSWER].lstrip()))


YES_NO = Extractor(first=_first, last=_last, bare=_bare, every=_every, normal=_normal, settles=True)
