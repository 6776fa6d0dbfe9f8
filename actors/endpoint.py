"""One OpenAI-compatible endpoint: sending a request once, reading what comes back, and asking whether it is there.

Owns: the reading of replies, the typing of failures, and what a sending is known to have cost. The HTTP is
`actors.wire`.

Invariants
- One call, one attempt: a retry below would know nothing of the limits that all workers share, and would repeat a spent
  quota like any "too many requests".
- Whatever comes back is a `TeacherReply` or a `TeacherFailure`; a body is read strictly and never trusted.
- What a sending cost is what the endpoint says of its tokens, as far as that can be true; otherwise nothing is known,
  and the worst case stands. A request that the endpoint refused costs nothing.
- The key is read from the environment here and appears in no message: every text that leaves is scrubbed of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import ipaddress
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, Field, ValidationError

from actors.limit_headers import NOTHING, Observed, read_limits, read_retry_after
from actors.limits import Outcome
from actors.wire import NO_KEY, Interrupted, NotReached, Response, Wire
from reasoning.prices import most_prompt_tokens
from reasoning.teacher_calls import EndpointSettings, FailureKind, TeacherFailure, TeacherReply, TeacherRequest

_LONGEST_MESSAGE = 500
_OVER = 2  # times the bound on tokens: more than that cannot be true
_KEY_SHAPED = re.compile(r"\b(?:sk|key)-[\w*.\-]{6,}|(?<=Bearer )\S+")


class EndpointError(Exception):
    """An endpoint that cannot be used. The message names its address and what to do."""


class EndpointUnreachable(EndpointError):
    """Nothing answers there, or not in the OpenAI protocol."""


class AuthenticationRefused(EndpointError):
    """The key is missing, or the endpoint does not accept it."""


class UnknownModel(EndpointError):
    """The endpoint is there but does not serve the model."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that one sending is known to have used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one attempt, and what it says about the limits. `usage` None: it may have cost its worst case."""

    result: TeacherReply | TeacherFailure
    outcome: Outcome
    usage: Usage | None = Usage()
    retry_after_s: float | None = None
    observed: Observed = NOTHING


class Endpoint:
    """Sends requests, each exactly once. Safe to use from many tasks of one event loop."""

    def __init__(self, settings: EndpointSettings) -> None:
        """Raises `AuthenticationRefused` when the key's environment variable is empty."""
        self._settings = settings
        self._api_key = read_api_key(settings)
        self._wire = Wire(
            settings.base_url, self._api_key, settings.max_in_flight, use_proxy=not _is_loopback(settings)
        )

    @property
    def settings(self) -> EndpointSettings:
        return self._settings

    async def send(self, request: TeacherRequest) -> Sent:
        """One attempt at `request`, over within `timeout_s`."""
        try:
            content = json.dumps(self.body(request), ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            return self._failed(request, FailureKind.BAD_REQUEST, f"a message is not valid text: {error.reason}")
        try:
            async with asyncio.timeout(self._settings.timeout_s):  # from first to last byte, for servers that trickle
                response = await self._wire.post("/chat/completions", content)
        except TimeoutError:
            return self._failed(request, FailureKind.TIMEOUT, f"no reply within {self._settings.timeout_s:g} s", None)
        except NotReached as error:
            return self._failed(request, FailureKind.TRANSPORT, str(error))
        except Interrupted as error:  # it may have been served
            return self._failed(request, FailureKind.TRANSPORT, str(error), None)
        if response.status != 200:
            return self._refused(request, response)
        return self.read(request, response.content, read_limits(response.headers))

    def read(self, request: TeacherRequest, body: bytes, observed: Observed = NOTHING) -> Sent:
        """What a body that came with status 200 says."""
        try:
            reply = read_completion(request, body)
        except _UnusableReply as error:
            failed = self._failed(request, error.kind, str(error), error.usage, outcome=Outcome.DONE)
            return dataclasses.replace(failed, observed=observed)
        return Sent(reply, Outcome.DONE, _credible(request, reply), observed=observed)

    def body(self, request: TeacherRequest) -> dict[str, Any]:
        """The JSON that asks for `request`'s completion."""
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [{"role": role, "content": content} for role, content in request.messages],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
        }
        return body | ({"seed": request.sample} if self._settings.send_seed else {})

    async def close(self) -> None:
        await self._wire.close()

    def _refused(self, request: TeacherRequest, response: Response) -> Sent:
        refusal = read_refusal(response)
        kind = failure_kind(refusal)
        failed = self._failed(request, kind, str(refusal))
        if kind is not FailureKind.RATE_LIMITED and kind is not FailureKind.SERVER:
            return failed
        return dataclasses.replace(
            failed,
            retry_after_s=read_retry_after(response.headers, time.time()),
            observed=read_limits(response.headers),
        )

    def _failed(
        self,
        request: TeacherRequest,
        kind: FailureKind,
        message: str,
        usage: Usage | None = Usage(),
        outcome: Outcome | None = None,
    ) -> Sent:
        message = scrub(message, self._api_key)[:_LONGEST_MESSAGE]
        return Sent(TeacherFailure(request.key, kind, message, attempts=1), outcome or outcome_of(kind), usage)


