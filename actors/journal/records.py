"""What goes into the journal and comes out of it, as data."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reasoning.teacher.calls import Outcome, TeacherReply, TeacherRequest


class StartRefusal(StrEnum):
    """Why a sending may not start now. None of them is for ever: they say what to wait for."""

    IN_FLIGHT = "in_flight"  # another living process has sent it: its outcome will be here
    NO_MONEY_YET = "no_money_yet"  # it might pass the cap, unless what is in flight costs less than its worst case
    NO_MONEY = "no_money"  # it might pass the cap, and nothing is in flight


def sending_id() -> str:
    """A name that no other sending has. It begins with the time, so that rows written together lie together on disk."""
    return f"{time.time_ns():016x}{random.getrandbits(64):016x}"


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending that is about to happen. `id` names it (`sending_id`), so that the call may be repeated. `worst_cost`
    is the most it can cost, `cap` the most that `run` may spend, in nanodollars (None: no cap). `places` are the
    fingerprints of all that may be asked: by them it is judged whether a failure stays."""

    id: str
    key: str
    request: TeacherRequest
    run: str = ""
    endpoint: str = ""
    worst_cost: int = 0
    cap: int | None = None
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How the sending `id` ended: its outcome, and what it cost in tokens and nanodollars (None: the worst case).
    `typical`: that cost can be true of the request, so that the next may cost as much over its worst case. `place` is
    the fingerprint of the one that was asked (empty: not known)."""

    id: str
    outcome: Outcome
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int | None = 0
    typical: bool = True
    place: str = ""


def reply_json(reply: TeacherReply) -> str:
    """A reply as its row holds it."""
    content: dict[str, object] = {
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "model": reply.model,
    }
    return json.dumps({**content, "thinking": reply.thinking} if reply.thinking else content)


@dataclass(frozen=True, slots=True)
class Spending:
    """Dollars: `settled` for sendings that have ended, `reserved` as the worst case of those that have not."""

    settled: float
    reserved: float


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was handed to a provider and whose outcome is not recorded. `sends`: request key -> sending."""

    id: str
    remote_id: str | None
    sends: Mapping[str, str]
    created_at: float
