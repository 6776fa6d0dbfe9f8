"""The steps of a chain of thought, as spans of its text, and the step that somebody quotes.

Owns: the cutting of a text into steps, and the finding of a quotation in it. Invariants
- A quotation is found word for word, whatever its case, spaces, quotation marks, dress ("**So**") and kind of minus or
  times sign, or not at all: one that is nowhere, or that stands in two places, is no step.
- One that leaves words out ("So Ann has ... 15") is of the step in which each of its pieces stands.
- A number alone ("Step 2") is of a text that numbers its own steps.
- Any text is a valid input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reasoning.prompts.frame import Span
from reasoning.prompts.headings import ReplyParts

_STEP_END = re.compile(r"(?<=[.!?;])\s+|\n+")
_LIST_NUMBER = re.compile(r"\s*\W{0,2}(?:step\s+)?\d{1,2}\.", re.IGNORECASE)  # of a step, and none by itself
_TOKEN = re.compile(r"\w+|[^\w\s\"“”„«»‘’'`…$\\]")
_LEFT_OUT = re.compile(r"\[?(?:\.{3,}|…)\]?")
_SIGNS = str.maketrans({"−": "-", "–": "-", "‐": "-", "×": "*", "·": "*", "÷": "/"})  # each as long as before
_DRESS = re.compile(r"\*\*|__|~~|\\[()\[\]]|\\(?:times|cdot|div)\b|(?<=\d)x(?=\d)|(?<=\d )x(?= \d)")
_UNDRESSED = {"\\times": "*", "\\cdot": "*", "\\div": "/", "x": "*"}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_ORDINAL, _STEP = "|".join(_ORDINALS), "(?:step|line|sentence)"
_NUMBERING = re.compile(
    rf"\A[\s\"“«‘'`>]*(?P<label>(?:[-*•]\s+)?(?:\(?\d{{1,2}}\s*[.):]\s+"
    rf"|(?:{_STEP}\s+#?\d{{1,2}}|(?:the\s+)?(?:{_ORDINAL})\s+{_STEP}\s*:)\s*(?:[.):—-]\s+)?)?)",
    re.IGNORECASE,
)
_NUMBER_OF = re.compile(rf"\W*(?:{_STEP}\s+)?(\d{{1,2}})\s*[.):](?=\W)", re.IGNORECASE)
_NUMBER_ALONE = re.compile(rf"(?:the\s+)?(?:{_STEP}\s+)?#?(?:(\d{{1,2}})|({_ORDINAL})\s+{_STEP})", re.IGNORECASE)
_COMMENT = re.compile(
    r"(?<!\s)\s+(?:[(\[](?=[^()\[\]]*[^\W\d])[^()\[\]]*[)\]]\W*\Z|(?:[—←→]|<-+|-+>)\s.*\Z)|\n.*\Z", re.DOTALL
)
_QUOTATION = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|`([^`\n]+)`")
_CLOSING = ".,;:!?*_<>[](){}"  # what a quotation may end in, or be dressed in, and the text not
_LEAST_WORDS = 2  # of a quotation that is a part of a step


def steps_of(text: str) -> list[Span]:
    """The sentences and lines of `text`, without the white space around them."""
    spans, start = [], 0
    for end, after in [*((found.start(), found.end()) for found in _STEP_END.finditer(text)), (len(text), len(text))]:
        piece = text[start:end]
        if end < after and "\n" not in text[end:after] and _LIST_NUMBER.fullmatch(piece):
            continue
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
    step = quoted_step(attempt, reply.wrong_step)
    if step is None:
        quotations = _QUOTATION.finditer(reply.wrong_step or reply.mistake)
        said = (next(filter(None, found.groups()), "") for found in quotations)
        steps = {found for one in said if (found := quoted_step(attempt, one)) is not None}
        step = steps.pop() if len(steps) == 1 else None
    return step


def quoted_step(text: str, quotation: str) -> Span | None:
    """The step of `text` in which `quotation` begins, whatever it says of it after that (" (should be 14)"); None where
    it is in no place or in several, or is hardly a word of a step."""
    bare = _plain(quotation)
    whole = (bare, _NUMBERING.sub("", bare))
    for said in (*whole, *(_COMMENT.sub("", one) for one in whole)):
        pieces = [piece for piece in _LEFT_OUT.split(said) if _words(piece)]
        steps = {_found(text, piece) for piece in pieces}
        if len(steps) == 1 and (step := steps.pop()) is not None:
            return step
    return _step_of_number(text, _COMMENT.sub("", bare))


def numbering(text: str) -> str:
    """What numbers the step with which `text` begins: "2. ", "Step 2: ", "- "; "" where nothing does."""
    found = _NUMBERING.match(text)
    return found["label"] if found else ""


def begins_like(text: str, other: str) -> bool:
    """Whether `text` begins with the words of the first step of `other`, numbered or not."""
    first = next(iter(steps_of(other)), None)
    words = _words(_NUMBERING.sub("", other[slice(*first)])) if first is not None else []
    return bool(words) and _words(_NUMBERING.sub("", text))[: len(words)] == words


def _step_of_number(text: str, said: str) -> Span | None:
    """The one step of `text` that has the number which `said` is, and nothing else."""
    named = _NUMBER_ALONE.fullmatch(said.strip(f"{_CLOSING} \n\t\"'"))
    if named is None:
        return None
    number = int(named[1]) if named[1] else 1 + _ORDINALS.index(named[2].lower())
    numbered = ((step, _NUMBER_OF.match(text[slice(*step)])) for step in steps_of(text))
    steps = [step for step, found in numbered if found and int(found[1]) == number]
    return steps[0] if len(steps) == 1 else None


def _found(text: str, quotation: str) -> Span | None:
    words = _words(quotation)
    if not words:
        return None
    there = [(found[0].casefold(), found.start()) for found in _TOKEN.finditer(_plain(text))]
    places = list(_places([word for word, _ in there], words))
    if len(places) != 1:
        return None
    step = step_at(text, there[places[0]][1])
    named = sum(word[0].isalnum() for word in words)
    return step if step is not None and (named >= _LEAST_WORDS or _words(text[slice(*step)]) == words) else None


def _words(text: str) -> list[str]:
    """The words and signs of `text`, without what it is dressed in."""
    bare = _plain(text).strip().strip(_CLOSING)
    return [found[0].casefold() for found in _TOKEN.finditer(bare)]


def _plain(text: str) -> str:
    """`text` with the usual signs and without its dress, each character in its place."""
    return _DRESS.sub(lambda found: _UNDRESSED.get(found[0], "").ljust(len(found[0])), text.translate(_SIGNS))


def _places(words: list[str], wanted: list[str]) -> Iterator[int]:
    first, count = wanted[0], len(wanted)
    return (at for at, word in enumerate(words) if word == first and words[at : at + count] == wanted)
