"""The way of questions to one replica and of its answers back, many in one call.

Owns: which questions a replica has been given and has not answered.

Invariants
- What is asked within one turn of the event loop goes in one call. While a question is not answered, a call waits at
  the replica; a call brings the answers that are ready, whichever call their questions went with.
- A call that fails loses all that its replica was given in the same life, and nothing that it was given later. Each
  loss and each answer gives its room back once, also when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from actors.sampler.outbox import Answer, Question
from actors.sampler.replica import ReplicaHandle
from reasoning.student.sampling import Completion, Sampling

CALL_AGAIN_S = 0.005  # the questions that follow on answers go with the call that fetches the next


class ReplicaGone(RuntimeError):
    """A replica did not answer what it was given. The message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A question that the replica has; `life` is the replica's when it was asked."""

    answer: asyncio.Future[list[Completion]]
    completions: int
    life: int


class Exchange:
    """One replica's questions. `back` is told of each that is over by how many completions it was for; `lost` is told
    when a call failed, before that. `life` counts the replica's lives: whoever brings it up counts on."""

    def __init__(self, handle: ReplicaHandle, back: Callable[[int], None], lost: Callable[[Exception], None]) -> None:
        self._handle, self._back, self._lost = handle, back, lost
        self.life = 0
        self._numbers = itertools.count()
        self._going: list[Question] = []
        self._given: dict[int, _Given] = {}
        self._calls: set[asyncio.Task[None]] = set()  # kept, or they would be collected
        self._waiting = 0  # calls at the replica

    def ask(self, version: str, prompt: str, sampling: Sampling) -> asyncio.Future[list[Completion]]:
        """The answer to come. It raises `StaleWeights`, `PromptRefused`, `ReplicaGone`, and what the engine raises."""
        loop = asyncio.get_running_loop()
        number, answer = next(self._numbers), loop.create_future()
        self._given[number] = _Given(answer, sampling.samples, self.life)
        if not self._going:
            loop.call_soon(self._send)
        self._going.append(Question(number, version, prompt, sampling))
        return answer

    def _send(self) -> None:
        """Calls with what is to go, or with nothing where answers are to come and no call waits for them."""
        going, self._going = self._going, []
        if not going and (self._waiting or not self._given):
            return
        self._waiting += 1
        call = asyncio.create_task(self._call(going, self.life))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, going: list[Question], life: int) -> None:
        from ray.exceptions import ObjectLostError, RayActorError

        try:
            answers = await self._handle.exchange.remote(going)
        except (RayActorError, ObjectLostError) as error:
            self._lose(life, ReplicaGone(f"{type(error).__name__}: {error}"))
        except Exception as error:  # noqa: BLE001  (whatever an engine raises: its callers are told)
            self._end(life, error)
        else:
            self._take(answers)
        finally:
            self._waiting -= 1  # not by the task's end: a loop that had no turn for a while may call `_send` before it
            asyncio.get_running_loop().call_later(CALL_AGAIN_S, self._send)

    def _take(self, answers: list[Answer]) -> None:
        """Gives room back first, so that what waits for it goes before the callers work on their answers."""
        came = [(self._given.pop(answer.number, None), answer) for answer in answers]
        for given, _ in came:
            if given is not None:
                self._back(given.completions)
        for given, answer in came:
            if given is None or given.answer.done():
                continue
            if answer.refusal is not None:
                given.answer.set_exception(answer.refusal)
            else:
                given.answer.set_result(list(answer.completions))

    def _lose(self, life: int, error: Exception) -> None:
        if life == self.life and self._given:
            self._lost(error)
        self._end(life, error)

    def _end(self, life: int, error: Exception) -> None:
        """Ends with `error` what was given in `life` or before."""
        over = {number for number, given in self._given.items() if given.life <= life}
        self._going = [question for question in self._going if question.number not in over]
        for number in over:
            given = self._given.pop(number)
            self._back(given.completions)
            if not given.answer.done():
                given.answer.set_exception(error)
