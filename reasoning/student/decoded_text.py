"""Token ids to the text of a completion.

Owns: what of a completion's tokens is text, alike for every sampler: special tokens are not, but for the marks of
thinking. Where it is cut: before a stop string.

Invariants
- A tokenizer without marks of thinking among its special tokens decodes as it always did.
- `[THINK]`, `</think>` and the channels of gpt-oss stay in the text, special or not: what a student thinks could not be
  told from its answer without them (`reasoning.teacher.thinking`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reasoning.prompts.encoding import special_tokens
from reasoning.teacher.thinking import marks_among

TAIL = 6  # tokens of the prompt that are decoded with a completion: a text's first white space may be dropped


class Decoder:
    """A student's tokenizer as its completions are written."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        special = special_tokens(tokenizer)
        marks = marks_among(special.values())
        self._marks = {token for token, text in special.items() if text in marks}
        self._dropped = special.keys() - self._marks

    @property
    def keeps_marks(self) -> bool:
        """Whether any of its special tokens is a mark of thinking."""
        return bool(self._marks)

    def text(self, tokens: Sequence[int], prompt: Sequence[int] = ()) -> str:
        """The text of `tokens`, which follow those of `prompt`."""
        before = list(prompt[-TAIL:])
        prefix, text = self._decode(before), self._decode([*before, *tokens])
        return text[len(prefix) :]

    def _decode(self, tokens: list[int]) -> str:
        marked = not self._marks.isdisjoint(tokens)
        if marked:
            tokens = [token for token in tokens if token not in self._dropped]
        return str(self._tokenizer.decode(tokens, skip_special_tokens=not marked, clean_up_tokenization_spaces=False))


def cut_before(text: str, stops: Sequence[str]) -> str | None:
    """`text` up to the stop string that was complete first; None where it holds none."""
    found = [(text.find(stop) + len(stop), len(stop)) for stop in stops if stop in text]
    if not found:
        return None
    end, length = min(found)
    return text[: end - length]
