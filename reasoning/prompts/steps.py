"""The steps of a chain of thought, as spans of its text, and the step that somebody quotes.

Owns: the cutting of a text into steps, and the finding of a quotation in it. Invariants
- A quotation is found word for word, whatever its case, spaces, quotation marks and kind of minus or times sign, or not
  at all: one that is nowhere, or that stands in two places, is no step.
- One that leaves words out ("So Ann has ... 15") is of the step in which each of its pieces stands.
- Any text is a valid input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reasoning.prompts.frame import Span
from reasoning.prompts.headings import ReplyParts

_STEP_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_TOKEN = re.compile(r"\w+|[^\w\s\"“”„«»‘’'`…$\\]")
_LEFT_OUT = re.compile(r"\[?(?:\.{3,}|…)\]?")
_SIGNS = str.maketrans({"−": "-", "–": "-", "‐": "-", "×": "*", "·": "*", "÷": "/"})  # each as long as before
_NUMBERING = re.compile(r"\A\s*(?:[-*•>]\s+|(?:step\s+)?\d{1,2}\s*[.):]\s+|step\s+\d{1,2}\s+)", re.IGNORECASE)
_QUOTATION = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|`([^`\n]+)`")
_CLOSING = ".,;:!?*"  # what a quotation may end in, or be dressed in, and the text not
_LEAST_WORDS = 2  # of a quotation that is a part of a step


def steps_of(text: str) -> list[Span]:
    """The sentences and lines of `text`, without the white space around them."""
    spans, start = [], 0
    for end, after in [*((found.start(), found.end()) for found in _STEP_END.finditer(text)), (len(text), len(text))]:
        piece = text[start:end]
        if piece.strip():
            spans.append((start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())))
        start = after
    return spans


def step_at(text: str, place: int) -> Span | None:
    """The step of `text` in which the character at `place` stands."""
    return next((span for span in steps_of(text) if span[0] <= place < span[1]), None)


def told_step(reply: ReplyParts, attempt: str) -> Span | None:
    """The step of a student's `attempt` that a teacher calls the first wrong one: what it copied under its own heading;
    without that heading, the one step that it quotes where it names the mistake. None: it names none that is there."""
    if reply.wrong_step:
        return quoted_step(attempt, reply.wrong_step)
    quotations = (next(filter(None, found.groups()), "") for found in _QUOTATION.finditer(reply.mistake))
    steps = {step for said in quotations if (step := quoted_step(attempt, said)) is not None}
    return steps.pop() if len(steps) == 1 else None


def quoted_step(text: str, quotation: str) -> Span | None:
    """The step of `text` in which `quotation` begins; None where it is in no place or in several, or is hardly a word
    of a step."""
    for said in (quotation, _NUMBERING.sub("", quotation)):
        pieces = [piece for piece in _LEFT_OUT.split(said) if _words(piece)]
        steps = {_found(text, piece) for piece in pieces}
        if len(steps) == 1 and (step := steps.pop()) is not None:
            return step
    return None


def begins_like(text: str, other: str) -> bool:
    """Whether `text` begins with the words of the first step of `other`."""
    first = next(iter(steps_of(other)), None)
    words = _words(other[slice(*first)]) if first is not None else []
    return bool(words) and _words(text)[: len(words)] == words


def _found(text: str, quotation: str) -> Span | None:
    words = _words(quotation)
    if not words:
        return None
    there = [(found[0].casefold(), found.start()) for found in _TOKEN.finditer(text.translate(_SIGNS))]
    places = list(_places([word for word, _ in there], words))
    if len(places) != 1:
        return None
    step = step_at(text, there[places[0]][1])
    named = sum(word[0].isalnum() for word in words)
    return step if step is not None and (named >= _LEAST_WORDS or _words(text[slice(*step)]) == words) else None


def _words(text: str) -> list[str]:
    """The words and signs of `text`, without what it is dressed in."""
    bare = text.strip().strip(_CLOSING).translate(_SIGNS)
    return [found[0].casefold() for found in _TOKEN.finditer(bare)]


def _places(words: list[str], wanted: list[str]) -> Iterator[int]:
    first, count = wanted[0], len(wanted)
    return (at for at, word in enumerate(words) if word == first and words[at : at + count] == wanted)
