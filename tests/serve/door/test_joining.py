"""A stream's tokens go together where they come fast: in order, the first and the last at once, none held for long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve.door.joining import Joined

pytestmark = pytest.mark.quick
EVERY_S = 0.05


class Wire:
    """What was sent, and when."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.sent: list[tuple[float, bytes, bool]] = []
        self._slow_s, self.gone = slow_s, False

    async def send(self, message: Any) -> None:
        await asyncio.sleep(self._slow_s)
        if self.gone:
            raise ConnectionResetError
        if message["type"] == "http.response.body":
            self.sent.append((asyncio.get_running_loop().time(), message["body"], message["more_body"]))

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body, _ in self.sent]


async def begin(
    wire: Wire, every_s: float = EVERY_S, content_type: bytes = b"text/event-stream; charset=utf-8"
) -> Joined:
    joined = Joined(wire.send, every_s)
    await joined({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", content_type)]})
    return joined


async def say(joined: Joined, *pieces: bytes, pause_s: float = 0.0) -> None:
    for piece in pieces:
        await joined({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(pause_s)


async def end(joined: Joined, body: bytes = b"") -> None:
    await joined({"type": "http.response.body", "body": body, "more_body": False})


def test_the_first_goes_at_once_and_the_last_with_what_is_held() -> None:
    async def scenario() -> None:
        wire = Wire()
        joined = await begin(wire)
        await say(joined, b"a")
        assert wire.bodies == [b"a"]
        await say(joined, b"b", b"c")
        assert wire.bodies == [b"a"]
        await end(joined, b"d")
        assert [sent[1:] for sent in wire.sent] == [(b"a", True), (b"bcd", False)]
        await asyncio.sleep(2 * EVERY_S)
        assert len(wire.sent) == 2

    asyncio.run(scenario())


def test_what_is_held_goes_when_its_time_is_up_though_nothing_comes() -> None:
    async def scenario() -> None:
        wire = Wire()
        joined = await begin(wire)
        await say(joined, b"a", b"b", b"c")
        await asyncio.sleep(3 * EVERY_S)
        assert wire.bodies == [b"a", b"bc"] and wire.sent[1][0] - wire.sent[0][0] >= EVERY_S / 2
        await say(joined, b"d")  # the time is over: at once
        assert wire.bodies == [b"a", b"bc", b"d"]
        await end(joined)
        assert wire.sent[-1][1:] == (b"", False)

    asyncio.run(scenario())


def test_a_long_stream_is_whole_and_in_order_also_for_a_client_that_reads_slowly() -> None:
    pieces = [f"{number} ".encode() for number in range(100)]

    async def scenario(slow_s: float) -> int:
        wire = Wire(slow_s)
        joined = await begin(wire)
        await say(joined, *pieces, pause_s=0.002)
        await end(joined)
        assert b"".join(wire.bodies) == b"".join(pieces)
        return len(wire.sent)

    assert all(asyncio.run(scenario(slow_s)) < 50 for slow_s in (0.0, 0.02))


@pytest.mark.parametrize(("every_s", "content_type"), [(0.0, b"text/event-stream"), (EVERY_S, b"application/json")])
def test_what_is_no_stream_and_what_is_not_to_be_joined_goes_as_it_comes(every_s: float, content_type: bytes) -> None:
    async def scenario() -> None:
        wire = Wire()
        joined = await begin(wire, every_s, content_type)
        await say(joined, b"a", b"b")
        await end(joined, b"c")
        assert wire.bodies == [b"a", b"b", b"c"]

    asyncio.run(scenario())


def test_nothing_is_sent_after_the_end_of_an_answer_that_broke_off() -> None:
    async def scenario() -> None:
        wire = Wire()
        joined = await begin(wire)
        await say(joined, b"a", b"b")
        joined.close()
        await asyncio.sleep(2 * EVERY_S)
        assert wire.bodies == [b"a"]

    asyncio.run(scenario())


def test_a_client_that_is_gone_is_told_to_the_application() -> None:
    async def scenario() -> None:
        wire = Wire()
        joined = await begin(wire)
        await say(joined, b"a", b"b")
        wire.gone = True
        await asyncio.sleep(2 * EVERY_S)
        with pytest.raises(ConnectionResetError):
            await say(joined, b"c")

    asyncio.run(scenario())
