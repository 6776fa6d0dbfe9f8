"""What an assistant's message says: its text, and apart from it the thinking that came before.

Owns: the forms in which providers send both. Marks inside a text (`<think>`) are not parted here: a reply is stored as
it came, and read by `reasoning`.

Forms: `content` as text, or as a list of parts (`text`, `output_text`, `refusal`; thinking as Mistral's and Anthropic's
`thinking`, as `reasoning`, or with `thought: true`); thinking in `reasoning_content` (DeepSeek, vLLM, SGLang, Qwen),
`reasoning` (vLLM, OpenRouter, Groq, Ollama), `reasoning_details` (OpenRouter), `thinking_blocks` (LiteLLM).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# In the order in which they are believed: the same thinking may come under several of these names.
THINKING_KEYS = (
    *("reasoning_content", "reasoning", "thinking", "thought", "reasoning_text", "thinking_content"),
    *("reasoning_details", "thinking_blocks"),
)
_TEXT_TYPES = frozenset({"", "text", "output_text", "input_text"})
_TEXT_KEYS = ("text", "content", "parts", "value", "output_text", *THINKING_KEYS, "summary")
_DEEPEST = 8
_LEAST_REPEATED = 20  # characters: what is shorter may be said after it was thought


@dataclass(frozen=True, slots=True)
class Message:
    """A message taken apart; "" for what it does not have."""

    text: str
    thinking: str
    refusal: str


def read_message(content: object) -> Message:
    """The parts of a message, of whatever form."""
    message = content if isinstance(content, Mapping) else {"content": content}
    said = _Parts()
    said.add(message.get("content"))
    refusal = _flat(message.get("refusal")) or said.refusal
    fields = message.get("provider_specific_fields")
    apart = [
        _flat(source.get(key)) for source in (message, fields) if isinstance(source, Mapping) for key in THINKING_KEYS
    ]
    thinking = said.thinking if said.thinking.strip() else next((one for one in apart if one.strip()), "")
    return Message(_without_repeated(said.text, thinking.strip()), thinking, refusal)


class _Parts:
    """The texts of a content's parts, each kind joined as it stands: a part may end within a word."""

    def __init__(self) -> None:
        self.text = self.thinking = self.refusal = ""

    def add(self, part: object) -> None:
        if isinstance(part, str):
            self.text += part
        elif isinstance(part, list):
            for one in part:
                self.add(one)
        elif isinstance(part, Mapping):
            kind = str(part.get("type") or "").lower()
            if part.get("thought") is True or "thinking" in kind or "reasoning" in kind or kind == "thought":
                self.thinking += _flat({key: value for key, value in part.items() if key != "thought"})
            elif kind == "refusal":
                self.refusal += _flat(part.get("refusal"))
            elif kind in _TEXT_TYPES or isinstance(part.get("text"), str):
                self.text += _flat(part)


def _without_repeated(text: str, thinking: str) -> str:
    """`text` without the `thinking` that some routers write before it, too."""
    own = text.lstrip()
    repeated = len(thinking) >= _LEAST_REPEATED and own.startswith(thinking) and own[len(thinking) :].strip()
    return own[len(thinking) :].lstrip() if repeated else text


def _flat(value: object, depth: int = 0) -> str:
    """The text in `value`: itself, that of its items, or that of its first key which has one."""
    if isinstance(value, str):
        return value
    if depth == _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_flat(one, depth + 1) for one in value)
    if isinstance(value, Mapping):
        texts = (_flat(value.get(key), depth + 1) for key in _TEXT_KEYS)
        return next((text for text in texts if text), "")
    return ""
