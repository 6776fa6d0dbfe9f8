"""What goes wrong at the faulty provider, and how long it takes: decided by seed, before anything is sent.

Owns: the kinds of fault, which of them are billed, and the plan that gives a request its fault and its latency. No
I/O and no clock. Invariants
- A draw depends on seed, purpose, identity of the request and the number of its arrival only, never on the order in
  which different requests come: a run is repeated exactly, at any concurrency.
- A spread of 0 is a constant latency, whatever its kind; half of all latencies are below the median.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from enum import StrEnum
from itertools import accumulate
from math import exp
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FaultKind(StrEnum):
    """What a client can meet. In a batch, `dropped` is a line that is in neither file."""

    RATE_LIMITED_WITH_HINT = "rate_limited_with_hint"  # 429 that says when to come back
    RATE_LIMITED = "rate_limited"  # 429 that does not
    SERVER_ERROR = "server_error"  # 500
    UNAVAILABLE = "unavailable"  # 503
    DROPPED = "dropped"  # the connection ends before any byte
    CUT_OFF = "cut_off"  # the connection ends in the middle of the body
    STALLED = "stalled"  # nothing comes for `stall_s`, then the connection ends
    TRICKLING = "trickling"  # the whole answer, in pieces, over `trickle_s`
    MALFORMED = "malformed"  # a complete body that is half of a JSON text
    HTML = "html"  # a gateway's page, with status 200
    EMPTY = "empty"  # no text
    TRUNCATED = "truncated"  # half of the text, finish_reason "length"
    WRONG_USAGE = "wrong_usage"  # usage negative, absent, in strings, zero or far too high
    CONTENT_FILTER = "content_filter"  # no text, finish_reason "content_filter"
    CONTEXT_TOO_LONG = "context_too_long"  # 400
    UNSUPPORTED = "unsupported_parameter"  # 400
    ODD_STATUS = "odd_status"  # 498, 499, 424, 529 and the like
    ERROR_WITHIN = "error_within"  # an error in a body with status 200
    GIVEN_UP = "given_up"  # half of the text, and a finish reason that says that the server gave up
    UNFINISHED = "unfinished"  # half of the text, and another word for that than "length"
    WITHHELD = "withheld"  # no text, and another word for that than "content_filter"
    OTHER_WORD = "other_word"  # the whole text, and another word for that than "stop"
    THINKING = "thinking"  # the whole text after a draft, in one of the forms in which providers send those
    ANSWER_AS_THINKING = "answer_as_thinking"  # the whole text where thinking belongs, and no content
    OVERRUN = "overrun"  # the whole text, and much more thinking than max_tokens: billed, and counted in many forms
    STREAMED = "streamed"  # the whole text as a stream
    PADDED = "padded"  # the whole text, with keep-alive lines or a list around its body
    ACCEPTED = "accepted"  # the whole text, with status 201 or 202


# Never reached the model. All others were answered, and cost money, whatever became of the answer.
UNBILLED = frozenset(
    {
        *(FaultKind.RATE_LIMITED_WITH_HINT, FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE),
        *(FaultKind.DROPPED, FaultKind.HTML, FaultKind.CONTEXT_TOO_LONG, FaultKind.ODD_STATUS, FaultKind.ERROR_WITHIN),
        FaultKind.UNSUPPORTED,
    }
)
# The client has the whole text, if it waits for it: asking again would be paying twice.
ANSWERED = frozenset(
    {
        *(None, FaultKind.TRICKLING, FaultKind.WRONG_USAGE, FaultKind.OTHER_WORD, FaultKind.THINKING),
        *(FaultKind.ANSWER_AS_THINKING, FaultKind.OVERRUN, FaultKind.STREAMED, FaultKind.PADDED, FaultKind.ACCEPTED),
    }
)
# What can become of a line of a batch.
BATCH_KINDS = (
    *(FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.UNAVAILABLE, FaultKind.DROPPED, FaultKind.MALFORMED),
    *(FaultKind.EMPTY, FaultKind.TRUNCATED, FaultKind.WRONG_USAGE, FaultKind.CONTENT_FILTER),
    FaultKind.CONTEXT_TOO_LONG,
    FaultKind.UNSUPPORTED,
    *(FaultKind.GIVEN_UP, FaultKind.UNFINISHED, FaultKind.WITHHELD, FaultKind.OTHER_WORD, FaultKind.THINKING),
    *(FaultKind.ANSWER_AS_THINKING, FaultKind.OVERRUN),
)


class LatencyArgs(BaseModel):
    """Seconds from a request to the first byte of its answer.

    `spread`: for `uniform` half the width as a share of the median, for `lognormal` the standard deviation of the
    logarithm, for `pareto` the inverse of the exponent (0.5 and more is a heavy tail).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["constant", "lognormal", "uniform", "pareto"] = "constant"
    median_s: float = Field(default=0.0, ge=0.0)
    spread: float = Field(default=0.0, ge=0.0)
    at_most_s: float = Field(default=120.0, gt=0.0)

    @model_validator(mode="after")
    def _no_negative_latency(self) -> LatencyArgs:
        if self.kind == "uniform" and self.spread > 1.0:
            raise ValueError("spread: a uniform latency has a spread of at most 1, else it could be negative")
        return self

    def seconds(self, at: float) -> float:
        """The latency at the quantile `at`, 0 <= at < 1."""
        if self.kind == "constant" or not self.spread or not self.median_s:
            drawn = self.median_s
        elif self.kind == "uniform":
            drawn = self.median_s * (1.0 + self.spread * (2.0 * at - 1.0))
        elif self.kind == "lognormal":
            drawn = self.median_s * exp(self.spread * NormalDist().inv_cdf(min(max(at, 1e-12), 1 - 1e-12)))
        else:
            drawn = self.median_s * (2.0 * (1.0 - at)) ** -self.spread
        return min(drawn, self.at_most_s)


