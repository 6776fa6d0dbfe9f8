"""What a body with status 200 means: a reply, or a typed failure, and what it can have cost.

Owns: the reading of such bodies. Error responses are read in `actors.endpoint.error_responses`. Nothing is sent here.

Invariants
- A body is read strictly and never trusted.
- What a sending cost is what the endpoint says of its tokens, as far as that can be true; otherwise nothing is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from actors.endpoint.error_responses import ErrorResponse, failure_kind, read_error_response
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind, TeacherReply, TeacherRequest
from reasoning.teacher.prices import most_prompt_tokens

_OVER = 2  # times the bound on tokens: more than that cannot be true


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that one sending is known to have used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


NOTHING_USED = Usage()


def worst_tokens(request: TeacherRequest) -> tuple[int, int]:
    """The most tokens that `request` can use: of the prompt, and of the completion."""
    return most_prompt_tokens(request.messages), request.max_tokens


def credible(request: TeacherRequest, reply: TeacherReply) -> Usage | None:
    """The usage that came with a reply, None where it cannot be true: nothing for something, or far more than there can
    be. A little more is believed, since it may be charged: an endpoint may put words of its own before a prompt."""
    if reply.prompt_tokens < 1 or (reply.text and reply.completion_tokens < 1):
        return None
    prompt, completion = worst_tokens(request)
    if reply.prompt_tokens > _OVER * prompt or reply.completion_tokens > _OVER * completion:
        return None
    return Usage(reply.prompt_tokens, reply.completion_tokens)


class UnusableReply(Exception):
    """The endpoint served the request, but what it sent is not a reply. `usage` None: its cost is not known."""

    def __init__(self, kind: FailureKind, message: str, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.usage = usage


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: Any = None


def read_completion(request: TeacherRequest, body: bytes) -> TeacherReply:
    """The reply in a response's body. Raises `UnusableReply`."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        if (error_response := _error_within(body)) is not None:
            why = f"status 200 with an error: {error_response.message}"
            raise UnusableReply(failure_kind(error_response), why) from None
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise UnusableReply(FailureKind.MALFORMED, f"not a chat completion: {where}: {problem['msg']}") from None
    choice = completion.choices[0]
    text = choice.message.content or ""
    finish_reason = choice.finish_reason or "unknown"
    reply = TeacherReply(
        key=request.key,
        text=text,
        finish_reason=finish_reason,
        prompt_tokens=_count(completion.usage, "prompt_tokens"),
        completion_tokens=_count(completion.usage, "completion_tokens"),
        model=completion.model or request.model,
    )
    usage = credible(request, reply)
    if finish_reason == "content_filter" or (choice.message.refusal and not text):
        why = choice.message.refusal or "withheld by the endpoint's filter"
        raise UnusableReply(FailureKind.CONTENT_FILTER, why, usage)
    if not text.strip() and finish_reason == "length":
        why = f"cut off at max_tokens ({request.max_tokens}) before the first word; raise teacher.max_tokens"
        raise UnusableReply(FailureKind.TRUNCATED, why, usage)
    if not text.strip():
        raise UnusableReply(FailureKind.EMPTY, f"a reply without text (finish_reason {finish_reason})", usage)
    return reply


def _count(usage: object, name: str) -> int:
    """A token count; a wrong one is no reason to throw a paid reply away."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def _error_within(body: bytes) -> ErrorResponse | None:
    """The error that an endpoint met after it had begun to answer, in a body with status 200: routers do so."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    error = content.get("error") if isinstance(content, dict) and "choices" not in content else None
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 502
    return read_error_response(Response(status, {}, json.dumps({"error": error}).encode()))