def outcome_of(kind: FailureKind) -> Outcome:
    """What a failure says about its endpoint. One of the request's own says that the endpoint lives."""
    if kind is FailureKind.RATE_LIMITED:
        return Outcome.RATE_LIMITED
    if kind.endpoint_wide:
        return Outcome.BROKEN
    down = kind in (FailureKind.TRANSPORT, FailureKind.TIMEOUT, FailureKind.SERVER)
    return Outcome.FAILED if down else Outcome.DONE


def worst_tokens(request: TeacherRequest) -> tuple[int, int]:
    """The most tokens that `request` can use: of the prompt, and of the completion."""
    return most_prompt_tokens(request.messages), request.max_tokens


def _credible(request: TeacherRequest, reply: TeacherReply) -> Usage | None:
    """The usage that came with a reply, None where it cannot be true: nothing for something, or far more than there can
    be. A little more is believed, since it may be charged: an endpoint may put words of its own before a prompt."""
    if reply.prompt_tokens < 1 or (reply.text and reply.completion_tokens < 1):
        return None
    prompt, completion = worst_tokens(request)
    if reply.prompt_tokens > _OVER * prompt or reply.completion_tokens > _OVER * completion:
        return None
    return Usage(reply.prompt_tokens, reply.completion_tokens)


class _UnusableReply(Exception):
    """The endpoint served the request, but what it sent is no reply. `usage` None: what it costs is not known."""

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
    """The reply in a response's body. Raises `_UnusableReply`."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the body"
        raise _UnusableReply(FailureKind.MALFORMED, f"not a chat completion: {where}: {problem['msg']}") from None
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
    usage = _credible(request, reply)
    if finish_reason == "content_filter" or (choice.message.refusal and not text):
        why = choice.message.refusal or "withheld by the endpoint's filter"
        raise _UnusableReply(FailureKind.CONTENT_FILTER, why, usage)
    if not text.strip() and finish_reason == "length":
        why = f"cut off at max_tokens ({request.max_tokens}) before the first word; raise teacher.max_tokens"
        raise _UnusableReply(FailureKind.TRUNCATED, why, usage)
    if not text.strip():
        raise _UnusableReply(FailureKind.EMPTY, f"a reply without text (finish_reason {finish_reason})", usage)
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status other than 200, with the endpoint's own words."""

    status: int
    code: str
    type: str
    message: str

    def __str__(self) -> str:
        return f"status {self.status}: {self.message}"


def read_refusal(response: Response) -> Refusal:
    """What a response that is no success says: OpenAI's error body, or whatever text there is."""
    text = response.content[:10_000].decode("utf-8", "replace")
    try:
        error = json.loads(text)
    except ValueError:
        error = None
    error = error.get("error", error) if isinstance(error, dict) else None
    said = (
        error if isinstance(error, dict) else {"message": error if isinstance(error, str) else " ".join(text.split())}
    )
    code, kind, message = (said.get(name) for name in ("code", "type", "message"))
    return Refusal(
        response.status,
        code if isinstance(code, str) else "",
        kind if isinstance(kind, str) else "",
        message if isinstance(message, str) else json.dumps(said),
    )


