"""What an endpoint says in an error response: its status, codes, parameter and words, and when to come back.

Owns: the forms of error bodies. What they mean is `actors.endpoint.errors.kinds`. Nothing is sent here.

Invariants
- Only the fields that an error is told in are read; what else stands in a body (an echo of the request) is not.
- A body in no known form is told as its text.

Forms: OpenAI's `{"error": {message, type, param, code}}`, the same as a list (Gemini), with the error as a text (xAI,
vLLM), without the `error` around it (Mistral, SiliconFlow), as FastAPI's `detail`, with Google's `details`, with the
error of a provider behind a router as JSON in a text (OpenRouter's `metadata.raw`), and plain text.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from actors.endpoint.wire import Response
from actors.limits.headers import read_duration, read_retry_after, wait_until

_LONGEST_BODY = 20_000
_LONGEST_TEXT = 2_000
_DEEPEST = 6  # errors within errors
_MESSAGES = (
    *("message", "Message", "msg", "error_message", "errorMessage", "error_msg", "errorMsg", "err_msg", "errmsg"),
    *("status_msg", "description", "title"),
)
_CODES = ("code", "Code", "type", "status", "reason", "error_code", "errorCode", "err_code", "errcode", "__type")
_OF_A_ROUTER = ("raw", "headers", "retry_after_seconds")
_SECONDS = ("retry_after", "retryAfter", "retry_after_seconds")
_INNER = ("error", "innererror", "inner_error", "errors", "detail", "details", "raw", "base_resp")
_NUMBER = r"\d+(?:\.\d+)?"
_TIME = rf"{_NUMBER}\s?(?:ms|milliseconds?|seconds?|secs?|minutes?|mins?|hours?|days?|[smhd](?![a-z]))"
_AGAIN = re.compile(
    r"(?:(?:try again|retry|wait)(?:ing)?(?: your request)? (?:in|after|for)(?: about)?|\bwait(?: about| at least)?) "
    rf"({_TIME}(?:(?:,? and|,)?\s?{_TIME})*|{_NUMBER})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A status other than 200, with the endpoint's own words. `codes` are all codes and types that it gives, as
    `code_of` spells them; `param` is the parameter that it names; `retry_after_s` is when its body says to come
    back."""

    status: int
    code: str
    type: str
    message: str
    codes: frozenset[str] = frozenset()
    param: str = ""
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return f"status {self.status}: {self.message}"


def read_error_response(response: Response) -> ErrorResponse:
    """The message of an error response, in any of the forms above, or whatever text there is."""
    if 300 <= response.status < 400:
        elsewhere = response.headers.get("Location", "another place")
        return ErrorResponse(
            response.status, "", "", f"the address redirects to {elsewhere}: give that one as base_url"
        )
    if response.status == 407:
        return ErrorResponse(
            response.status,
            "",
            "",
            "the proxy wants a user and a password: http://USER:PASSWORD@HOST:PORT in its variable",
        )
    text = response.content[:_LONGEST_BODY].decode("utf-8", "replace")
    body = _parsed(text)
    errors = list(_errors(body)) if isinstance(body, dict | list) else []
    words = [*dict.fromkeys(words for error in errors if (words := _words(error)))]
    message = " | ".join(words) or (body if isinstance(body, str) else " ".join(text.split()))
    if "%20" in message and " " not in message:
        message = unquote(message)  # as of an address: xAI's, once
    codes = frozenset(code for error in errors for code in _codes(error))
    return ErrorResponse(
        response.status,
        _first(errors, "code"),
        _first(errors, "type"),
        message[:_LONGEST_TEXT],
        codes,
        next((param for error in errors if (param := _param(error))), ""),
        next((wait for error in errors if (wait := _wait(error)) is not None), _told_wait(message)),
    )


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _errors(body: object, depth: int = 0) -> Iterator[Mapping[str, object]]:
    """The errors in a body, the outermost first."""
    if depth > _DEEPEST:
        return
    if isinstance(body, list):
        for one in body[:10]:
            yield from _errors(one, depth + 1)
        return
    if isinstance(body, str):
        inner = _parsed(body) if body.lstrip()[:1] in ("{", "[") else None
        yield from _errors(inner, depth + 1) if isinstance(inner, dict | list) else [{"message": body}]
        return
    if not isinstance(body, Mapping):
        return
    if "choices" in body and not body.get("error"):
        return
    message = body.get("message")
    if isinstance(message, Mapping | list) or (isinstance(message, str) and message.lstrip()[:1] in ("{", "[")):
        inside = list(_errors(message, depth + 1))
        yield {**body, "message": ""} if inside else body
        yield from inside
    else:
        yield body
    for name in _INNER:
        if name in body:
            yield from _errors(body[name], depth + 1)
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _errors({name: metadata[name] for name in _OF_A_ROUTER if name in metadata}, depth + 1)
        if isinstance(provider := metadata.get("provider_name"), str):
            yield {"message": f"provider {provider}"}


