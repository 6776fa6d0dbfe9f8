"""What requests cost at a place, found out before a whole batch of them goes there.

Owns: the requests that are asked at once, one after another and at the full price, where there is a cap on spending.

Invariants
- Without a cap nothing is asked. With one, no batch of more than one request goes to a place of which no reply has
  shown what it costs.
- One reply is enough where it costs no more than its worst case. Where it costs more (thinking often has no limit) more
  are asked, for the journal reserves as much for each line as the dearest of them took over its worst case.
- A place that answers nothing at once gets a first batch of a single request.
"""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum

from actors.batch_api.endpoint import BatchEndpoint
from actors.endpoint.usage import Usage, booked, worst_tokens
from actors.journal.actor import Ended, Sending, StartRefusal, sending_id
from actors.teacher.retries import backoff
from reasoning.teacher.calls import Outcome, TeacherReply, TeacherRequest
from reasoning.teacher.prices import NANO

_MOST_TRIES = 3  # that end without a count: a place that fails does not make requests go one by one
_WHERE_IT_OVERRAN = 8  # replies that tell how much more it may be


class Stage(StrEnum):
    """What is known of the cost at a place."""

    ASK = "ask"  # nothing, or not enough: requests are asked at once
    ALONE = "alone"  # nothing, and nothing is answered at once: a batch of a single request goes first
    KNOWN = "known"


class Trial:
    """Of one place of a teacher."""

    def __init__(self, at: BatchEndpoint) -> None:
        self._at = at
        cap = at.teacher.max_cost
        self._cap = int(cap * NANO) if cap is not None else None
        priced = at.price is not None and (at.price.input > 0 or at.price.output > 0)
        self.stage = Stage.ASK if self._cap is not None and priced else Stage.KNOWN
        self._wanted = 1  # replies
        self._overran = False
        self._tries_left = _MOST_TRIES

    async def ask(self, request: TeacherRequest, key: str) -> Outcome | StartRefusal | None:
        """Asks `request` at once, and gives its outcome, or the reason why another run will have it. None: it has none
        yet, and goes into a batch like any other unless it is asked again."""
        began = time.monotonic()
        sending = self._sending(request, key)
        (refusal,) = await self._at.journal.start.remote([sending])
        if refusal in (StartRefusal.NO_MONEY, StartRefusal.NO_MONEY_YET):  # there may be enough for a batch
            self.stage = Stage.ALONE
            return None
        if refusal is not None:
            return refusal
        sent = await self._at.endpoint.send(request)
        usage, place = sent.usage, self._at.fingerprint
        cost = booked(usage, self._at.price, sending.worst_cost)
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        ended = Ended(sending.id, sent.result, *tokens, cost, usage is None or usage.certain, place)
        await self._at.journal.end.remote([ended])
        spent = sending.worst_cost if cost is None else cost
        self._at.metrics.sent(self._at.name, sent.result, usage, spent, time.monotonic() - began)
        self.learn(usage, overran=spent > sending.worst_cost)
        if self.stage is not Stage.ASK:
            await self._at.endpoint.close()
        if isinstance(sent.result, TeacherReply) or sent.result.kind.final:
            return sent.result
        if self.stage is Stage.ASK and not sent.result.kind.transient:
            self.stage = Stage.ALONE
        if self.stage is Stage.ASK:
            await asyncio.sleep(backoff(self._at.backoff_s, _MOST_TRIES - self._tries_left))
        return None

    def learn(self, usage: Usage | None, overran: bool = False) -> None:
        """Of a request that ended here, at once or in a batch."""
        if usage is not None and usage.tokens:
            self._wanted += _WHERE_IT_OVERRAN - 1 if overran and not self._overran else 0
            self._overran |= overran
            self._wanted -= 1
            if not self._wanted:
                self.stage = Stage.KNOWN
            return
        self._tries_left -= 1
        if not self._tries_left:
            self.stage = Stage.ALONE if self.stage is Stage.ASK else Stage.KNOWN
            self._tries_left = _MOST_TRIES

    def _sending(self, request: TeacherRequest, key: str) -> Sending:
        assert self._at.price is not None  # or nothing would be asked
        return Sending(
            id=sending_id(),
            key=key,
            request=request,
            run=self._at.teacher.run,
            endpoint=self._at.name,
            worst_cost=self._at.price.cost(*worst_tokens(request)),
            cap=self._cap,
            places=self._at.teacher.places,
        )
