"""How replies look on the wire where they do not look like OpenAI's: the forms that other providers send.

Owns: the forms of thinking, of counts, of finish reasons and of what stands around a body. No I/O.

Invariants
- `at`, a number from 0 up to 1, chooses a form; the same number chooses the same form.
- A form changes how an answer is told, never what it says nor what is billed for it.

Sources: the providers' published APIs, named beside each form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

ThinkingForm = Literal["none", "tags", "unopened", "parts", "reasoning_content", "reasoning", "reasoning_details"]
THINKING_FORMS: tuple[ThinkingForm, ...] = (
    *("tags", "unopened", "parts", "reasoning_content", "reasoning", "reasoning_details"),
)
DOUBT = "Wait, is that so? Let me look at it once more."  # ends every draft, so that a reader can tell it
_OneT = TypeVar("_OneT")

WHOLE_WORDS = ("end_turn", "STOP", "eos", "stop_sequence", "eos_token", "COMPLETE")
CUT_OFF_WORDS = ("MAX_TOKENS", "max_tokens", "model_length", "a_word_of_tomorrow", None, "tool_calls")
GIVEN_UP_WORDS = ("insufficient_system_resource", "abort", "error")
WITHHELD_WORDS = ("SAFETY", "RECITATION", "content_filter", "refusal")
STATUSES = (498, 499, 424, 529, 520, 408, 425)
ERRORS: tuple[Any, ...] = (
    {"message": "Provider returned error", "code": 502, "metadata": {"provider_name": "Somebody"}},  # OpenRouter
    {"type": "overloaded_error", "message": "Overloaded"},  # Anthropic
    "upstream connect error",
)


def chosen(forms: Sequence[_OneT], at: float) -> _OneT:
    return forms[int(at * len(forms))]


def draft_of(text: str) -> str:
    """What a teacher thinks before it says `text`: the same, and then it doubts."""
    return f"Let me try.\n{text}\n{DOUBT}"


def message(text: str, thinking: str, form: ThinkingForm) -> dict[str, Any]:
    """An assistant's message that says `text` after `thinking`."""
    said: dict[str, Any] = {"role": "assistant", "content": text}
    if not thinking or form == "none":
        return said
    match form:
        case "tags":  # DeepSeek R1, Qwen3 and others without a parser
            return {**said, "content": f"<think>\n{thinking}\n</think>\n\n{text}"}
        case "unopened":  # the same, with the opening mark in the chat template
            return {**said, "content": f"{thinking}\n</think>\n\n{text}"}
        case "parts":  # Mistral
            thought = {"type": "thinking", "thinking": [{"type": "text", "text": thinking}]}
            return {**said, "content": [thought, {"type": "text", "text": text}]}
        case "reasoning_details":  # OpenRouter
            return {**said, form: [{"type": "reasoning.text", "text": thinking}]}
    return {**said, form: thinking}  # DeepSeek, vLLM, SGLang, Groq


def usage(prompt: int, said: int, thought: int, cost: float, at: float) -> dict[str, Any]:
    """`said` tokens of the answer and `thought` before it, as providers count them; `cost` in dollars."""
    made, total = said + thought, prompt + said + thought
    forms: tuple[dict[str, Any], ...] = (
        {"completion_tokens": made, "total_tokens": total},  # OpenAI
        {"completion_tokens": said, "total_tokens": total},  # Gemini
        {
            **{"completion_tokens": said, "total_tokens": total},  # xAI
            "completion_tokens_details": {"reasoning_tokens": thought},
        },
        {"completion_tokens": said, "completion_tokens_details": {"reasoning_tokens": thought}},
        {"completion_tokens": said, "total_tokens": prompt + said, "cost": cost},  # OpenRouter names what it charges
    )
    return {"prompt_tokens": prompt, **chosen(forms, at)}


def padded(body: bytes, at: float) -> bytes:
    """`body` with what providers put around it while a reply is being made."""
    return chosen(
        (
            b"\n\n\n" + body,  # DeepSeek keeps the connection alive with empty lines
            b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + body,
            b"\xef\xbb\xbf" + body + b"\r\n",
            b"[" + body + b"]",  # Gemini
        ),
        at,
    )


def streamed(body: bytes) -> bytes:
    """A completion as the stream that nobody asked for."""
    whole = json.loads(body)
    shared = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    (choice,) = whole["choices"]
    content = choice["message"].pop("content")
    half = len(content) // 2
    pieces: list[dict[str, Any]] = [choice["message"], {"content": content[:half]}, {"content": content[half:]}]
    events = [{**shared, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
    events.append({**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    events.append({**shared, "choices": [], "usage": whole.get("usage")})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