def failure_kind(refusal: Refusal) -> FailureKind:
    """What a refusal means: by the endpoint's own error code first, then by status, then by its words."""
    for code in (refusal.code, refusal.type):
        if refusal.status < 500 and code in _KIND_OF_CODE:
            return _KIND_OF_CODE[code]
    if refusal.status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[refusal.status]
    if refusal.status >= 500:
        return FailureKind.SERVER
    return FailureKind.CONTEXT_TOO_LONG if _TOO_LONG.search(refusal.message) else FailureKind.BAD_REQUEST


async def probe_endpoint(settings: EndpointSettings, timeout_s: float = 10.0) -> None:
    """Asks the endpoint for its models, before anything is spent. Passes where it serves the model, and where it keeps
    no list of models (404) or is busy (429).

    Raises `EndpointUnreachable`, `AuthenticationRefused` or `UnknownModel`."""
    api_key = read_api_key(settings)
    address = shown_address(settings.base_url)
    wanted = f"endpoint {settings.name} at {address}"
    client = make_client(settings, api_key, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            raw = await client.models.with_raw_response.list()
        models = [model.id for model in _Models.model_validate_json(raw.content).data]
    except TimeoutError:
        raise EndpointUnreachable(
            f"{wanted}: no answer within {timeout_s:g} s. Is it up, and base_url right?"
        ) from None
    except openai.APIStatusError as error:
        if error.status_code in (401, 403):
            variable = settings.api_key_env or "no key: name its environment variable in api_key_env"
            raise AuthenticationRefused(
                f"{wanted} refuses the key (status {error.status_code}; key from {variable}). Put a valid key there"
            ) from None
        if error.status_code >= 500:
            raise EndpointUnreachable(f"{wanted} answers with status {error.status_code}. Try again later") from None
        return  # no list of models, or too busy to show it
    except ValidationError:
        raise EndpointUnreachable(
            f"{wanted} answers, but not in the OpenAI protocol. base_url usually ends in /v1"
        ) from None
    except (openai.APIConnectionError, ValueError) as error:  # a ValueError: an address that no request can go to
        cause = scrub(str(error.__cause__ or error), api_key)
        raise EndpointUnreachable(f"{wanted} cannot be reached ({cause}). Start it, or mend base_url") from None
    finally:
        await client.close()
    # Some providers list a model under a path that requests may leave out ("models/NAME").
    if models and not any(model == settings.model or model.endswith("/" + settings.model) for model in models):
        near = difflib.get_close_matches(settings.model, models, n=3, cutoff=0.3) or models[:3]
        raise UnknownModel(f"{wanted} does not serve the model {settings.model!r}. It serves {', '.join(near)}, ...")


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


def read_api_key(settings: EndpointSettings) -> str | None:
    """The endpoint's key from the environment, None where it takes none. Raises `AuthenticationRefused`."""
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise AuthenticationRefused(
            f"endpoint {settings.name} at {shown_address(settings.base_url)} needs a key: set the environment variable "
            f"{settings.api_key_env} (on a cluster, through the job's runtime environment, env_vars)"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise AuthenticationRefused(
            f"endpoint {settings.name}: what is in the environment variable {settings.api_key_env} is no key: it holds "
            "a space, a line break or a letter that no HTTP header can carry"
        )
    return key


def scrub(text: str, api_key: str | None) -> str:
    """`text` without the key and without anything shaped like one (endpoints echo keys, whole or in part)."""
    if api_key:
        text = text.replace(api_key, "[key]")
    return _KEY_SHAPED.sub("[key]", text)


def shown_address(base_url: str) -> str:
    """`base_url` without user, password and query: fit for a message."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def make_client(settings: EndpointSettings, api_key: str | None, timeout_s: float) -> openai.AsyncOpenAI:
    """A client that sends once and knows no limits of its own."""
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=api_key or NO_KEY,
        max_retries=0,
        timeout=timeout_s,
        # A proxy from the environment cannot reach this machine's own addresses.
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not _is_loopback(settings)),
    )


def _is_loopback(settings: EndpointSettings) -> bool:
    host = urlsplit(settings.base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
