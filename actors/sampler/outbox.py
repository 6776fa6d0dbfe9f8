"""The finished answers of a replica until they are fetched: many in one call, for a call costs its caller more than an
answer does.

Owns: what travels between a pool and a replica, and how long a finished answer waits for others to go with it.

Invariants
- An answer waits for at most a part of the time that it took to be made, and only while the engine has more to do than
  it does at once: what it could begin meanwhile comes with the next call.
- A call is answered as soon as answers may go, the oldest call first; with none when none is to come, or when too many
  calls wait.
- Every answer is handed out once.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from reasoning.student.sampling import Completion, PromptRefused, Sampling, StaleWeights

WAIT = 1 / 4  # of the time that an answer took; an engine ends as large a part of what it makes at once meanwhile
MOST_WAIT_S = 0.5
TOGETHER_S = 0.002  # what one step of an engine ends comes within this time
MOST_ANSWERS = 64  # in one call: larger results would go through Ray's object store
MOST_CALLS = 16  # that wait


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a replica. `number` is its caller's own, and comes back with the answer."""

    number: int
    version: str
    prompt: str
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Answer:
    """The completions of the question of this number, or why there are none."""

    number: int
    completions: Sequence[Completion] = ()
    refusal: PromptRefused | StaleWeights | None = None


class Outbox:
    """`at_once` is how many completions the engine makes at a time. Lives in one event loop."""

    def __init__(self, at_once: int = 1) -> None:
        self.at_once = at_once
        self._making = 0  # completions, those that wait for the engine too
        self._ready: deque[Answer] = deque()
        self._due = math.inf  # when they go, at the latest
        self._calls: deque[asyncio.Future[list[Answer]]] = deque()
        self._timer: asyncio.Handle | None = None  # uvloop's has no `when`, where the time was past already
        self._timer_due = math.inf
        self._error: Exception | None = None

    def expect(self, completions: int) -> None:
        """A question for so many is begun: `put` or `fail` ends it."""
        self._making += completions

    def put(self, answer: Answer, completions: int, took_s: float) -> None:
        """The answer to such a question is finished, after `took_s` seconds."""
        self._making -= completions
        self._ready.append(answer)
        wait = max(TOGETHER_S, min(MOST_WAIT_S, took_s * WAIT))
        self._due = min(self._due, asyncio.get_running_loop().time() + wait)
        self._look()

    def fail(self, error: Exception, completions: int) -> None:
        """A question ended in an error that no answer tells: raises it for whoever waits, or who calls next."""
        self._making -= completions
        self._error = error
        self._look()

    async def fetch(self) -> list[Answer]:
        """Answers that are ready, when they may go. Raises what `fail` was given."""
        call: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._calls.append(call)
        self._look()
        return await call

    def _look(self) -> None:
        """Answers the calls that can be answered now, and sets the time for the next."""
        if not self._calls:
            return
        if self._error is not None:
            for call in self._calls:
                if not call.done():
                    call.set_exception(self._error)
            self._calls.clear()
            self._error = None
        elif not self._ready and not self._making:
            while self._calls:
                self._hand_over()
        else:
            while len(self._calls) > MOST_CALLS:
                self._hand_over()
            if self._ready:
                self._set_time()

    def _set_time(self) -> None:
        loop = asyncio.get_running_loop()
        if self._making <= self.at_once * (1 + WAIT) or len(self._ready) >= MOST_ANSWERS:
            self._due = min(self._due, loop.time() + TOGETHER_S)
        if self._timer is not None and self._timer_due > self._due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer, self._timer_due = loop.call_at(self._due, self._time_is_up), self._due

    def _time_is_up(self) -> None:
        self._timer = None
        if self._calls and self._ready:
            self._hand_over()
        self._look()

    def _hand_over(self) -> None:
        """Answers the oldest call with what is ready."""
        call = self._calls.popleft()
        if call.done():  # its caller is gone
            return
        answers = [self._ready.popleft() for _ in range(min(MOST_ANSWERS, len(self._ready)))]
        if not self._ready:
            self._due = math.inf
        call.set_result(answers)
