"""An application whose answer nobody waits for hears so, also where it does not end by being cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve.door.leaving import run_until_given_up

BODY = {"type": "http.request", "body": b"{}", "more_body": False}


class AsVllm:
    """As vLLM's routes are: the answer is a task of its own, which ends when the client is gone, and not when the route
    is cancelled."""

    def __init__(self, seconds: float, listens: bool = True) -> None:
        self._seconds, self._listens = seconds, listens
        self.ended = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == BODY
        answer, gone = asyncio.create_task(self._answer()), asyncio.create_task(receive())
        await asyncio.wait({answer, gone} if self._listens else {answer}, return_when=asyncio.FIRST_COMPLETED)
        answer.cancel()
        gone.cancel()
        await send({"type": "http.response.body", "body": b"null"})

    async def _answer(self) -> None:
        self.ended = "not yet"
        try:
            await asyncio.sleep(self._seconds)
            self.ended = "whole"
        except asyncio.CancelledError:
            self.ended = "given up"
            raise


async def run(app: Any, said: list[Any], within_s: float = 5.0, leaves_s: float | None = None) -> None:
    coming = [BODY]

    async def receive() -> Any:
        if coming:
            return coming.pop()
        await (asyncio.Event().wait() if leaves_s is None else asyncio.sleep(leaves_s))
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    try:
        async with asyncio.timeout(within_s):
            await run_until_given_up(app, {}, receive, send)
    finally:
        await asyncio.sleep(0.01)


def test_an_answer_that_is_waited_for_is_whole() -> None:
    app = AsVllm(0.01)
    said: list[Any] = []
    asyncio.run(run(app, said))
    assert len(said) == 1 and app.ended == "whole"


def test_one_that_takes_too_long_is_given_up_and_says_nothing_after() -> None:
    app = AsVllm(5.0)
    said: list[Any] = []
    with pytest.raises(TimeoutError):
        asyncio.run(run(app, said, within_s=0.05))
    assert app.ended == "given up" and not said


def test_one_that_is_given_up_twice_hears_it_nevertheless() -> None:
    app = AsVllm(5.0)

    async def twice() -> None:
        running = asyncio.create_task(run(app, []))
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
        await asyncio.sleep(0.01)

    asyncio.run(twice())
    assert app.ended == "given up"


def test_a_client_that_leaves_is_heard_of() -> None:
    app = AsVllm(5.0)
    asyncio.run(run(app, [], leaves_s=0.05))
    assert app.ended == "given up"


def test_what_does_not_listen_ends_soon_nevertheless() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(run(AsVllm(30.0, listens=False), [], within_s=0.05), 20))


def test_what_an_application_raises_is_raised() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(run(broken, []))
