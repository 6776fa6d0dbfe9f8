"""The batch API of the faulty provider: files, and batches that work through one of them.

Owns: `/v1/files` and `/v1/batches`, their state in memory, and the pace at which batches go on. Invariants
- Every line of a completed or expired batch has exactly one result, in the output file or in the error file, but for
  those that a fault loses. A cancelled batch keeps the results it had.
- Results come in another order than the lines, by seed.
- Batches and results are shown in the form of `serve.provider.batch_forms` that the settings name.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from aiohttp import web

from serve.provider.batch_forms import BatchForm, created, listed, result_line, shown, with_odd_rows, written
from serve.provider.batches import ENDED, ENDPOINT, Batch, InvalidLine, Line, StoredFile, read_lines
from serve.provider.chat_completion import ProviderError, read_json
from serve.provider.faults import chance

STEPS = 20  # in which a batch's lines are worked through
BETWEEN_REQUESTS = 20  # lines, before live requests get their turn
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class LineReply:
    """What became of a line; `body` is a JSON text, or half of one where `malformed`."""

    status: int
    body: str
    malformed: bool = False


# Answers the body of a line; None: the line is lost.
AnswerLine = Callable[[object], LineReply | None]


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """How batches go: `seconds` from creation to the end, `expire_share` of the lines expire, `call_fault_share` of the
    calls to files and batches go wrong, `most_lines` in a file. `form`, `words` for statuses, `zipped` and `odd_rows`:
    how they are shown. A file is not to be seen for `late_s` after it was stored, by whichever side."""

    seconds: float
    expire_share: float
    call_fault_share: float
    most_lines: int
    seed: int
    form: BatchForm = "openai"
    words: Mapping[str, str] = field(default_factory=dict)
    zipped: bool = False
    odd_rows: bool = False
    late_s: float = 0.0


class BatchApi:
    """The handlers, their state, and one task for each batch under way."""

    def __init__(self, times: BatchTimes, answer_line: AnswerLine) -> None:
        self._times = times
        self._answer_line = answer_line
        self._files: dict[str, StoredFile] = {}
        self._batches: dict[str, Batch] = {}
        self._seen: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._made = self._calls = 0

    def routes(self) -> list[web.RouteDef]:
        apart = self._times.form == "together"
        return [
            web.post("/v1/files/upload" if apart else "/v1/files", self._unreliable(self._upload)),
            web.get("/v1/files", self._unreliable(self._list_files)),
            web.get("/v1/files/{id}", self._unreliable(self._file)),
            web.delete("/v1/files/{id}", self._unreliable(self._delete)),
            web.get("/v1/files/{id}/content", self._unreliable(self._content)),
            web.post("/v1/batches", self._unreliable(self._create)),
            web.get("/v1/batches", self._unreliable(self._list_batches)),
            web.get("/v1/batches/{id}", self._unreliable(self._batch)),
            web.post("/v1/batches/{id}/cancel", self._unreliable(self._cancel)),
        ]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _unreliable(self, handler: Handler) -> Handler:
        """By seed and number of the call: a 500 before anything was done, or a reply lost after everything was."""

        async def call(request: web.Request) -> web.StreamResponse:
            number, self._calls = self._calls, self._calls + 1
            at = chance(self._times.seed, "call", "", number)
            if at >= self._times.call_fault_share:
                return await handler(request)
            if at < self._times.call_fault_share / 2:
                raise ProviderError(
                    500, "The server had an error while processing your request.", None, None, "server_error"
                )
            response = await handler(request)
            if request.transport is not None:
                request.transport.abort()
            return response

        return call

    async def _upload(self, request: web.Request) -> web.Response:
        try:
            form = await request.post()
        except ValueError as error:
            raise ProviderError(
                400, f"The multipart form could not be read: {error}", "invalid_value", "file"
            ) from error
        sent = form.get("file")
        purpose = "batch-api" if self._times.form == "together" else "batch"
        if form.get("purpose") != purpose:
            raise ProviderError(400, f"The only purpose offered is '{purpose}'.", "invalid_value", "purpose")
        if not isinstance(sent, web.FileField):
            raise ProviderError(400, "A file is required.", "missing_required_parameter", "file")
        return web.json_response(self._store(sent.filename, "batch", sent.file.read()).card())

    def _store(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        stored = StoredFile(self._name("file"), filename, purpose, time.time(), content)
        self._files[stored.id] = stored
        return stored

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}-{self._made:08d}" if kind == "file" else f"{kind}_{self._made:08d}"

    async def _list_files(self, request: web.Request) -> web.Response:
        purpose = request.query.get("purpose")
        found = [stored for stored in self._files.values() if purpose in (None, stored.purpose)]
        newest_first = request.query.get("admitted", "desc") == "desc"
        ordered = found[::-1] if newest_first else found
        return web.json_response(_page(request, ordered, 10_000, StoredFile.card))

    async def _file(self, request: web.Request) -> web.Response:
        return web.json_response(self._found_file(request.match_info["id"]).card())

    async def _content(self, request: web.Request) -> web.Response:
        stored = self._found_file(request.match_info["id"])
        if stored.purpose == "batch_output" and self._is_late(stored):
            raise ProviderError(404, f"No such File object: {stored.id}", None, "id")
        return web.Response(body=stored.content, content_type="application/octet-stream")

    async def _delete(self, request: web.Request) -> web.Response:
        stored = self._files.pop(self._found_file(request.match_info["id"]).id)
        return web.json_response({"id": stored.id, "object": "file", "deleted": True})

    def _found_file(self, name: object) -> StoredFile:
        found = self._files.get(name) if isinstance(name, str) else None
        if found is None:
            raise ProviderError(404, f"No such File object: {name}", None, "id")
        return found

    async def _create(self, request: web.Request) -> web.Response:
        sent = read_json(await request.read())
        asked = sent if isinstance(sent, dict) else {}
        for param, offered in (("endpoint", ENDPOINT), ("completion_window", "24h")):
            if asked.get(param) != offered:
                raise ProviderError(400, f"Invalid '{param}': this server offers '{offered}'.", "invalid_value", param)
        metadata = asked.get("metadata")
        if metadata is not None and not (
            isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
        ):
            raise ProviderError(
                400, "Invalid 'metadata': an object of strings is required.", "invalid_value", "metadata"
            )
        stored = self._found_file(asked.get("input_file_id"))
        if self._is_late(stored) and self._times.form == "azure":
            raise ProviderError(400, f"File '{stored.id}' is not in a processed state yet.", "invalidPayload")
        if self._is_late(stored):
            raise ProviderError(404, f"No such File object: {stored.id}", None, "id")
        batch = Batch(self._name("batch"), stored.id, int(time.time()), metadata)
        self._batches[batch.id] = batch
        task = asyncio.create_task(self._work(batch, stored.content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response(created(self._times.form, self._shown(batch)))

    async def _list_batches(self, request: web.Request) -> web.Response:
        page = _page(request, list(self._batches.values())[::-1], 20, self._shown)
        return web.json_response(listed(self._times.form, page))

    async def _batch(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._found_batch(request)))

    def _shown(self, batch: Batch) -> dict[str, Any]:
        return shown(self._times.form, batch.card(), self._times.words)

    def _is_late(self, stored: StoredFile) -> bool:
        return time.time() < stored.created_at + self._times.late_s

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self._found_batch(request)
        if batch.status in ENDED:
            raise ProviderError(400, f"Cannot cancel a batch with status '{batch.status}'.", "invalid_value", "id")
        if batch.status != "cancelling":
            batch.enter("cancelling", time.time())
        return web.json_response(self._shown(batch))

    def _found_batch(self, request: web.Request) -> Batch:
        found = self._batches.get(request.match_info["id"])
        if found is None:
            raise ProviderError(404, f"No batch found with id '{request.match_info['id']}'.", None, "id")
        return found

    async def _work(self, batch: Batch, content: bytes) -> None:
        """The whole life of a batch: a tenth of its time for validating, a tenth for finalizing, the lines between."""
        seconds = self._times.seconds
        await asyncio.sleep(seconds * 0.1)
        try:
            lines = list(read_lines(content, self._times.most_lines))
        except InvalidLine as error:
            batch.errors.append(error.error)
            batch.enter("failed", time.time())
            return
        batch.total = len(lines)
        if batch.status != "cancelling":
            batch.enter("in_progress", time.time())
        random.Random(f"{self._times.seed}{batch.id}").shuffle(lines)
        expired = 0
        for step in range(STEPS):
            await asyncio.sleep(seconds * 0.8 / STEPS)
            for number, line in enumerate(lines[step * len(lines) // STEPS : (step + 1) * len(lines) // STEPS]):
                if batch.status == "cancelling":
                    break
                if number % BETWEEN_REQUESTS == BETWEEN_REQUESTS - 1:
                    await asyncio.sleep(0)
                expired += self._answer(batch, line)
        if batch.status != "cancelling":
            batch.enter("finalizing", time.time())
        await asyncio.sleep(seconds * 0.1)
        if batch.output:
            batch.output_file_id = self._store_results(f"{batch.id}_output.jsonl", batch.output)
        if batch.failed:
            batch.error_file_id = self._store_results(f"{batch.id}_error.jsonl", batch.failed)
        batch.enter("cancelled" if batch.status == "cancelling" else "expired" if expired else "completed", time.time())

    def _store_results(self, name: str, results: Sequence[str]) -> str:
        lines = [result_line(self._times.form, text) for text in results]
        content = written(with_odd_rows(lines) if self._times.odd_rows else lines, self._times.zipped)
        return self._store(name, "batch_output", content).id

    def _answer(self, batch: Batch, line: Line) -> bool:
        """Adds the result of a line; True when it expired instead. Sent again, it need not expire again."""
        arrival = self._seen[line.text]
        self._seen[line.text] += 1
        result = {"id": f"batch_req_{batch.id}_{line.custom_id}", "custom_id": line.custom_id}
        if chance(self._times.seed, "expire", line.text, arrival) < self._times.expire_share:
            message = "This request could not be executed before the completion window expired."
            error = {"code": "batch_expired", "message": message}
            batch.failed.append(json.dumps({**result, "response": None, "error": error}))
            return True
        reply = self._answer_line(line.body)
        if reply is None:
            return False
        response = json.dumps({"status_code": reply.status, "request_id": result["id"]})
        # A reply is joined as text: it is JSON already, or, where malformed, ends the line as it is.
        text = f'{json.dumps(result)[:-1]}, "response": {response[:-1]}, "body": {reply.body}'
        if not reply.malformed:
            text += '}, "error": null}'
        (batch.output if reply.status == 200 else batch.failed).append(text)
        return False


class _Named(Protocol):
    """What a list shows."""

    @property
    def id(self) -> str: ...


_NamedT = TypeVar("_NamedT", bound=_Named)


def _page(
    request: web.Request, found: Sequence[_NamedT], default: int, card: Callable[[_NamedT], dict[str, Any]]
) -> dict[str, Any]:
    """One page of a list: what follows `after`, `limit` of it."""
    try:
        limit = int(request.query.get("limit", default))
    except ValueError as error:
        raise ProviderError(400, "Invalid 'limit': an integer is required.", "invalid_value", "limit") from error
    names, after = [one.id for one in found], request.query.get("after")
    if after is not None and after not in names:
        raise ProviderError(404, f"No such object: {after}", None, "after")
    first = 0 if after is None else names.index(after) + 1
    on_page = found[first : first + max(1, limit)]
    ends = {"first_id": on_page[0].id if on_page else None, "last_id": on_page[-1].id if on_page else None}
    cards = [card(one) for one in on_page]
    return {"object": "list", "data": cards, "has_more": first + len(on_page) < len(found), **ends}
