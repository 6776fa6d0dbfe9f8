"""Streams of other protocols than OpenAI's: what was paid for is one reply, and one that broke off is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.endpoint.replies import UnusableReply, read_completion
from reasoning.teacher.calls import FailureKind
from tests.actors.in_process import request

ASKED = request("What is 2 + 2?")
GOOGLE_COUNT = {"promptTokenCount": 8, "candidatesTokenCount": 4, "totalTokenCount": 12}
COUNTED = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}


def google(text: str, end: str | None = None, **part: object) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text, **part}]}} | ({"finishReason": end} if end else {})
    return {"candidates": [candidate], "usageMetadata": GOOGLE_COUNT}


def delta(kind: str, text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", kind: text}}


def ollama(text: str, done: bool = False, **more: object) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": text}, "done": done, **more}


# Its events, and whether they tell the thinking apart.
STREAMS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "anthropic": (
        [
            {"type": "message_start", "message": {"type": "message", "content": [], "usage": {"input_tokens": 8}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
            delta("thinking", "2 and "),
            delta("thinking", "2?"),
            {"type": "ping"},
            delta("text", "It "),
            delta("text", "is 4."),
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
            {"type": "message_stop"},
        ],
        True,
    ),
    "google": (
        [google("2 and ", thought=True), google("2?", thought=True), google("It "), google("is 4.", "STOP")],
        True,
    ),
    "ollama": (
        [ollama("It "), ollama("is 4."), ollama("", True, done_reason="stop", prompt_eval_count=8, eval_count=4)],
        False,
    ),
    "ollama's text": (
        [
            {"response": "It ", "done": False},
            {"response": "is 4.", "done": True, "prompt_eval_count": 8, "eval_count": 4},
        ],
        False,
    ),
    "responses": (
        [
            {"type": "response.created", "response": {"status": "in_progress", "output": []}},
            {"type": "response.output_text.delta", "delta": "It is 4."},
            {
                "type": "response.completed",
                "response": {
                    "status": "completed",
                    "output": [{"type": "message", "content": [{"type": "output_text", "text": "It is 4."}]}],
                    "usage": COUNTED,
                },
            },
        ],
        False,
    ),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("form", ["events", "lines", "list"])
def test_a_stream_of_another_protocol_is_one_reply(name: str, form: str) -> None:
    events, thinks = STREAMS[name]
    written = {
        "events": "".join(f"event: {one.get('type', 'x')}\ndata: {json.dumps(one)}\n\n" for one in events),
        "lines": "".join(json.dumps(one) + "\n" for one in events),
        "list": json.dumps(events),
    }
    read, used = read_completion(ASKED, written[form].encode())
    assert (read.text, read.thinking, read.truncated) == ("It is 4.", "2 and 2?" if thinks else "", False)
    assert (used.prompt_tokens, used.completion_tokens) == (8, 4)


@pytest.mark.parametrize("name", ["anthropic", "google", "ollama"])
def test_one_that_broke_off_is_not_whole(name: str) -> None:
    events, _ = STREAMS[name]
    cut = events[: -2 if name == "anthropic" else -1]
    read, _ = read_completion(ASKED, "".join(json.dumps(one) + "\n" for one in cut).encode())
    assert read.text.startswith("It ") and read.truncated


def test_an_error_in_one_is_an_error() -> None:
    events = [
        *STREAMS["anthropic"][0][:6],
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]
    with pytest.raises(UnusableReply, match="Overloaded") as caught:
        read_completion(ASKED, "".join(f"data: {json.dumps(one)}\n\n" for one in events).encode())
    assert caught.value.kind is FailureKind.SERVER
