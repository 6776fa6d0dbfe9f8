"""One question to the teacher and what can come of it, as data.

Owns: the request and its content key, the reply, the typed failure, and the settings of a teacher and its endpoints.

Invariants
- A request's key is a hash of everything that shapes its answer and of nothing else: the same request has the same key
  in every process and every run, whatever port, worker or attempt it is sent by.
- Nothing here holds a secret: an API key is named by its environment variable.
- Whatever happens to a request is a value, `TeacherReply` or `TeacherFailure`, that travels and is stored as it is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from enum import StrEnum

from reasoning.records import stable_id
from reasoning.teacher.finish_reasons import is_whole
from reasoning.teacher.parameters import NO_PARAMETERS, Parameters
from reasoning.teacher.prices import Price
from reasoning.teacher.scoring import Scoring
from reasoning.teacher.thinking import split_thinking, with_thinking


class FailureKind(StrEnum):
    """Why a request has no reply, told apart by what can be done about it."""

    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_FILTER = "content_filter"
    TRUNCATED = "truncated"  # cut off at max_tokens before the first word; with words it is a reply, `truncated`
    EMPTY = "empty"
    MALFORMED = "malformed"
    TRANSPORT = "transport"
    TIMEOUT = "timeout"
    SERVER = "server"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    UNSUPPORTED = "unsupported"  # the first requests were all refused alike: for a parameter, for example
    BUDGET = "budget"  # sending it could have passed the cap on spending: nothing was sent

    @property
    def transient(self) -> bool:
        """The same request may succeed when it is sent again, without anyone doing anything."""
        return self in _TRANSIENT

    @property
    def final(self) -> bool:
        """The request itself is at fault and would fail again, as long as its place's settings stay what they are: the
        journal keeps the failure as its outcome until they change."""
        return self in _FINAL

    @property
    def refusal(self) -> bool:
        """The place does not take this very request, for its length, its content or its form: another place may."""
        return self in _REFUSALS

    @property
    def endpoint_wide(self) -> bool:
        """Every other request to this endpoint would fail alike until a person acts (tops up, fixes key or model)."""
        return self in _ENDPOINT_WIDE

    @property
    def ends_the_run(self) -> bool:
        """Nothing more can be had until a person acts: no endpoint is left, or no money."""
        return self.endpoint_wide or self is FailureKind.BUDGET


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
# part of the key, so that fixing them must be enough to have it asked again.
# A truncated one is final: with the same max_tokens, which is part of the key, it would be cut off and paid for again.
_FINAL = frozenset({FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER, FailureKind.TRUNCATED})
_REFUSALS = frozenset({FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER, FailureKind.BAD_REQUEST})
_ENDPOINT_WIDE = frozenset(
    {FailureKind.QUOTA, FailureKind.AUTHENTICATION, FailureKind.NOT_FOUND, FailureKind.UNSUPPORTED}
)


def storable(text: str) -> str:
    """`text` as UTF-8 can hold it: half of a surrogate pair, which JSON can spell, becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """One completion wanted.

    `endpoint` is the endpoint's stable name (never its port, never a secret); `messages` are (role, content) pairs;
    `sample` tells apart several samples of the same request and is sent as `seed` where the endpoint takes one.
    Without `temperature` the endpoint's own holds. `parameters` is a JSON object, or "" where there are none.
    `scoring`: no completion is wanted, but what the teacher's logits say of given tokens; there are no messages then.
    """

    endpoint: str
    model: str
    messages: tuple[tuple[str, str], ...]
    temperature: float | None
    max_tokens: int
    sample: int = 0
    parameters: str = ""  # what else it is asked with (`reasoning.teacher.parameters`)
    scoring: Scoring | None = None
    _key: str = field(default="", init=False, repr=False, compare=False)  # once it is known

    @property
    def key(self) -> str:
        """32 hex digits of BLAKE2b over the canonical JSON of every field: what the journal files the outcome under."""
        if not self._key:
            canonical = json.dumps(self.as_json(), separators=(",", ":"), sort_keys=True)
            digest = hashlib.blake2b(canonical.encode("ascii"), digest_size=16).hexdigest()
            object.__setattr__(self, "_key", digest)
        return self._key

    def as_json(self) -> dict[str, object]:
        """The whole request as plain JSON values, in the form the key is made of."""
        content: dict[str, object] = {
            "endpoint": self.endpoint,
            "model": self.model,
            "messages": [[role, content] for role, content in self.messages],
            # 0 and 0.0 are the same request
            "temperature": float(self.temperature) if self.temperature is not None else None,
            "max_tokens": self.max_tokens,
            "sample": self.sample,
        }
        content |= {"parameters": json.loads(self.parameters)} if self.parameters else {}
        return content | ({"scoring": self.scoring.as_json()} if self.scoring is not None else {})


@dataclass(frozen=True, slots=True)
class TeacherReply:
    """What the teacher answered to the request `key`.

    `finish_reason` is the endpoint's own word (`reasoning.teacher.finish_reasons`): "stop", or "length" for a text cut
    off at `max_tokens`, which is a reply all the same. Token counts are the endpoint's (0 when it gives none). `model`
    is who the endpoint says answered. `thinking` is what it sent apart from the text; marks of thinking inside the text
    are part of the text.
    """

    key: str
    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    model: str
    from_journal: bool = False
    thinking: str = ""

    @property
    def whole_text(self) -> str:
        """The text after the thinking that came apart from it, as one text that `split_thinking` parts again."""
        return with_thinking(self.thinking, self.text) if self.thinking.strip() else self.text

    @property
    def truncated(self) -> bool:
        """Whether it is not known to be whole: cut off, also in its thinking, or without a word that says why it
        ends."""
        return not is_whole(self.finish_reason) or not split_thinking(self.text).closed


