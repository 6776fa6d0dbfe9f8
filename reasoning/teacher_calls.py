"""One question to the teacher and what can come of it, as data.

Owns: the request and its content key, the reply, the typed failure, and an endpoint's settings.

Invariants
- A request's key is a hash of everything that shapes its answer and of nothing else: the same request has the same key
  in every process and every run, whatever port, worker or attempt it is sent by.
- Nothing here holds a secret: an API key is named by its environment variable.
- Whatever happens to a request is a value, `TeacherReply` or `TeacherFailure`, that travels and is stored as it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Why a request has no reply, told apart by what can be done about it."""

    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_FILTER = "content_filter"
    EMPTY = "empty"
    MALFORMED = "malformed"
    TRANSPORT = "transport"
    TIMEOUT = "timeout"
    SERVER = "server"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"

    @property
    def transient(self) -> bool:
        """The same request may succeed when it is sent again, without anyone doing anything."""
        return self in _TRANSIENT

    @property
    def final(self) -> bool:
        """The request itself is at fault and would fail again: the journal keeps the failure as its outcome."""
        return self in _FINAL

    @property
    def endpoint_wide(self) -> bool:
        """Every other request to this endpoint would fail alike until a person acts (tops up, mends key or model)."""
        return self in _ENDPOINT_WIDE


_TRANSIENT = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.EMPTY,
        FailureKind.MALFORMED,
        FailureKind.TRANSPORT,
        FailureKind.TIMEOUT,
        FailureKind.SERVER,
    }
)
# A bad request is neither: it may be the settings' fault (a parameter that this endpoint does not take), which are not
# part of the key, so that mending them must be enough to have it asked again.
_FINAL = frozenset({FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER})
_ENDPOINT_WIDE = frozenset({FailureKind.QUOTA, FailureKind.AUTHENTICATION, FailureKind.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """One completion wanted.

    `endpoint` is the endpoint's stable name (never its port, never a secret); `messages` are (role, content) pairs;
    `sample` tells apart several samples of the same request and is sent as `seed` where the endpoint takes one.
    """

    endpoint: str
    model: str
    messages: tuple[tuple[str, str], ...]
    temperature: float
    max_tokens: int
    sample: int = 0

    @property
    def key(self) -> str:
        """32 hex digits of BLAKE2b over the canonical JSON of every field: what the journal files the outcome under."""
        canonical = json.dumps(self.as_json(), separators=(",", ":"), sort_keys=True)
        return hashlib.blake2b(canonical.encode("ascii"), digest_size=16).hexdigest()

    def as_json(self) -> dict[str, object]:
        """The whole request as plain JSON values, in the form the key is made of."""
        return {
            "endpoint": self.endpoint,
            "model": self.model,
            "messages": [[role, content] for role, content in self.messages],
            "temperature": float(self.temperature),  # 0 and 0.0 are the same request
            "max_tokens": self.max_tokens,
            "sample": self.sample,
        }


@dataclass(frozen=True, slots=True)
class TeacherReply:
    """What the teacher answered to the request `key`.

    `finish_reason` is the endpoint's own: "stop", or "length" for a text cut off at `max_tokens`, which is a reply
    all the same. Token counts are the endpoint's (0 when it gives none). `model` is who the endpoint says answered.
    """

    key: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    model: str
    from_journal: bool = False

    @property
    def truncated(self) -> bool:
        return self.finish_reason == "length"


@dataclass(frozen=True, slots=True)
class TeacherFailure:
    """Why the request `key` has no reply. `attempts` counts how often it was sent; `message` holds no secret."""

    key: str
    kind: FailureKind
    message: str
    attempts: int


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One OpenAI-compatible endpoint and how it may be asked.

    `name` is part of every request's key; `base_url` may change between runs. `api_key_env` names the environment
    variable that holds the key (None: the endpoint takes none). `timeout_s` bounds one attempt from sending to the
    last byte. `attempts` bounds sends of one request; answers "too many requests" do not count as attempts but are
    bounded by `rate_limit_patience_s`.
    """

    name: str
    base_url: str
    model: str
    api_key_env: str | None = None
    requests_per_minute: float | None = None
    max_in_flight: int = 32
    timeout_s: float = 120.0
    attempts: int = 5
    send_seed: bool = False
    rate_limit_patience_s: float = 600.0

    def __post_init__(self) -> None:
        for setting in ("max_in_flight", "timeout_s", "attempts", "rate_limit_patience_s"):
            if not getattr(self, setting) > 0:
                raise ValueError(f"endpoint {self.name}: {setting} must be above 0, not {getattr(self, setting)}")
        if self.requests_per_minute is not None and not self.requests_per_minute > 0:
            raise ValueError(
                f"endpoint {self.name}: requests_per_minute must be above 0 (or None for no limit), "
                f"not {self.requests_per_minute}"
            )
