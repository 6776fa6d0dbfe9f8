"""The calls to one provider's Batch API: files, and batches.

Owns: the stock `openai` client, the typing of what it raises, and the handing over of a batch, which must happen once.

Invariants
- A batch is created at most once: after a call to create it whose outcome is not known, the provider's list is searched
  for our name of it (in its metadata) before another is tried, and nothing is created after `until`.
- Every call is one attempt; `hand_over` repeats with waits, at least those the provider asks for. A file that was just
  stored and is not to be seen yet, or not processed, is waited for.
- No error holds a key: each message is scrubbed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import openai
from pydantic import BaseModel, ValidationError, model_validator

from actors.batch_api.files import URL
from actors.batch_api.remote import TAG, Page, RemoteBatch
from actors.endpoint.address import secrets_of
from actors.endpoint.api_keys import read_api_key, scrub
from actors.endpoint.errors.kinds import failure_kind
from actors.endpoint.errors.responses import read_error_response
from actors.endpoint.probe import make_client
from actors.endpoint.wire import Response
from actors.limits.headers import read_retry_after
from actors.teacher.retries import backoff
from reasoning.teacher.calls import EndpointSettings, FailureKind

_CALL_S = 60.0  # without a byte; a file may take as many of them as it needs
_FILE_READY_S = 60.0  # after a file was stored; Azure takes some of them before a batch may be made of it
_NO_SUCH_PATH = (FailureKind.NOT_FOUND, FailureKind.BAD_REQUEST)  # 404, 405
_NOT_READY = re.compile(
    r"no such file|(cannot|could not) find|(does not|doesn't) exist|processing|pending|processed state|still being|"
    r"not (yet |been )?(found|ready|processed|available)",
    re.IGNORECASE,
)
_ModelT = TypeVar("_ModelT", bound=BaseModel)
_ResultT = TypeVar("_ResultT")


class CallFailed(Exception):
    """A call that brought nothing. `refused`: it was surely not carried out."""

    def __init__(self, kind: FailureKind, message: str, refused: bool, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.refused = refused
        self.retry_after_s = retry_after_s

    def speaks_of_a_file(self, file_id: str) -> bool:
        """Whether a refused creation says that the input file, which is there, is not to be seen yet."""
        if self.kind not in (FailureKind.NOT_FOUND, FailureKind.BAD_REQUEST):
            return False
        said = str(self)
        return _NOT_READY.search(said) is not None and ("file" in said.lower() or file_id in said)


class _File(BaseModel):
    id: str
    filename: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, content: Any) -> Any:
        """Some providers give a new file within `data`."""
        inner = content.get("data") if isinstance(content, Mapping) and "id" not in content else None
        return inner if isinstance(inner, Mapping) else content


class _Files(BaseModel):
    data: list[_File]


class BatchClient:
    """Safe to use from many tasks of one event loop."""

    def __init__(self, settings: EndpointSettings, backoff_s: float) -> None:
        """Raises `AuthenticationRefused` when the key's environment variable is empty."""
        if settings.batch is None:
            raise ValueError(f"endpoint {settings.name}: no batch settings")
        self.api_key = read_api_key(settings)
        self.secrets = secrets_of(settings, self.api_key)
        self._window: Any = settings.batch.window
        self._client = make_client(settings, self.api_key, _CALL_S)
        self._backoff_s = backoff_s
        self._uploads_apart = False  # at a path of their own, as at Together

    async def hand_over(self, id: str, content: bytes, made_at: float, until: float) -> RemoteBatch | None:
        """Uploads `content` and creates the batch that we call `id`, before `until` (monotonic time). None: it is not
        known whether it was created. Raises `CallFailed` when it surely was not."""
        file_id = await self._repeat(lambda: self.upload(id, content), until)
        stored_at = time.monotonic()
        unsure = False

        async def create() -> RemoteBatch:
            nonlocal unsure
            if unsure:
                found = await self.find(id, made_at, file_id)
                if found is not None:
                    return found
            before, unsure = unsure, True  # also when time runs out in the middle of it
            try:
                return await self.create(id, file_id)
            except CallFailed as failed:
                unsure = before or not failed.refused
                if time.monotonic() - stored_at < _FILE_READY_S and failed.speaks_of_a_file(file_id):
                    raise CallFailed(FailureKind.SERVER, str(failed), True, failed.retry_after_s) from None
                raise

        try:
            return await self._repeat(create, until)
        except CallFailed:
            if unsure:
                return None
            raise

    async def upload(self, id: str, content: bytes) -> str:
        """Stores an input file and returns the provider's name of it. It costs nothing, and may be repeated."""
        name = f"{id}.jsonl"
        sending: Awaitable[Any]
        if not self._uploads_apart:
            sending = self._client.files.with_raw_response.create(file=(name, content), purpose="batch")
            try:
                return (await self._read(sending, _File)).id
            except CallFailed as failed:
                if failed.kind not in _NO_SUCH_PATH:
                    raise
                refused = failed
        sent = {"purpose": "batch-api", "file_name": name, "file_type": "jsonl"}
        headers: Any = {"headers": {"Content-Type": "multipart/form-data"}}
        sending = self._client.post(
            "/files/upload", body=sent, files={"file": (name, content)}, cast_to=object, options=headers
        )
        try:
            id = (await self._read(sending, _File)).id
        except CallFailed as failed:
            if failed.kind in _NO_SUCH_PATH and not self._uploads_apart:
                raise refused from None
            raise
        self._uploads_apart = True
        return id

    async def create(self, id: str, file_id: str) -> RemoteBatch:
        sending = self._client.batches.with_raw_response.create(
            completion_window=self._window, endpoint=URL, input_file_id=file_id, metadata={TAG: id}
        )
        return await self._read(sending, RemoteBatch)

    async def retrieve(self, remote_id: str) -> RemoteBatch:
        return await self._read(self._client.batches.with_raw_response.retrieve(remote_id), RemoteBatch)

    async def find(self, id: str, made_at: float, file_id: str | None = None) -> RemoteBatch | None:
        """The batch that we call `id` and made at `made_at` (Unix time), among all that the provider lists. Where a
        provider keeps no metadata it is known by its input file, `file_id`, or the one that is called as we call it."""
        after: Any = openai.omit
        unnamed: dict[str, RemoteBatch] = {}
        while True:
            page = await self._read(self._client.batches.with_raw_response.list(after=after, limit=100), Page)
            for batch in page.data:
                if batch.is_named(id):
                    return batch
                if batch.input_file_id is not None and not batch.metadata:
                    unnamed[batch.input_file_id] = batch
            if not page.has_more or not page.data or page.reaches_back_to(made_at) or page.data[-1].id == after:
                break
            after = page.data[-1].id
        if not unnamed:
            return None
        return unnamed.get(file_id or await self._stored_as(f"{id}.jsonl") or "")

    async def content(self, file_id: str | None) -> bytes:
        """A whole file; empty if `file_id` is None."""
        if file_id is None:
            return b""
        return await self._call(self._content(file_id))

    async def close(self) -> None:
        await self._client.close()

    async def _stored_as(self, filename: str) -> str | None:
        """The provider's name of the file that was uploaded as `filename`."""
        files = await self._read(self._client.files.with_raw_response.list(), _Files)
        return next((file.id for file in files.data if file.filename == filename), None)

    async def _content(self, file_id: str) -> bytes:
        return (await self._client.files.content(file_id)).content

    async def _repeat(self, call: Callable[[], Awaitable[_ResultT]], until: float) -> _ResultT:
        """The first success of `call`. Raises the last `CallFailed`, at once when waiting does not help."""
        attempt = 0
        while True:
            attempt += 1
            left = until - time.monotonic()
            try:
                if left <= 0:
                    raise CallFailed(FailureKind.TIMEOUT, "the batch could not be handed over in time", refused=True)
                async with asyncio.timeout(left):
                    return await call()
            except TimeoutError:
                raise CallFailed(FailureKind.TIMEOUT, "the batch could not be handed over in time", False) from None
            except CallFailed as failed:
                wait_s = max(backoff(self._backoff_s, attempt), failed.retry_after_s or 0.0)
                if not failed.kind.transient or time.monotonic() + wait_s >= until:
                    raise
            await asyncio.sleep(wait_s)

    async def _read(self, sending: Awaitable[Any], model: type[_ModelT]) -> _ModelT:
        """A JSON response, read strictly."""
        raw = await self._call(sending)
        try:
            return model.model_validate_json(raw.content) if hasattr(raw, "content") else model.model_validate(raw)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"]) or "the body"
            raise CallFailed(FailureKind.MALFORMED, f"not of the Batch API: {where}: {problem['msg']}", False) from None

    async def _call(self, sending: Awaitable[_ResultT]) -> _ResultT:
        try:
            return await sending
        except openai.APIStatusError as error:
            response = Response(error.status_code, error.response.headers, error.response.content)
            error_response = read_error_response(response)
            wait_s = read_retry_after(response.headers, time.time())
            raise CallFailed(
                failure_kind(error_response),
                scrub(str(error_response), *self.secrets),
                refused=error.status_code < 500 and error.status_code != 408,
                retry_after_s=wait_s if wait_s is not None else error_response.retry_after_s,
            ) from None
        except openai.APITimeoutError:
            raise CallFailed(FailureKind.TIMEOUT, f"no reply within {_CALL_S:g} s", False) from None
        except (openai.APIError, ValueError) as error:
            told = f"{type(error).__name__}: {scrub(str(error.__cause__ or error), *self.secrets)}"
            raise CallFailed(FailureKind.TRANSPORT, told, False) from None
