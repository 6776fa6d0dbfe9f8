"""What an error response means: a kind of failure, and what that says about the endpoint.

Owns: what counts more where codes, words and status differ. The tables are `actors.endpoint.errors.words`.

Invariants
- A kind is told by the endpoint's own codes first, then by its words, then by its status.
- Words count only as far as they are the endpoint's: what an error repeats of the request is left out before.
- To slow down means the same beside any status, and what will pass by itself is asked again, not given up.
- What every request would meet alike is told apart from what is one request's own, so that a run stops after a few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from actors.endpoint.errors.repeated import own_words
from actors.endpoint.errors.responses import ErrorResponse, code_of
from actors.endpoint.errors.words import (
    ALLOCATED,
    CERTAIN,
    CUT_OFF,
    GOOGLE_DAILY,
    KIND_OF_CODE,
    KIND_OF_STATUS,
    LATER,
    LIMITED_CODES,
    MAY_BE_LIMITED,
    NO_ROUTE_YET,
    NOTHING_LEFT,
    SOON,
    VAGUE,
    WHATEVER_THE_STATUS,
    WORDED,
    WORDS,
)
from actors.limits.rate_limits import LeaseOutcome
from reasoning.teacher.calls import FailureKind


def failure_kind(error: ErrorResponse, asked: Iterable[str] = ()) -> FailureKind:
    """What an error response means. `asked` are the texts of the request, which an error may repeat."""
    said = own_words(error.message, asked)
    if error.status == 429:
        return _refused_for_now(error, said)
    known = [code for code in _codes(error) if code in KIND_OF_CODE and code not in VAGUE]
    by_code = next((code for code in known if error.status < 500 or code in WHATEVER_THE_STATUS), None)
    if by_code is not None:
        return KIND_OF_CODE[by_code]
    if (error.status in MAY_BE_LIMITED or error.status < 300) and LIMITED_CODES.intersection(_codes(error)):
        return _refused_for_now(error, said)
    if error.status == 404 and NO_ROUTE_YET in error.message:
        return FailureKind.SERVER
    if 300 <= error.status < 400:
        return FailureKind.NOT_FOUND
    if error.status == 400 and CUT_OFF.search(said):
        return FailureKind.TRUNCATED
    worded = _by_words(said, error.status)
    if worded is FailureKind.RATE_LIMITED:
        return _refused_for_now(error, said)
    if worded is not None:
        return worded
    vague = [KIND_OF_CODE[code] for code in _codes(error) if code in VAGUE]
    if error.status in KIND_OF_STATUS:
        return KIND_OF_STATUS[error.status]
    if error.status >= 500:
        return FailureKind.SERVER
    return vague[0] if vague else FailureKind.BAD_REQUEST


def _codes(error: ErrorResponse) -> Iterator[str]:
    """The codes that it gives, its own first."""
    yield from (code_of(code) for code in (error.code, error.type) if code)
    yield from sorted(error.codes)


def _by_words(said: str, status: int) -> FailureKind | None:
    """The kind that an error's words tell, where its status leaves that open."""
    if status >= 500:
        return next((kind for kind, words in CERTAIN if words.search(said)), None)
    if status not in WORDED and status >= 300:
        return None
    return next((kind for kind, words in _ordered(status) if words.search(said)), None)


def _ordered(status: int) -> Iterable[tuple[FailureKind, re.Pattern[str]]]:
    """The request's own faults first where the status is that of a bad request; a refused key or purse says little of a
    prompt, so there last. What will pass comes after both, and only a bad request may be meant so."""
    if status in (401, 402, 403, 404, 410, 412):
        return WORDS[:-1] if status in (401, 403) else WORDS[:-2]
    return (*WORDS[3:4], *WORDS[:3], *WORDS[4:])


def _refused_for_now(error: ErrorResponse, said: str) -> FailureKind:
    """What "too many requests" means: to slow down, or that nothing more is to be had."""
    if any(GOOGLE_DAILY.search(code) for code in error.codes) or "quota_value_0" in error.codes:
        return FailureKind.QUOTA  # Google's hint is for the minute, whatever was used up
    if ALLOCATED.search(said):
        return FailureKind.RATE_LIMITED
    if any(KIND_OF_CODE.get(code) is FailureKind.QUOTA for code in _codes(error)):
        return FailureKind.QUOTA
    if NOTHING_LEFT.search(said):
        return FailureKind.QUOTA
    if error.retry_after_s is not None:
        return FailureKind.RATE_LIMITED
    if re.search(r"request too large", said, re.IGNORECASE):
        return FailureKind.BAD_REQUEST  # larger than a whole minute's tokens
    if LATER.search(said) or (WORDS[0][1].search(said) and not SOON.search(said)):
        return FailureKind.QUOTA
    deactivated = FailureKind.AUTHENTICATION in [KIND_OF_CODE.get(code) for code in _codes(error) if code not in VAGUE]
    return FailureKind.AUTHENTICATION if deactivated else FailureKind.RATE_LIMITED


def outcome_of(kind: FailureKind) -> LeaseOutcome:
    """What a failure says about its endpoint. One of the request's own says that the endpoint lives."""
    if kind is FailureKind.RATE_LIMITED:
        return LeaseOutcome.RATE_LIMITED
    if kind is FailureKind.BAD_REQUEST:
        return LeaseOutcome.REFUSED
    if kind.endpoint_wide:
        return LeaseOutcome.BROKEN
    down = kind in (FailureKind.TRANSPORT, FailureKind.TIMEOUT, FailureKind.SERVER)
    return LeaseOutcome.FAILED if down else LeaseOutcome.DONE
