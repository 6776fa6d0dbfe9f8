"""Which number of a sentence is of the one who is asked about: "Ann has 12, and Tom has 24." to "How many has Ann?".

Owns: whom a question asks about, and which clause of an answer is about the same.

Invariant: total and linear. Where anything but that one's own number could be meant, it is none.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.found_answer import FoundAnswer, How
from reasoning.grading.extraction.refusals import refuses
from reasoning.grading.numbers.numbers import stated_number

_ASKED = re.compile(
    r"(?:\b[Hh]ow (?:many|much|old|tall|far|long|heavy)\b(?P<what>[^.?!\n]{0,80}?) (?:does|did|do|is|was|will|has|had)"
    r"|\b[Ww]hat(?:['’]s| is| was)) (?P<name>[A-Z][\w-]{1,20})\b(?P<rest>[^.?!\n]{0,80})\?[^?]*\Z"
)
_OF_SEVERAL = re.compile(
    r"\b(?:more|less|fewer|than|both|together|total|altogether|combined|each|and|or|between|difference)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:if|whether|not|cannot|or|would|could|might|may|maybe|perhaps|more|less|fewer|than|times|twice|half|each|of"
    r"|as)\b|n[’']t\b|\?"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_CLAUSE_END = re.compile(r"[,;]\s|\s(?:and|while|but|whereas)\s")
_LONGEST = 200


def count_of_asked(question: str, text: str) -> FoundAnswer | None:
    """The number that the last sentence of `text` gives the one whom `question` asks about; None without one."""
    asked = _ASKED.search(question[-2 * _LONGEST :])
    if asked is None or _OF_SEVERAL.search(f"{asked['what']} {asked['rest']}") or refuses(text):
        return None
    tail = text[-_LONGEST:].rstrip()
    sentence = tail[max((found.end() for found in _SENTENCE_END.finditer(tail)), default=0) :]
    if _UNSURE.search(sentence.lower()):
        return None
    verb = re.match(r" (\w{3,12}?)e?\b", asked["rest"])
    verbs = rf"ha[sd]|is|was|{verb[1]}\w{{0,3}}" if verb else "ha[sd]|is|was"
    said = rf"\b{re.escape(asked['name'])}\b(?:['’]s \w+)?(?:\s*[:=]|(?: \w+ly| now| then)? (?:{verbs})\b)"
    told = [found.end() for found in re.finditer(said, sentence)]
    if len(told) != 1:
        return None
    clause = _CLAUSE_END.split(sentence[told[0] :], maxsplit=1)[0]
    found = stated_number(clause, How.LAST_CANDIDATE)
    return found if found is not None and found.answer else None
