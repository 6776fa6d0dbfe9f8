"""What a model thinks before it speaks, and what it then says.

Owns: the marks that part the two, in every form that models are known to write: `</think>` and its kin, `[/THINK]`,
`◁/think▷`, `<|end_of_thought|>`, the channels of Harmony. One function for students' attempts and teachers' replies.

Invariants
- Total: every string is accepted, nothing raises, and the time is linear in the text's length.
- What stands before the last closing mark is thought, whether an opening mark stands before it or not (a chat template
  may have written that one). Thinking that was opened and never closed was cut off: the text says nothing yet.
- A text without marks is said, unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reasoning.teacher.turns import next_turn

_NAME = (
    r"(?:[a-z]{1,12}[:_]|ant)?(?:think|thinking|thoughts?|reasoning|scratchpad|(?:internal|inner)_monologue|cot"
    r"|chain_of_thought)"
)
_CLOSED = re.compile(
    rf"(?:<|&lt;)/+\s*{_NAME}\s*(?:>|&gt;)|\[/\s*(?:think|thinking|reasoning)\s*\]|◁/think▷"
    r"|<\|(?:end_(?:of_)?(?:thought|thinking|think|reasoning)|/think(?:ing)?|inner_suffix)\|>|<channel\|>|<(?:unused|ctrl)95>"
    r"|<\|channel\|>\s*final\b[^<\n]{0,60}(?:<\|constrain\|>[^<\n]{0,60})?<\|message\|>",
    re.IGNORECASE,
)
_OPENED = re.compile(
    rf"(?:<|&lt;){_NAME}\s*(?:>|&gt;)|\[(?:think|thinking|reasoning)\]|◁think▷"
    r"|<\|(?:(?:begin|start)_(?:of_)?(?:thought|thinking|think|reasoning)|think(?:ing)?|inner_prefix)\|>|<\|channel>thought\b|<(?:unused|ctrl)94>(?:thought\b)?"
    r"|<\|channel\|>\s*(?:analysis|commentary)\b[^<\n]{0,60}(?:<\|constrain\|>[^<\n]{0,60})?<\|message\|>",
    re.IGNORECASE,
)
# The channels of Harmony where the decoder left its marks out.
BARE_CHANNELS = ("analysis", "commentary")
_BARE_CHANNELS = re.compile(r"(?:analysis|commentary)(?=[A-Z\s\d\"'(]|[\s\S]*assistantfinal)(?![^\n]*<\|channel\|>)")
_GLUED_CHANNEL = re.compile(r"(?:analysis|commentary)[A-Z\d\"'(]")
_BARE_FINAL = "assistantfinal"
# What begins a text whose thinking stands in words or in a frame for readers, and what ends that: Granite's sentences,
# Open WebUI's folded block, Poe's quotation.
_LEADING = (
    (re.compile(r"\s*Here(?:'s| is) my thought process:"), re.compile(r"Here(?:'s| is) my response:")),
    (re.compile(r"\s*<details\b[^<>]*\btype=[\"']?reasoning\b[^<>]*>"), re.compile(r"</details>")),
    (re.compile(r"\s*\*Thinking(?:\.{3}|…)\*[ \t]*\n"), re.compile(r"(?=^(?!>|\s*$))", re.MULTILINE)),
)
_LEADS = re.compile(r"\s*(?:Here(?:'s| is) my thought|\*Thinking)")
# The tokens that channels are written with, by the one that tells a model that has them.
_CHANNELS = {
    "<|channel|>": {"<|channel|>", "<|message|>", "<|constrain|>", "<|start|>", "<|end|>"},  # Harmony
    "<channel|>": {"<|channel>", "<channel|>"},
}
_TURN_MARK = re.compile(r"<\|(?:start|end)\|>(?:\s*assistant)?")


@dataclass(frozen=True, slots=True)
class Thinking:
    """A completion in two parts, without the marks between them. `closed`: the thinking came to its end, or there was
    none; where it did not, what is `said` is not an answer."""

    thought: str
    said: str
    closed: bool


def may_think(text: str) -> bool:
    """Whether a text can hold marks of thinking at all; most hold none, and need not be split."""
    if "<" in text or "[" in text or "◁" in text or "&lt;" in text or text.startswith(BARE_CHANNELS):
        return True
    return _LEADS.match(text) is not None


def marks_among(tokens: Iterable[str]) -> set[str]:
    """Those of a model's special `tokens` that are marks of thinking: without them its text cannot be parted."""
    known = set(tokens)
    marks = {token for token in known if _OPENED.fullmatch(token) or _CLOSED.fullmatch(token)}
    for name, parts in _CHANNELS.items():
        marks |= known & parts if name in known else set()
    return marks


def split_thinking(text: str) -> Thinking:
    """What a completion thinks and what it says after that. Without thinking, `said` is `text` itself."""
    if not may_think(text):
        return Thinking("", text, True)
    if _BARE_CHANNELS.match(text):
        return _bare_channels(text)
    for begins, ends in _LEADING:
        if (opened := begins.match(text)) is not None:
            closed = ends.search(text, opened.end())
            if closed is None:
                return Thinking(_thought(text[opened.end() :]), "", False)
            return Thinking(_thought(text[opened.end() : closed.start()]), text[closed.end() :], True)
    start = 0
    for closing in _CLOSED.finditer(text):
        opening = _OPENED.search(text, start, closing.start())
        limit = opening.start() if opening else closing.start()
        if next_turn(text, start, limit, marks_alone=opening is None) < limit:
            break  # the thinking of another turn, which the model made up
        start = closing.end()
    opening = _OPENED.search(text, start)
    if opening is not None and next_turn(text, start, opening.start()) == opening.start():
        return Thinking(_thought(text), text[start : opening.start()], False)
    return Thinking(_thought(text[:start]), text[start:] if start else text, True)


def with_thinking(thought: str, said: str) -> str:
    """One text of both parts, which `split_thinking` parts again."""
    return f"<think>\n{thought.strip()}\n</think>\n{said.lstrip()}"


def _bare_channels(text: str) -> Thinking:
    thought, final, said = text.rpartition(_BARE_FINAL)
    if final:
        return Thinking(thought.strip(), said, True)
    return Thinking(text.strip(), "", False) if _GLUED_CHANNEL.match(text) else Thinking("", text, True)


def _thought(text: str) -> str:
    for pattern in (_OPENED, _CLOSED, _TURN_MARK):
        text = pattern.sub("", text)
    return text.strip()
