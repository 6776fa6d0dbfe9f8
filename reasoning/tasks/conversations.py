"""Chat rows as questions and answers: `messages` of role and content, ShareGPT's `conversations` of from and value.

Owns: what in a conversation is asked and what is answered.

Invariants
- One question makes a problem: a conversation with more than one is refused, since its last question cannot be asked
  without what was said before.
- What the assistant thinks before it speaks is no answer. Nothing but `ValueError` is raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reasoning.teacher.thinking import split_thinking

ROLES = ("user", "assistant", "system")
_NAMES = {
    **dict.fromkeys(("user", "human", "prompter", "question"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "bard", "bing", "answer"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
}
_WHO, _WHAT = ("role", "from", "speaker", "author"), ("content", "value", "text")

Turns = list[tuple[str, str]]


def turns_of(value: Any) -> Turns | None:
    """The turns of a conversation, each its role and its text; None where `value` is none. A cell of a table may hold
    one as JSON. Raises `ValueError` for a turn that is no text."""
    if isinstance(value, str) and value.lstrip().startswith("[{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    if not all(isinstance(turn, Mapping) and _key(turn, _WHO) and _key(turn, _WHAT) for turn in value):
        return None
    return [(_role(turn), _said(turn)) for turn in value]


def asked(turns: Turns) -> str:
    """The one question of a conversation. Raises `ValueError`."""
    return _only(turns, "user", "question")


def answered(turns: Turns) -> str:
    """What the assistant says to it, without its thinking. Raises `ValueError`."""
    said = [text for role, text in turns if role == "assistant"]
    if not said:
        raise ValueError("its conversation has no answer of an assistant")
    thinking = split_thinking(said[-1])
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


def _key(turn: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in turn), None)


def _role(turn: Mapping[str, Any]) -> str:
    name = str(turn[_key(turn, _WHO) or ""]).strip().lower()
    return _NAMES.get(name, name)


def _said(turn: Mapping[str, Any]) -> str:
    content = turn[_key(turn, _WHAT) or ""]
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    raise ValueError("a turn of its conversation is not text alone")