class FaultArgs(BaseModel):
    """How often something goes wrong, and what.

    `share`: of all admitted requests. `weights`: how often each kind is chosen, relative to the others; empty: all
    alike, otherwise kinds that are not named do not occur. `first_arrivals`: only the first so many arrivals of the
    same request can fail (None: all), so that a run with a share of 1 still ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(default=0.0, ge=0.0, le=1.0)
    weights: dict[FaultKind, Annotated[float, Field(ge=0.0)]] = Field(default_factory=dict)
    first_arrivals: int | None = Field(default=None, ge=0)
    retry_after_s: float = Field(default=1.0, ge=0.0)
    stall_s: float = Field(default=30.0, gt=0.0)
    trickle_s: float = Field(default=2.0, ge=0.0)

    @model_validator(mode="after")
    def _something_to_choose(self) -> FaultArgs:
        if self.weights and not any(self.weights.values()):
            raise ValueError("weights: at least one kind needs a weight above 0")
        return self


def chance(seed: int, purpose: str, identity: str, arrival: int) -> float:
    """A number from 0 up to 1, always the same one for the same four."""
    digest = hashlib.blake2b(f"{seed}|{purpose}|{arrival}|{identity}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


class FaultPlan:
    """Gives each arrival of a request its fault. `kinds`: those that can occur at all here."""

    def __init__(self, args: FaultArgs, seed: int, kinds: Iterable[FaultKind] = tuple(FaultKind)) -> None:
        weights = {kind: args.weights.get(kind, 0.0) if args.weights else 1.0 for kind in kinds}
        weights = {kind: weight for kind, weight in weights.items() if weight > 0}
        self._kinds = list(weights)
        self._bounds = list(accumulate(weights.values()))
        self._share = args.share if weights else 0.0
        self._first_arrivals = args.first_arrivals
        self._seed = seed

    def fault(self, identity: str, arrival: int) -> FaultKind | None:
        """What happens to arrival number `arrival` (from 0) of this request; None: nothing."""
        if not self._share or (self._first_arrivals is not None and arrival >= self._first_arrivals):
            return None
        at = chance(self._seed, "fault", identity, arrival)
        if at >= self._share:
            return None
        chosen = bisect_right(self._bounds, at / self._share * self._bounds[-1])
        return self._kinds[min(chosen, len(self._kinds) - 1)]