def _words(error: Mapping[str, object]) -> str:
    where = error.get("loc")  # of FastAPI: ["body", "seed"]
    words = next((said for name in _MESSAGES if isinstance(said := error.get(name), str) and said.strip()), "")
    words = " ".join(words.split())
    if words and isinstance(where, list) and where:
        return f"{'.'.join(str(part) for part in where)}: {words}"
    return words


def _first(errors: list[Mapping[str, object]], name: str) -> str:
    return next((said for error in errors if isinstance(said := error.get(name), str) and said), "")


def _codes(error: Mapping[str, object]) -> Iterator[str]:
    for name in _CODES:
        said = error.get(name)
        if isinstance(said, str | int) and not isinstance(said, bool):
            yield code_of(str(said))
    said = error.get("error")
    if isinstance(said, str) and re.fullmatch(r"[\w.\-]+", said):  # {"error": "rate_limit_exceeded"}
        yield code_of(said)
    if isinstance(error.get("status_code"), int):
        yield str(error["status_code"])
    violations = error.get("violations")  # Google's QuotaFailure
    for violation in violations if isinstance(violations, list) else ():
        if isinstance(violation, Mapping):
            yield from (code_of(str(violation[name])) for name in ("quotaId", "quotaMetric") if name in violation)
            if str(violation.get("quotaValue")) == "0":
                yield "quota_value_0"


def code_of(text: str) -> str:
    """A code as it is compared: `InvalidApiKey`, `invalid-api-key` and `INVALID_API_KEY` are `invalid_api_key`, and
    so is `com.example#InvalidApiKey` (Amazon's)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip().rpartition("#")[2])
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def _param(error: Mapping[str, object]) -> str:
    said, where = error.get("param"), error.get("loc")
    if isinstance(said, str) and said not in ("None", "null"):
        return said
    return ".".join(str(part) for part in where if part != "body") if isinstance(where, list) else ""


def _wait(error: Mapping[str, object]) -> float | None:
    """Seconds until the error says to come back."""
    delay = error.get("retryDelay")  # Google's RetryInfo
    if isinstance(delay, str):
        return read_duration(delay)
    if isinstance(delay, Mapping):
        whole, part = (read_duration(str(delay.get(name))) for name in ("seconds", "nanos"))
        return None if whole is None and part is None else (whole or 0.0) + (part or 0.0) / 1e9
    headers = error.get("headers")
    if isinstance(headers, Mapping):
        lower = {str(name).lower(): str(value) for name, value in headers.items()}
        wait = read_retry_after(lower, time.time())
        return wait if wait is not None else wait_until(lower.get("x-ratelimit-reset"), time.time())
    for name, unit in (("retry_after_ms", 1e-3), *((name, 1.0) for name in _SECONDS)):
        said = error.get(name)
        if isinstance(said, int | float | str) and (wait := read_duration(str(said))) is not None:
            return wait * unit
    return None


def _told_wait(message: str) -> float | None:
    """Seconds in "Please try again in 1m26.4s" and "Please retry after 1 hour and 6 seconds"."""
    found = _AGAIN.search(message)
    return read_duration(found[1]) if found is not None else None
