"""A provider of the Batch API, workers that ask it, and what they may have left."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from actors.batch_api.worker import BatchWorker
from actors.journal.actor import Journal
from reasoning.teacher.calls import (
    BatchSettings,
    EndpointSettings,
    Outcome,
    TeacherReply,
    TeacherRequest,
    TeacherSettings,
)
from reasoning.teacher.prices import Price, dollars
from serve.provider.args import ProviderArgs
from serve.provider.server import Provider
from tests.actors.in_process import in_process

MODEL = "faulty-teacher"
OF_THE_TEACHER = ("attempts", "rate_limit_patience_s", "max_cost", "run")


def provider(**knobs: Any) -> Provider:
    return Provider(
        ProviderArgs(
            **{"teacher": "echo", "batch_seconds": 0.2, "input_price": 1000.0, "output_price": 2000.0, **knobs}
        )
    )


def endpoint(at: Provider, name: str = "offline", **more: Any) -> EndpointSettings:
    batch = BatchSettings(linger_s=0.05, poll_s=0.05, **({"max_requests": n} if (n := more.pop("most", None)) else {}))
    price = more.pop("price", Price(1000.0, 2000.0, 0.5))
    return EndpointSettings(name, at.base_url, MODEL, price=price, batch=batch, timeout_s=5.0, **more)


def settings(at: Provider, **more: Any) -> TeacherSettings:
    of_teacher = {"attempts": 4, **{key: more.pop(key) for key in OF_THE_TEACHER if key in more}}
    return TeacherSettings("offline", (endpoint(at, **more),), **of_teacher)


def some(count: int, first: int = 0) -> list[TeacherRequest]:
    texts = [f"question number {number}" for number in range(first, first + count)]
    return [TeacherRequest("offline", "m", (("user", text),), 0.7, 64) for text in texts]


def worker(with_settings: TeacherSettings, journal: Any, **more: Any) -> BatchWorker:
    return BatchWorker(with_settings, in_process(journal), **{"backoff_s": 0.01, "hand_over_s": 5.0, **more})


def ask(
    with_settings: TeacherSettings,
    journal: Any,
    requests: Sequence[TeacherRequest],
    *,
    within_s: float = 20.0,
    **more: Any,
) -> list[Outcome]:
    async def scenario() -> list[Outcome]:
        asker = worker(with_settings, journal, **more)
        try:
            return await asyncio.wait_for(asyncio.gather(*(asker.ask(one) for one in requests)), within_s)
        finally:
            await asker.close()

    return asyncio.run(scenario())


def crash(
    with_settings: TeacherSettings,
    journal: Any,
    requests: Sequence[TeacherRequest],
    when: Callable[[BatchWorker], Awaitable[bool]],
    **more: Any,
) -> None:
    """Asks until `when`, then drops the worker with everything it was doing."""

    async def scenario() -> None:
        asker = worker(with_settings, journal, **more)
        await asker.submit(requests)
        await until(lambda: when(asker))

    asyncio.run(scenario())


class Unrecorded:
    """A journal whose writer dies just before it records what `method` would."""

    def __init__(self, journal: Journal, method: str) -> None:
        self._journal = journal
        self._method = method
        self.died = False

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._journal, name)

        async def dies(*_: object) -> None:
            self.died = True
            await asyncio.Event().wait()

        return dies


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await true():
                return
            await asyncio.sleep(0.01)


async def is_waiting(asker: BatchWorker) -> bool:
    batches = await asker.batches()
    return bool(batches) and all(batch.remote_id is not None for batch in batches)


def assert_answers(requests: Sequence[TeacherRequest], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(requests, outcomes, strict=True):
        assert isinstance(outcome, TeacherReply), outcome
        assert (outcome.key, outcome.text) == (request.key, f"Answer to {request.messages[0][1]}")


def assert_booked(journal: Journal, at: Provider) -> None:
    """The journal's account is the provider's bill, to within a nanodollar a line."""
    spending, bill = journal.spending(), at.stats()
    more = spending.settled - bill.cost
    assert spending.reserved == 0 and -1e-12 <= more <= dollars(bill.batch_lines + bill.arrived), more
