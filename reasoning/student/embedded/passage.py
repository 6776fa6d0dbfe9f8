"""A passage: one document of the pretraining text, in spans that are given and spans that are to be learnt.

Owns: the record and its plain text. Invariants
- A span never ends in a space, and every span but the first starts with a space or a line break, so that the spans
  tokenise apart exactly as the whole text does.
- The last span is learnt: what comes before it is the question of a skill, the last span its right answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text; `learnt` spans can be told from what precedes them, the others are given."""

    text: str
    learnt: bool


@dataclass(frozen=True, slots=True)
class Passage:
    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def question(self) -> str:
        """All but the last span."""
        return "".join(span.text for span in self.spans[:-1])

    @property
    def answer(self) -> str:
        """The last span."""
        return self.spans[-1].text


Writer = Callable[[random.Random], Passage]


def passage(*texts: str) -> Passage:
    """Spans in turn given and learnt: `passage(question, answer, question, answer, ...)`."""
    if len(texts) % 2:
        raise ValueError("a passage alternates questions and answers, so it has an even number of texts")
    return Passage(tuple(Span(text, index % 2 == 1) for index, text in enumerate(texts)))
