"""What an endpoint's response means: a reply, or a typed failure, and what it can have cost.

Owns: the reading of bodies, and the words and codes of error responses. Nothing is sent here.

Invariants
- A body is read strictly and never trusted.
- What a sending cost is what the endpoint says of its tokens, as far as that can be true; otherwise nothing is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from actors.endpoint.wire import Response
from actors.limits.rate_limits import LeaseOutcome
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


_KIND_OF_CODE = {
    "insufficient_quota": FailureKind.QUOTA,
    "billing_hard_limit_reached": FailureKind.QUOTA,
    "billing_not_active": FailureKind.QUOTA,
    "invalid_api_key": FailureKind.AUTHENTICATION,
    "context_length_exceeded": FailureKind.CONTEXT_TOO_LONG,
    "content_filter": FailureKind.CONTENT_FILTER,
    "content_policy_violation": FailureKind.CONTENT_FILTER,
    "model_not_found": FailureKind.NOT_FOUND,
    "question_not_recorded": FailureKind.BAD_REQUEST,  # of this project's recorded teacher: others may be
}
_KIND_OF_STATUS = {
    401: FailureKind.AUTHENTICATION,
    402: FailureKind.QUOTA,
    403: FailureKind.AUTHENTICATION,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.TIMEOUT,
    409: FailureKind.SERVER,
    413: FailureKind.CONTEXT_TOO_LONG,
    425: FailureKind.SERVER,
    429: FailureKind.RATE_LIMITED,
}
_TOO_LONG = re.compile(
    r"context (length|window)|maximum.{0,20} length|prompt is too long|too many tokens", re.IGNORECASE
)

_NO_ROUTE_YET = "/-/routes for available routes"  # Ray Serve's words when its proxy has just started
_FLAGGED = re.compile(r"\bmoderation\b|\bflagged\b", re.IGNORECASE)  # a router's 403 for one question


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A status other than 200, with the endpoint's own words."""

    status: int
    code: str
    type: str
    message: str

    def __str__(self) -> str:
        return f"status {self.status}: {self.message}"


def read_error_response(response: Response) -> ErrorResponse:
    """The message of an error response: OpenAI's error body, or whatever text there is."""
    if 300 <= response.status < 400:
        elsewhere = response.headers.get("Location", "another place")
        return ErrorResponse(
            response.status, "", "", f"the address redirects to {elsewhere}: give that one as base_url"
        )
    text = response.content[:10_000].decode("utf-8", "replace")
    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        error = None
    error = error.get("error", error) if isinstance(error, dict) else None
    said = (
        error if isinstance(error, dict) else {"message": error if isinstance(error, str) else " ".join(text.split())}
    )
    code, kind, message = (said.get(name) for name in ("code", "type", "message"))
    return ErrorResponse(
        response.status,
        code if isinstance(code, str) else "",
        kind if isinstance(kind, str) else "",
        message if isinstance(message, str) else json.dumps(said),
    )


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


def failure_kind(error: ErrorResponse) -> FailureKind:
    """What an error response means: by the endpoint's own error code first, then by status, then by its words."""
    for code in (error.code, error.type):
        if error.status < 500 and code in _KIND_OF_CODE:
            return _KIND_OF_CODE[code]
    if error.status == 403 and _FLAGGED.search(error.message):
        return FailureKind.CONTENT_FILTER
    if error.status == 404 and _NO_ROUTE_YET in error.message:
        return FailureKind.SERVER
    if 300 <= error.status < 400:
        return FailureKind.NOT_FOUND
    if error.status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[error.status]
    if error.status >= 500:
        return FailureKind.SERVER
    return FailureKind.CONTEXT_TOO_LONG if _TOO_LONG.search(error.message) else FailureKind.BAD_REQUEST


def outcome_of(kind: FailureKind) -> LeaseOutcome:
    """What a failure says about its endpoint. One of the request's own says that the endpoint lives."""
    if kind is FailureKind.RATE_LIMITED:
        return LeaseOutcome.RATE_LIMITED
    if kind.endpoint_wide:
        return LeaseOutcome.BROKEN
    down = kind in (FailureKind.TRANSPORT, FailureKind.TIMEOUT, FailureKind.SERVER)
    return LeaseOutcome.FAILED if down else LeaseOutcome.DONE
