"""What bad clients are told, and what of it is the server's fault."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from bench.chaos.endpoint import _each, _statuses, is_fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [("200", False), ("404", False), ("500", True), ("502", True), ("503", False), ("504", False), ("closed", False)],
)
def test_what_is_the_servers_fault(status: str, fault: bool) -> None:
    assert is_fault(status) is fault


def test_statuses_are_found_wherever_a_report_has_them() -> None:
    event = {"Scenario": {"cases": [{"response": {"status_code": 200}}, {"response": None}], "response": {"x": 1}}}
    assert list(_statuses(event)) == ["200"]


@contextlib.asynccontextmanager
async def listening(said: bytes | None) -> AsyncIterator[str]:
    """A server that says this and closes, or stays silent."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if said is not None:
            writer.write(said)
            writer.close()
        else:
            await reader.read()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("said", "told"), [(b"HTTP/1.1 408 Timeout\r\n", "408"), (b"", "closed"), (None, "still open")]
)
def test_a_connection_that_stays_hears_what_it_is_told(said: bytes | None, told: str) -> None:
    async def asked() -> Counter[str]:
        async with listening(said) as base:
            return await _each(base, 3, 0.05, b"GET / HTTP/1.1\r\n", b"")

    assert asyncio.run(asked()) == {told: 3}
