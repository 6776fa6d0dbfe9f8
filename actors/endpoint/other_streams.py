"""Streams in another protocol than OpenAI's chat completions, joined to the whole body that they stand for.

Owns: which streams are known, and how the pieces of each go together. What the whole body says is read like one that
came at once (`actors.endpoint.other_protocols`).

Invariant: a stream that broke off has no word for its end, and the last count of tokens that it told stands.

Forms: Anthropic's events, Google's and Ollama's objects one after another, the events of OpenAI's Responses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def joined_elsewhere(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The whole body that the pieces of a stream stand for; None where they are of no known form."""
    for form in (_of_anthropic, _of_responses, _of_google, _of_ollama):
        if (found := form(events)) is not None:
            return found
    return None


def _of_anthropic(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not any(event.get("type") == "message_start" for event in events):
        return None
    whole: dict[str, Any] = {"content": [], "stop_reason": None}
    usage: dict[str, Any] = {}
    for event in events:
        message, delta = event.get("message"), event.get("delta")
        whole |= {**message, "content": whole["content"]} if isinstance(message, Mapping) else {}
        for told in (message, event):
            counts = told.get("usage") if isinstance(told, Mapping) else None
            usage |= {name: count for name, count in counts.items() if count} if isinstance(counts, Mapping) else {}
        if event.get("type") == "error":
            whole["error"] = event.get("error") or "the stream ended in an error"
        elif event.get("type") == "message_delta" and isinstance(delta, Mapping):
            whole["stop_reason"] = delta.get("stop_reason")
        elif isinstance(delta, Mapping):
            kind = "thinking" if "thinking" in delta else "text"
            whole["content"].append({"type": kind, kind: delta.get(kind, "")})
    return whole | ({"usage": usage} if usage else {})


def _of_responses(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    told = [
        event["response"] for event in events if str(event.get("type")).startswith("response.") and "response" in event
    ]
    return dict(told[-1]) if told and isinstance(told[-1], Mapping) else None


def _of_google(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not any(isinstance(event.get("candidates"), list) for event in events):
        return None
    whole: dict[str, Any] = {}
    parts: list[Any] = []
    end = None
    for event in events:
        whole |= {name: value for name, value in event.items() if name != "candidates"}
        for candidate in [one for one in event.get("candidates") or [] if isinstance(one, Mapping)][:1]:
            content = candidate.get("content")
            parts += (content.get("parts") or []) if isinstance(content, Mapping) else []
            end = candidate.get("finishReason") or end
    return {**whole, "candidates": [{"content": {"parts": parts}, "finishReason": end}]}


def _of_ollama(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not all("done" in event or "error" in event for event in events):
        return None
    messages = [event["message"] for event in events if isinstance(event.get("message"), Mapping)]
    names = ("content", "thinking") if messages else ("response", "thinking")
    texts = {name: "".join(str(one.get(name) or "") for one in messages or events) for name in names}
    whole = {name: value for event in events for name, value in event.items()}
    return whole | ({"message": {"role": "assistant", **texts}} if messages else texts)
