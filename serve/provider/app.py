"""The faulty provider over HTTP: an aiohttp application around a `RequestHandler`.

Owns: the routes, and how each fault looks on the wire. Invariants
- Every refusal has OpenAI's body, also that of a wrong path; what breaks a body or a connection is a chosen fault.
- A request whose client hangs up is no longer in flight at once; it is billed all the same.
- Keys are compared and never repeated, not in an error, a log or the stats.

`GET /stats`, `GET /served` (an array of [Unix time, tokens]) and `POST /reset` need no key.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict

from aiohttp import web

from reasoning.offline.teacher import Teacher
from serve.provider.args import ProviderArgs
from serve.provider.batch_api import BatchApi, Handler
from serve.provider.chat_completion import ProviderError, read_chat_request, read_json
from serve.provider.faults import FaultKind
from serve.provider.request_handler import AdmittedRequest, RateLimitError, RequestHandler, fault_error

MOST_BYTES = 256 * 1024**2
PIECES = 50  # of a trickling answer
FLUSH_S = 0.02  # until what was written has left this process
PAGE = "<html><head><title>Please wait</title></head><body><h1>We are checking your browser</h1></body></html>"


class ProviderApp:
    """The handlers."""

    def __init__(self, args: ProviderArgs, teacher: Teacher) -> None:
        self._args = args
        self._handler = RequestHandler(args, teacher, time.monotonic, time.time)
        self._keys = None if args.api_keys is None else frozenset(f"Bearer {key}" for key in args.api_keys)
        self._batches = BatchApi(args.batch_times(), self._handler.answer_line)

    def build(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=MOST_BYTES)
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.get("/v1/models", self._models),
                web.get("/v1/models/{model:.+}", self._model),
                *self._batches.routes(),
                web.get("/stats", self._stats),
                web.get("/served", self._served),
                web.post("/reset", self._reset),
            ]
        )
        app.on_shutdown.append(self._close)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Keys, and OpenAI's body for whatever is refused."""
        try:
            if self._keys is not None and request.path.startswith("/v1/"):
                self._check_key(request)
            return await handler(request)
        except ProviderError as refusal:
            return _error_response(refusal, {})
        except web.HTTPException as error:
            return _error_response(ProviderError(error.status, error.reason, None), {})

    def _check_key(self, request: web.Request) -> None:
        if self._keys is not None and request.headers.get("Authorization") not in self._keys:
            if request.path == "/v1/chat/completions":
                self._handler.account.arrive_badly()
            raise ProviderError(401, "Incorrect API key provided.", "invalid_api_key")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            ask = read_chat_request(read_json(await request.read()), self._args.model)
        except ProviderError:
            self._handler.account.arrive_badly()
            raise
        try:
            admitted = self._handler.take(ask)
        except RateLimitError as refusal:
            return _error_response(refusal, {**refusal.headers, **self._handler.headers()})
        try:
            return await self._respond(admitted, request)
        except asyncio.CancelledError:
            admitted.account.client_gone += 1
            raise
        finally:
            self._handler.close()

    async def _respond(self, admitted: AdmittedRequest, request: web.Request) -> web.StreamResponse:
        fault, faults, headers = admitted.fault, self._args.faults, self._handler.headers()
        if fault is FaultKind.DROPPED:
            return _hang_up(request)
        if fault is FaultKind.RATE_LIMITED_WITH_HINT:
            hint = self._handler.hint(faults.retry_after_s, always=True)
            return _error_response(fault_error(fault, self._args.model), {**hint, **headers})
        if fault is FaultKind.HTML:
            return web.Response(text=PAGE, content_type="text/html")
        if fault is FaultKind.ERROR_WITHIN:
            return web.Response(body=self._handler.error_within(admitted), content_type="application/json")
        if admitted.given is None:
            return _error_response(self._handler.error_of(admitted), headers)
        if admitted.latency_s:
            await asyncio.sleep(admitted.latency_s)
        if fault is FaultKind.STALLED:
            await asyncio.sleep(faults.stall_s)
            return _hang_up(request)
        body = self._handler.body(admitted)
        if fault is FaultKind.CUT_OFF:
            await _cut_off(request, body)
            return _hang_up(request)
        if fault is FaultKind.TRICKLING:
            response = await _trickle(request, body, faults.trickle_s)
            self._handler.finish(admitted)
            return response
        self._handler.finish(admitted)
        kind = "text/event-stream" if fault is FaultKind.STREAMED else "application/json"
        return web.Response(body=body, status=self._handler.status(admitted), headers={**headers, "Content-Type": kind})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._card()]})

    async def _model(self, request: web.Request) -> web.Response:
        if request.match_info["model"] != self._args.model:
            raise ProviderError(404, f"The model '{request.match_info['model']}' does not exist.", "model_not_found")
        return web.json_response(self._card())

    def _card(self) -> dict[str, object]:
        return {"id": self._args.model, "object": "model", "created": 0, "owned_by": "tailor"}

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self._handler.stats()))

    async def _served(self, _: web.Request) -> web.Response:
        return web.json_response(self._handler.account.served)

    async def _reset(self, _: web.Request) -> web.Response:
        self._handler.reset()
        return web.json_response({})

    async def _close(self, _: web.Application) -> None:
        await self._batches.close()


def _error_response(refusal: ProviderError, headers: dict[str, str]) -> web.Response:
    return web.Response(text=refusal.text(), status=refusal.status, headers=headers, content_type="application/json")


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut_off(request: web.Request, body: bytes) -> None:
    """Half of a body whose whole length was promised."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(FLUSH_S)


async def _trickle(request: web.Request, body: bytes, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await response.prepare(request)
    size = -(-len(body) // PIECES)
    for first in range(0, len(body), size):
        if first:
            await asyncio.sleep(seconds / PIECES)
        await response.write(body[first : first + size])
    return response
