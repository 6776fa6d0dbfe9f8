"""Options that a text gives to several people, one each: "Ann has the ball. Bo has the book."

Owns: which of them answers a question about one of these people. Invariants
- Total, and linear in the text's length.
- What somebody else has, or what one gives away or began with, is nobody's answer.
"""

from __future__ import annotations

import re

from reasoning.grading.extraction.found_answer import LONGEST_ANSWER, NO_ANSWER, FoundAnswer, How
from reasoning.grading.lettered_options import letters_within
from reasoning.grading.named_options import named_option
from reasoning.grading.options import OPTIONS_HEADING

_LONGEST_QUESTION = 1000
_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|\n")
_ASKED = re.compile(r"[^.?!\n]+")
_CAPITALIZED = re.compile(r"[A-Z][a-z]+\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\b")  # not a word that only begins a sentence
_WORD = re.compile(r"\w+")
_SUBJECT = re.compile(r"\W*(?:(?:so|then|finally|lastly|and|now|thus|while)\b\W*)*(\w*)", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[,;]|\s(?:and|while|but)\s")
_LATER = re.compile(r"\W*(?:then|finally|later|next)\b", re.IGNORECASE)
_SOMEBODY = re.compile(r"\b(?:he|she|him|her|they|them)\b")
_HAD = re.compile(
    r"\b(?:start(?:s|ed)?|beg[ai]ns?|initially|originally|had|gives?|gave|giving|hands|handed|pass(?:es|ed)|los(?:es|t)"
    r"|(?:swap(?:s|ped)|trade[sd]|exchange[sd])\s+(?:the|his|her|their|an?))\b"
)


def option_of_person(question: str, text: str, choices: tuple[str, ...]) -> FoundAnswer | None:
    """What the end of `text` says that the one person has whom `question` asks about; `NO_ANSWER` where it only says
    what others have, or what was given away; None where it does not speak of several people."""
    body = question.partition(OPTIONS_HEADING)[0].strip()[-_LONGEST_QUESTION:]
    people = set(_NAME.findall(body))
    asked = people & set(_CAPITALIZED.findall(_ASKED.findall(body)[-1])) if people else set()
    sentences = [one for one in _SENTENCE_END.split(text[-LONGEST_ANSWER:]) if one.strip()]
    if not asked or not sentences:
        return None
    *before, last = sentences
    words = set(_WORD.findall(last))
    others = (people | set(_NAME.findall(last))) - asked - set(_WORD.findall(" ".join(choices)))
    named = asked & words
    if len(named) == 1:
        return _given_to(named.pop(), others, last, choices) if others & words else None
    subject = _SUBJECT.match(last)
    if named or len(asked) > 1 or subject is None or subject[1] not in others or _SOMEBODY.search(last):
        return None
    if not _option_in(last, choices):
        return None
    person = asked.pop()
    told = next((one for one in reversed(before) if person in _WORD.findall(one)), "")
    return _given_to(person, others, told, choices) or NO_ANSWER


def _given_to(person: str, others: set[str], sentence: str, choices: tuple[str, ...]) -> FoundAnswer | None:
    """The option that `sentence` names right behind `person`, before it speaks of somebody else."""
    given, had = None, False
    for place, clause in enumerate(_CLAUSE_END.split(sentence.rpartition(person)[2])):
        subject = _SUBJECT.match(clause)
        if place and subject and subject[1] in others:
            break
        if not (option := _option_in(clause, choices)) or (given and not _LATER.match(clause)):
            continue
        if _HAD.search(clause):
            had = True
        else:
            given = FoundAnswer(option, How.LAST_CANDIDATE)
    return given or (NO_ANSWER if had else None)


def _option_in(clause: str, choices: tuple[str, ...]) -> str:
    letters = set(letters_within(clause, len(choices)))
    return named_option(clause, choices) or (letters.pop() if len(letters) == 1 else "")
