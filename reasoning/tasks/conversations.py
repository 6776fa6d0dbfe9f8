"""Chat rows as questions and answers: `messages` of role and content, ShareGPT's `conversations` of from and value,
Google's `contents` of role and parts, LangChain's of type and content.

Owns: what in a conversation is asked and what is answered.

Invariants
- One question makes a problem: a conversation with more than one is refused, since its last question cannot be asked
  without what was said before.
- What the assistant thinks before it speaks is no answer, and neither is what it says before the question.
- A cell that holds a conversation as text is read or refused, never asked as it stands. Nothing but `ValueError` is
  raised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reasoning.files.python_text import written_value
from reasoning.teacher.thinking import split_thinking

ROLES = ("user", "assistant", "system")
_NAMES = {
    **dict.fromkeys(("user", "human", "prompter", "question", "prompt", "instruction", "input", "customer"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "bard", "bing", "answer", "ai"), "assistant"),
    **dict.fromkeys(("chatbot", "agent", "gpt-4", "gpt4", "claude", "llm", "response", "output"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
_WHO, _WHAT = ("role", "from", "speaker", "author"), ("content", "value", "text", "parts")
_WRITTEN = re.compile(r"\[\s*\{\s*[\"'](?:role|from|speaker|content|value)[\"']\s*:")
_THOUGHT = ("thinking", "reasoning", "redacted_thinking")

Turns = list[tuple[str, str]]


def turns_of(value: Any) -> Turns | None:
    """The turns of a conversation, each its role and its text; None where `value` is none. A cell of a table may hold
    one as JSON, or as Python or NumPy print it. Raises `ValueError` for a turn that is no text, and for a text that
    begins as a conversation and is none."""
    if isinstance(value, str):
        value = _written(value)
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not all(isinstance(turn, Mapping) and _speaker(turn) and _key(turn, _WHAT) for turn in value):
        return None
    return [(_role(turn), _said(turn)) for turn in value]


def asked(turns: Turns) -> str:
    """The one question of a conversation. Raises `ValueError`."""
    return _only(turns, "user", "question")


def answered(turns: Turns) -> str:
    """What the assistant says to it, without its thinking. Raises `ValueError`."""
    question = max((place for place, (role, _) in enumerate(turns) if role == "user"), default=-1)
    said = [text for role, text in turns[question + 1 :] if role == "assistant"]
    if not said:
        raise ValueError("its conversation has no answer of an assistant")
    thinking = split_thinking(next((text for text in reversed(said) if text.strip()), ""))
    if not thinking.closed:
        raise ValueError("the thinking of its answer does not end")
    return thinking.said.strip()


def said_by(turns: Turns, role: str) -> str:
    """What one role says. Raises `ValueError`."""
    if role == "assistant":
        return answered(turns)
    return asked(turns) if role == "user" else _only(turns, role, f"{role} message")


def _only(turns: Turns, role: str, what: str) -> str:
    said = [text for own, text in turns if own == role]
    if len(said) != 1:
        many = f"has {len(said)} {what}s, and only one can be asked" if said else f"has no {what}"
        raise ValueError(f"its conversation {many}; keep one question and its answer in a row")
    return said[0]


def _written(text: str) -> Any:
    """The conversation that a text holds; None where it holds none."""
    if not _WRITTEN.match(text.lstrip()):
        return None
    found = written_value(text)
    if found is None:
        raise ValueError(f"its conversation cannot be read: {text[:40]!r}; write it as JSON, whole")
    return found


def _speaker(turn: Mapping[str, Any]) -> str | None:
    """The field that says who speaks; LangChain's `type` where it names a role."""
    found = _key(turn, _WHO)
    return "type" if found is None and str(turn.get("type")).lower() in _NAMES else found


def _key(turn: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in turn), None)


def _role(turn: Mapping[str, Any]) -> str:
    name = str(turn[_speaker(turn) or ""]).strip().lower()
    return _NAMES.get(name, name)


def _said(turn: Mapping[str, Any]) -> str:
    content = turn[_key(turn, _WHAT) or ""]
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part for part in content if not (isinstance(part, Mapping) and part.get("type") in _THOUGHT)]
        texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
        whole = [text for text in texts if isinstance(text, str)]
        if len(whole) == len(texts):
            return "".join(whole)
    raise ValueError("a turn of its conversation is not text alone")
