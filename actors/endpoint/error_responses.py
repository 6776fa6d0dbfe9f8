"""What an error response of an endpoint means: a kind of failure, and what that says about the endpoint.

Owns: the words and codes of error responses. Nothing is sent here.

Invariant: a kind is told from the endpoint's own fields, never from anything else that stands in a body.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from actors.endpoint.wire import Response
from actors.limits.rate_limits import LeaseOutcome
from reasoning.teacher.calls import FailureKind

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
