"""A real HTTP server on the loopback that can be told to fail: shared by the tests of endpoint, worker and pool."""

import asyncio
import collections
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

SECRET = "s3cr3t-Pa55-of-the-endpoint"
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


def completion(text: str | None, finish_reason: str = "stop", **more: object) -> web.Response:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    return web.json_response({"id": "1", "model": "m-1", "choices": [choice], "usage": usage, **more})


def error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Fault:
    async def respond(_: web.Request) -> web.Response:
        body = {"error": {"message": message, "code": code, "type": code}}
        return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return respond


def body(text: str | bytes, content_type: str = "application/json") -> Fault:
    async def respond(_: web.Request) -> web.Response:
        data = text.encode() if isinstance(text, str) else text
        return web.Response(body=data, content_type=content_type)

    return respond


def said(text: str | None, finish_reason: str = "stop", **more: object) -> Fault:
    async def respond(_: web.Request) -> web.Response:
        return completion(text, finish_reason, **more)

    return respond


async def dropped(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.abort()
    return response


async def hanging(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def trickling(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


class Server:
    """An OpenAI-compatible endpoint in a thread. `faults` are used up, one a request, before it answers properly."""

    def __init__(self) -> None:
        self.faults: collections.deque[Fault] = collections.deque()
        self.models_fault: Fault | None = None
        self.latency_s = 0.0
        self.sent: list[dict[str, Any]] = []
        self.sent_at: list[float] = []
        self.keys: list[str] = []
        self.most_in_flight = self._in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def texts(self) -> list[str]:
        return [sent["messages"][0]["content"] for sent in self.sent]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self._port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        stalled = asyncio.all_tasks(self._loop)
        for task in stalled:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*stalled, return_exceptions=True))
        self._loop.close()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.sent.append(asked)
        self.sent_at.append(time.monotonic())
        self.keys.append(request.headers.get("Authorization", ""))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            if self.faults:
                return await self.faults.popleft()(request)
            await asyncio.sleep(self.latency_s)
            return completion(f"Answer to {asked['messages'][0]['content']}")
        finally:
            self._in_flight -= 1

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.models_fault is not None:
            return await self.models_fault(request)
        return web.json_response({"object": "list", "data": [{"id": "m"}, {"id": "vendor/big-model"}]})
