"""Texts to token ids: what the form wrote may hold special tokens, what was filled in is text.

Owns: how prompts and completions are tokenized, alike for trainers, samplers and servers.

Invariants
- A text without a special token's spelling in its data gets exactly the ids that the tokenizer gives it.
- A special token's spelling in data gets the ids of its characters: a student that reads or writes `</s>` there goes
  on. The text decodes to what it was.
- A decoder's prompt has what the tokenizer puts before a text, once, and never what it puts after.
- A decoder's completion has the tokens that it has behind its prompt: without what SentencePiece and its like put
  before the first word of a text.

(`tokenizer` is one of `transformers`, fast or slow. The fast ones say where each token stands; for the slow ones the
special tokens' spellings are looked for in the text.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from reasoning.prompts.frame import Frame, Marks, Span

TEXT_ALONE = Marks()


class Encoder:
    """A student's tokenizer as its prompts and completions are read."""

    def __init__(self, tokenizer: Any, *, encoder_decoder: bool = False) -> None:
        """`encoder_decoder`: the prompt is an encoder's, read apart from its completion, which also gets what the
        tokenizer puts after a text."""
        self.tokenizer = tokenizer
        self.reads_apart = encoder_decoder
        self._special = special_tokens(tokenizer)
        self._opening, closing = added_around(tokenizer)
        self._closing = closing if encoder_decoder else []
        self._spelled = _spelling(self._special.values())
        line, letter, both = tokenizer(["\n", "a", "\na"], add_special_tokens=False)["input_ids"]
        self._marks_beginnings = both != line + letter

    def prompt(self, text: str, marks: Marks = TEXT_ALONE) -> list[int]:
        """The ids of a prompt."""
        return self.prompts([text], [marks])[0]

    def prompts(self, texts: Sequence[str], marks: Sequence[Marks]) -> list[list[int]]:
        """The ids of prompts, each read by its marks."""
        for end in {mark.end for mark in marks}:
            self.end(end)
        bodies = self._bodies(texts, [mark.own for mark in marks])
        return [
            [*(self._opening if mark.opening else ()), *body, *self._closing]
            for body, mark in zip(bodies, marks, strict=True)
        ]

    def completions(self, texts: Sequence[str], frame: Frame | None = None) -> list[list[int]]:
        """The ids of completions, each closed by its end."""
        end = self.end(frame.end if frame else None)
        own = [frame.marks_of_completion(text) if frame else () for text in texts]
        bodies = self._bodies(texts, own)
        if frame is not None and self._marks_beginnings and not self.reads_apart:
            bodies = self._behind(frame, texts, own, bodies)
        return [[*body, end] for body in bodies]

    def end(self, text: str | None) -> int:
        """The id of the token spelled `text`; None is the tokenizer's end of sequence."""
        if text is None:
            return int(self.tokenizer.eos_token_id)
        token = int(self.tokenizer.convert_tokens_to_ids(text))
        if token not in self._special:  # an end that the tokenizer does not mark as special is one all the same
            self._special[token] = text
            self._spelled = _spelling(self._special.values())
        return token

    def _behind(
        self, frame: Frame, texts: Sequence[str], own: Sequence[Sequence[Span]], bodies: list[list[int]]
    ) -> list[list[int]]:
        """`bodies` of `texts` as they are behind a prompt's end, where that keeps its own tokens before them."""
        end, own_end = (frame.after, frame.own_after) if frame.after else ("?", ())
        (before,) = self._bodies([end], [own_end])
        spans = [(*own_end, *((len(end) + start, len(end) + last) for start, last in one)) for one in own]
        joined = self._bodies([end + text for text in texts], spans)
        return [
            both[len(before) :] if both[: len(before)] == before else body
            for both, body in zip(joined, bodies, strict=True)
        ]

    def _bodies(self, texts: Sequence[str], own: Sequence[Sequence[Span]]) -> list[list[int]]:
        if not texts:
            return []
        encoded: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [
            list(ids) if self._special.keys().isdisjoint(ids) else self._with_data_as_text(text, spans, list(ids))
            for text, ids, spans in zip(texts, encoded, own, strict=True)
        ]

    def _with_data_as_text(self, text: str, own: Sequence[Span], ids: list[int]) -> list[int]:
        """`ids` of `text`, the special tokens outside of `own` spelled out."""
        found = self._special_places(text, ids)
        foreign = {place: span for place, span in found.items() if not self._is_own(text, span, ids[place], own)}
        if not foreign:
            return ids
        if len(foreign) == len(found):
            spelled = self._as_text(text)
            if self._special.keys().isdisjoint(spelled):
                return spelled
        return [
            piece
            for place, token in enumerate(ids)
            for piece in (self._spell_out(text[slice(*foreign[place])]) if place in foreign else [token])
        ]

    def _is_own(self, text: str, span: Span, token: int, own: Sequence[Span]) -> bool:
        at = text.index(self._special[token], *span)  # some tokens take the white space around them along
        return any(start <= at < end for start, end in own)

    def _special_places(self, text: str, ids: Sequence[int]) -> dict[int, Span]:
        """Which of `ids` are special tokens that stand in `text`, and where."""
        special = [place for place, token in enumerate(ids) if token in self._special]
        if getattr(self.tokenizer, "is_fast", False):
            offsets = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            spans = {place: (int(offsets[place][0]), int(offsets[place][1])) for place in special}
        else:
            spelled = [place for place in special if self._special[ids[place]] in text]
            spans = {
                place: self._taken(text, ids[place], found.start(), found.end())
                for place, found in zip(spelled, self._spelled.finditer(text), strict=False)
            }
        # An unknown-word token is special too, and stands for what it does not spell.
        return {place: span for place, span in spans.items() if self._special[ids[place]] in text[slice(*span)]}

    def _taken(self, text: str, token: int, start: int, end: int) -> Span:
        """`start` to `end`, with the white space around that the token takes along."""
        entry = getattr(self.tokenizer, "added_tokens_decoder", {}).get(token)
        before = len(text[:start].rstrip()) if entry is not None and entry.lstrip else start
        after = len(text) - len(text[end:].lstrip()) if entry is not None and entry.rstrip else end
        return before, after

    def _as_text(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return ids

    def _spell_out(self, text: str) -> list[int]:
        """The ids of a special token's spelling within a text, without what a tokenizer puts before a first word."""
        anchor = self._as_text("\n")
        anchored = self._as_text(f"\n{text}")
        ids = anchored[len(anchor) :] if anchored[: len(anchor)] == anchor else self._as_text(text)
        if self._special.keys().isdisjoint(ids):
            return ids
        return [token for character in text for token in self._as_text(character)]


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """The tokens that mean something beyond their spelling, by id: those that are marked so, and every end."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    special = {int(token): str(entry.content) for token, entry in added.items() if entry.special}
    named = dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=False))
    special |= {int(token): str(text) for token, text in named.items()}
    return {token: text for token, text in special.items() if text}


def added_around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens that the tokenizer puts before and after every text by itself."""
    plain = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    dressed = list(tokenizer("a")["input_ids"])
    for start in range(len(dressed) - len(plain) + 1):
        if dressed[start : start + len(plain)] == plain:
            return dressed[:start], dressed[start + len(plain) :]
    return [], []


def _spelling(texts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
