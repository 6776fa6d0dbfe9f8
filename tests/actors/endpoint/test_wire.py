"""One POST: what never reached the endpoint, what may have, and what no reply can be."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvicorn
from aiohttp import web

from actors.endpoint import wire
from actors.endpoint.wire import Interrupted, NotReached, Response, Wire
from tests.actors.scripted_server import Server


def post(base_url: str, **more: float) -> Response:
    async def scenario() -> Response:
        to_it = Wire(base_url, "the key", 4, **more)
        try:
            return await asyncio.wait_for(to_it.post("/chat/completions", b"{}"), 20)
        finally:
            await to_it.close()

    return asyncio.run(scenario())


def test_a_host_that_takes_no_connection_was_not_reached() -> None:
    """A listener whose queue is full: the kernel drops what comes next, as a firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(NotReached, match="Timeout"):
            post(f"http://127.0.0.1:{port}/v1", connect_s=0.3)
        for one in waiting:
            one.close()


def test_a_proxy_that_refuses_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://me:hunter2@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        to_it = Wire("https://teacher.example/v1", "the key", 4)
        with pytest.raises(NotReached, match="the proxy refused the connection: status 407") as refused:
            await to_it.post("/chat/completions", b"{}")
        assert "hunter2" not in str(refused.value)
        await to_it.close()
        proxy.close()

    asyncio.run(scenario())


def test_an_idle_connection_is_not_used_for_as_long_as_servers_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is late would send on what the server has closed by then: lost, and booked as sent."""
    assert uvicorn.Config("none").timeout_keep_alive >= 2 * wire._IDLE_S
    monkeypatch.setattr(wire, "_IDLE_S", 0.2)
    connections = set()

    async def answer(request: web.Request) -> web.Response:
        connections.add(request.transport)
        return web.json_response({})

    async def scenario() -> None:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        to_it = Wire(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", "the key", 4)
        for pause_s, open_until_now in ((0.0, 1), (0.0, 1), (0.4, 2)):
            await asyncio.sleep(pause_s)
            await to_it.post("/chat/completions", b"{}")
            assert len(connections) == open_until_now
        await to_it.close()
        await runner.cleanup()

    asyncio.run(scenario())


def answering(respond: Callable[[web.Request], Awaitable[web.StreamResponse]], server: Server) -> Response:
    server.faults.append(respond)
    return post(server.base_url)


def test_a_redirect_is_not_followed(server: Server) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://elsewhere.example/v1"})

    response = answering(elsewhere, server)
    assert response.status == 307 and response.headers["location"] == "http://elsewhere.example/v1"
    assert len(server.sent) == 1


def test_a_body_that_unpacks_to_more_than_any_reply_is_not_read_to_its_end(server: Server) -> None:
    async def bomb(_: web.Request) -> web.Response:
        packed = gzip.compress(b" " * 200_000_000, compresslevel=1)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    with pytest.raises(Interrupted, match="status 200 with a body of more than 16 MiB"):
        answering(bomb, server)


def test_an_address_that_is_none_is_a_failure_like_others() -> None:
    with pytest.raises(Interrupted):
        post(f"http://{'x' * 70}.example/v1")
