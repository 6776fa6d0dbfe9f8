"""What stands around a question and around an answer, and which of it are words of the form and not of the data.

Owns: the frame of a student's form, and the marks of one prompt in it: where the form itself wrote.

Invariants
- Special tokens are written by the form alone: by its prompt file and by the student's chat template. What is filled in
  (question, demonstrations, rationale, answer, a system message) is text, whatever it looks like; a `</s>` in it is no
  end.
- A frame is plain data: it travels to trainers, samplers and servers, which so read a prompt alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SENTENCE_BREAK = re.compile(r"(?<=[.!?])\s+|\n+")

Span = tuple[int, int]  # of characters, the second not included


@dataclass(frozen=True, slots=True)
class Marks:
    """How one prompt is read. `own`: the spans that the form wrote, in which special tokens count. `opening`: whether
    what the tokenizer puts before every text (Llama's begin of sequence) stands before this one. `end`: the token that
    ends the answer, None for the tokenizer's end of sequence."""

    own: tuple[Span, ...] = ()
    opening: bool = True
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """A form's words around every question and answer.

    `before` and `after` stand around the question; `own_before` and `own_after` are the spans of them that the form
    itself wrote. `lead` and `trail` are what a chat template writes around an answer; `words` are the form's own words
    before the first and after the last place of a completion, with lead and trail. `end` is the text of the token that
    closes a completion (None: the tokenizer's end of sequence). `opening`: see `Marks`. `between` are the form's words
    between reasoning and answer ("\\nAnswer: "), "" where it has none."""

    before: str
    after: str
    own_before: tuple[Span, ...]
    own_after: tuple[Span, ...]
    lead: str = ""
    trail: str = ""
    words: tuple[str, str] = ("", "")
    end: str | None = None
    opening: bool = True
    between: str = ""

    @classmethod
    def around(cls, before: str, after: str, shown: str = "") -> Frame:
        """The frame of plain text: all of it is the form's own but `shown`, the demonstrations in it."""
        return cls(before, after, _without(before, shown), _without(after, shown))

    @property
    def identity(self) -> tuple[object, ...]:
        """What the tokens of a text depend on beside the text itself; empty for plain text."""
        return () if self.end is None and self.opening else (self.end, self.opening)

    def fits(self, prompt: str) -> bool:
        """Whether `prompt` is a question in this frame."""
        long_enough = len(prompt) >= len(self.before) + len(self.after)
        return long_enough and prompt.startswith(self.before) and prompt.endswith(self.after)

    def question(self, prompt: str) -> str | None:
        """The question that `prompt` asks; None when it is no question in this frame."""
        return prompt[len(self.before) : len(prompt) - len(self.after)] if self.fits(prompt) else None

    def reasoning_end(self, completion: str) -> int:
        """Where in `completion` the reasoning ends, in characters: what follows is the form's words and the answer.

        Where a student left the form's words out, its last sentence counts as the answer."""
        words = self.between.strip()
        said = list(re.finditer(re.escape(words), completion, re.IGNORECASE)) if words else []
        before = said or list(_SENTENCE_BREAK.finditer(completion.rstrip()))
        return len(completion[: before[-1].start()].rstrip()) if before else 0

    def marks(self, prompt: str) -> Marks:
        """The marks of a question in this frame; of any other text, those of text alone."""
        if not self.fits(prompt):
            return Marks((), self.opening, self.end)
        start = len(prompt) - len(self.after)
        after = tuple((start + first, start + last) for first, last in self.own_after)
        return Marks((*self.own_before, *after), self.opening, self.end)

    def marks_of_completion(self, completion: str) -> tuple[Span, ...]:
        """The spans of a completion that the form wrote: its beginning and its end."""
        first = next((text for text in (self.words[0], self.lead) if completion.startswith(text)), "")
        last = next((text for text in (self.words[1], self.trail) if completion.endswith(text)), "")
        spans = ((0, len(first)), (len(completion) - len(last), len(completion)))
        return tuple(span for span in spans if span[0] < span[1])


def _without(text: str, data: str) -> tuple[Span, ...]:
    """The spans of `text` that are not `data`."""
    at = text.find(data) if data else -1
    spans = [(0, len(text))] if at < 0 else [(0, at), (at + len(data), len(text))]
    return tuple(span for span in spans if span[0] < span[1])