@dataclass(frozen=True, slots=True)
class TeacherFailure:
    """Why the request `key` has no reply. `attempts` counts how often it was sent; `message` holds no secret."""

    key: str
    kind: FailureKind
    message: str
    attempts: int


Outcome = TeacherReply | TeacherFailure  # what a request ends in


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How requests are gathered for a Batch API: a batch goes out when `max_requests` are there or none came for
    `linger_s`, and is looked at every `poll_s`. `window` is the time the provider takes at most, as it writes it."""

    max_requests: int = 50_000
    linger_s: float = 10.0
    poll_s: float = 30.0
    window: str = "24h"


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One place that answers for a teacher: an address, a key, a model, and what they permit.

    `name` is shown in messages, metrics and the journal's account of sendings: stable, unique among a teacher's
    endpoints, never a secret. `base_url` may change between runs. `api_key_env` names the environment variable that
    holds the key (None: the endpoint takes none). `weight` is its share of the requests while all endpoints have room.
    Limits that are None are learnt from the endpoint's response headers, where it sends any. `max_in_flight` is the
    ceiling of the window, which finds its own size below it. `timeout_s` bounds one attempt from sending to the last
    byte. Some models take no temperature, and the bound on tokens by another name (`max_tokens_key`). `batch`: requests
    are handed over in files (the Batch API) instead of one by one. `served_here`: by this run itself, so that its
    address is another one each time. `parameters` go into each request, and `headers`, in which `${NAME}` stands for an
    environment variable, go along with it. `api_version` is Azure's.
    """

    name: str
    base_url: str
    model: str
    api_key_env: str | None = None
    weight: float = 1.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    max_in_flight: int = 256
    timeout_s: float = 120.0
    send_seed: bool = False
    send_temperature: bool = True
    max_tokens_key: str = "max_tokens"
    price: Price | None = None
    batch: BatchSettings | None = None
    served_here: bool = False
    parameters: Parameters = NO_PARAMETERS
    headers: tuple[tuple[str, str], ...] = ()
    api_version: str | None = None

    def __post_init__(self) -> None:
        for setting in ("weight", "max_in_flight", "timeout_s"):
            if not getattr(self, setting) > 0:
                raise ValueError(f"endpoint {self.name}: {setting} must be above 0, not {getattr(self, setting)}")
        for setting in ("requests_per_minute", "tokens_per_minute"):
            value = getattr(self, setting)
            if value is not None and not value > 0:
                raise ValueError(f"endpoint {self.name}: {setting} must be above 0 (or None for no limit), not {value}")

    @property
    def fingerprint(self) -> str:
        """What a request can be refused for here: 16 hex digits of everything that shapes what is sent, and where to.
        Limits, weight, price and whether it is batched change nothing; nor does a setting that is its default."""
        shaping = {
            setting.name: value
            for setting in fields(self)
            if setting.name not in _SHAPES_NOTHING and (value := getattr(self, setting.name)) != setting.default
        }
        if self.served_here:
            del shaping["base_url"]
        return stable_id({name: repr(value) for name, value in shaping.items()})


# Of an endpoint's settings: how fast and at what price it is asked.
_SHAPES_NOTHING = frozenset(
    {
        "weight",
        "requests_per_minute",
        "tokens_per_minute",
        "max_in_flight",
        "timeout_s",
        "price",
        "batch",
        "served_here",
    }
)


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """A teacher as the pool asks it.

    `name` is part of every request's key; its `endpoints` all answer for it. `attempts` bounds sends of one request;
    answers "too many requests" do not count as attempts but are bounded by `rate_limit_patience_s`, as is waiting for
    an endpoint that is down. `max_cost` is the most, in dollars, that may be spent in the name of `run`: what is in
    flight counts with its worst case, so every endpoint then needs a price.
    """

    name: str
    endpoints: tuple[EndpointSettings, ...]
    attempts: int = 5
    rate_limit_patience_s: float = 600.0
    max_cost: float | None = None
    run: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """The fingerprints of its endpoints."""
        return tuple(endpoint.fingerprint for endpoint in self.endpoints)

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise ValueError(f"teacher {self.name}: there must be an endpoint")
        names = [endpoint.name for endpoint in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"teacher {self.name}: two endpoints have one name: {', '.join(sorted(names))}")
        for setting in ("attempts", "rate_limit_patience_s"):
            if not getattr(self, setting) > 0:
                raise ValueError(f"teacher {self.name}: {setting} must be above 0, not {getattr(self, setting)}")
        if self.max_cost is not None:
            if not self.max_cost >= 0:
                raise ValueError(f"teacher {self.name}: max_cost must be 0 or more, not {self.max_cost}")
            unpriced = [endpoint.name for endpoint in self.endpoints if endpoint.price is None]
            if unpriced:
                raise ValueError(f"teacher {self.name}: a cap on spending needs a price for {', '.join(unpriced)}")
