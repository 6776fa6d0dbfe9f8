"""The Batch API as data: the lines that go in, the lines that come out, and the provider's record of a batch.

Owns: the writing of input files, the strict reading of whatever comes back, and what a line's result means for its
request. No I/O.

Invariants
- Every request of a batch that has ended gets exactly one result, its first, whatever the files hold: lines that cannot
  be read or that belong to no request are skipped, and a request without a line has the result "missing".
- A line costs what its reply says of its tokens. Refused, expired or cancelled lines cost nothing; where a line was
  served or might have been, and nothing credible is known, the worst case stands.
- No message holds a key: each is scrubbed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from actors.endpoint.api_keys import scrub
from actors.endpoint.attempt import Endpoint
from actors.endpoint.error_responses import ErrorResponse, failure_kind, read_error_response
from actors.endpoint.replies import Usage
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

URL: Final = "/v1/chat/completions"
TAG = "tailor"  # our name for a batch, in its metadata at the provider
MOST_BYTES = 190_000_000  # of an input file: OpenAI takes 200 MB
_LONGEST_MESSAGE = 500
_CLOCKS_APART_S = 3600.0  # at most, of the provider's clock and this machine's
_ENDED = frozenset({"completed", "failed", "expired", "cancelled", "canceled"})
_NOT_BEGUN = frozenset({"batch_expired", "batch_cancelled"})
_TOO_MUCH = frozenset({"token_limit_exceeded", "request_limit_exceeded", "rate_limit_exceeded"})  # enqueued, as a whole
_NOTHING = Usage()
_ItemT = TypeVar("_ItemT")


class Disposition(StrEnum):
    """What a line's result means for its request."""

    FINAL = "final"  # the request ends with it
    RETRY = "retry"  # it goes into another batch, and this was an attempt
    RETRY_UNCOUNTED = "retry_uncounted"  # it goes into another batch, and this does not count as an attempt
    OVER_CAPACITY = "over_capacity"  # more was handed over than the provider keeps at a time: again, when there is less


@dataclass(frozen=True, slots=True)
class LineResult:
    """What came of one request in a batch. `usage` None: it may have cost its worst case."""

    outcome: TeacherReply | TeacherFailure
    disposition: Disposition
    usage: Usage | None = _NOTHING


class _Counts(BaseModel):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Error(BaseModel):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Errors(BaseModel):
    data: list[_Error] | None = None


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """What is only for show must not keep finished results from being fetched."""
    try:
        return read(value)
    except ValidationError:
        return None


class RemoteBatch(BaseModel):
    """A batch as the provider shows it, as far as it matters here."""

    id: str
    status: str
    created_at: float | None = None
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: Any = None
    request_counts: Annotated[_Counts | None, WrapValidator(_or_none)] = None
    errors: Annotated[_Errors | None, WrapValidator(_or_none)] = None

    @property
    def ended(self) -> bool:
        return self.status in _ENDED

    @property
    def counts(self) -> _Counts:
        return self.request_counts or _Counts()

    def is_named(self, id: str) -> bool:
        """Whether this is the batch that we call `id`."""
        return isinstance(self.metadata, Mapping) and self.metadata.get(TAG) == id

    @property
    def over_capacity(self) -> bool:
        """It failed only because too much was handed over at a time."""
        errors = (self.errors and self.errors.data) or []
        return self.status == "failed" and any(error.code in _TOO_MUCH for error in errors)

    @property
    def words(self) -> str:
        """Why it failed, in the provider's words."""
        errors = (self.errors and self.errors.data) or []
        said = [f"line {e.line}: {e.message or e.code}" if e.line else f"{e.message or e.code}" for e in errors[:3]]
        return "; ".join(said) or "the provider does not say why"


class Page(BaseModel):
    """One page of the provider's list of batches."""

    data: list[RemoteBatch]
    has_more: bool = False

    def reaches_back_to(self, made_at: float) -> bool:
        """Whether what follows is older than `made_at` (Unix time): the list is seen to begin with the newest."""
        first, last = (self.data[0].created_at, self.data[-1].created_at) if self.data else (None, None)
        return first is not None and last is not None and first > last and last < made_at - _CLOCKS_APART_S


def input_line(key: str, body: Mapping[str, Any]) -> bytes:
    """The line that asks for `body` in the name of `key`. Raises `UnicodeEncodeError` for what is no text."""
    line = {"custom_id": key, "method": "POST", "url": URL, "body": body}
    return json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n"


def fitting(
    lines: Iterable[tuple[_ItemT, bytes]], most_bytes: int = MOST_BYTES
) -> Iterator[list[tuple[_ItemT, bytes]]]:
    """`lines` in order, in parts that each fit into a file; a line that is larger alone is a part of its own."""
    part: list[tuple[_ItemT, bytes]] = []
    size = 0
    for item, line in lines:
        if part and size + len(line) > most_bytes:
            yield part
            part, size = [], 0
        part.append((item, line))
        size += len(line)
    if part:
        yield part


def read_input(content: bytes, teacher: str) -> dict[str, TeacherRequest]:
    """The requests in an input file of ours, by key, as far as a reply is judged by them: what is in the key and not in
    the file is not known here. Lines that cannot be read are passed over."""
    requests = {}
    for line in content.splitlines():
        try:
            sent = json.loads(line)
            body = sent["body"]
            messages = tuple((str(one["role"]), str(one["content"])) for one in body["messages"])
            asked = TeacherRequest(teacher, str(body["model"]), messages, 0.0, int(body["max_tokens"]))
            requests[str(sent["custom_id"])] = asked
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return requests


class _Response(BaseModel):
    status_code: int
    body: Any = None


class _LineError(BaseModel):
    code: str | None = None
    message: str | None = None


class _Line(BaseModel):
    custom_id: str
    response: _Response | None = None
    error: _LineError | None = None


class ResultReader:
    """The reading of one batch that has ended. `keys` are its requests'; `requests` those of them that are known."""

    def __init__(
        self,
        endpoint: Endpoint,
        api_key: str | None,
        batch: RemoteBatch,
        keys: Sequence[str],
        requests: Mapping[str, TeacherRequest],
    ) -> None:
        self._endpoint = endpoint
        self._api_key = api_key
        self._batch = batch
        self._keys = keys
        self._requests = requests

    def results(self, files: Iterable[bytes]) -> Iterator[LineResult]:
        """One result for each key. `files`: the output file and the error file, where there are any."""
        if self._batch.status == "failed":
            yield from map(self._never_begun, self._keys)
            return
        open_keys = dict.fromkeys(self._keys)
        unreadable = answered = 0
        not_begun = []  # whether that counts as an attempt is known at the end
        for text in (line for content in files for line in content.split(b"\n") if line.strip()):
            try:
                line = _Line.model_validate_json(text)
            except ValidationError:
                unreadable += 1
                continue
            if line.custom_id not in open_keys:
                continue
            del open_keys[line.custom_id]
            if line.error is not None and line.error.code in _NOT_BEGUN:
                not_begun.append(line.custom_id)
                continue
            result = self._result(line)
            answered += isinstance(result.outcome, TeacherReply)
            yield result
        cut_short = self._batch.status in ("expired", "cancelled")
        if cut_short and not unreadable:  # a line that was not begun may be in no file
            not_begun += open_keys
            open_keys = {}
        disposition = (
            Disposition.RETRY_UNCOUNTED if answered and self._batch.status != "cancelled" else Disposition.RETRY
        )
        for key in not_begun:
            why = f"batch {self._batch.id} ended ({self._batch.status}) before this was answered"
            yield self._failed(key, FailureKind.TIMEOUT, why, disposition)
        for key in open_keys:
            why = f"batch {self._batch.id} ({self._batch.status}) holds no readable line for this request"
            yield self._failed(key, FailureKind.MALFORMED, why, usage=None)

    def _result(self, line: _Line) -> LineResult:
        key = line.custom_id
        if line.response is None:
            error = line.error or _LineError(message="a line without a response")
            kind = failure_kind(ErrorResponse(0, error.code or "", "", error.message or ""))
            told = error.message or error.code or "no reason given"
            return self._failed(key, FailureKind.SERVER if kind is FailureKind.BAD_REQUEST else kind, told)
        body = json.dumps(line.response.body).encode("ascii")
        if line.response.status_code != 200:
            error_response = read_error_response(Response(line.response.status_code, {}, body))
            return self._failed(key, failure_kind(error_response), str(error_response))
        sent = self._endpoint.read(self._requests.get(key) or _unknown(key), body)
        outcome = dataclasses.replace(sent.result, key=key)
        again = isinstance(outcome, TeacherFailure) and outcome.kind.transient
        return LineResult(outcome, Disposition.RETRY if again else Disposition.FINAL, sent.usage)

    def _never_begun(self, key: str) -> LineResult:
        """Of a batch that the provider did not take: too large for now, or not valid."""
        words = f"batch {self._batch.id} failed: {self._batch.words}"
        if self._batch.over_capacity:
            return self._failed(key, FailureKind.RATE_LIMITED, words, Disposition.OVER_CAPACITY)
        return self._failed(key, FailureKind.BAD_REQUEST, words)

    def _failed(
        self,
        key: str,
        kind: FailureKind,
        message: str,
        disposition: Disposition | None = None,
        usage: Usage | None = _NOTHING,
    ) -> LineResult:
        return failed_line(key, kind, scrub(message, self._api_key), disposition, usage)


def failed_line(
    key: str,
    kind: FailureKind,
    message: str,
    disposition: Disposition | None = None,
    usage: Usage | None = _NOTHING,
) -> LineResult:
    """A result that is a failure; asked again where its kind passes, unless `disposition` says otherwise."""
    failure = TeacherFailure(key, kind, message[:_LONGEST_MESSAGE], attempts=1)
    return LineResult(failure, disposition or (Disposition.RETRY if kind.transient else Disposition.FINAL), usage)


def _unknown(key: str) -> TeacherRequest:
    """A request of which nothing is known: no count of tokens is credible for it."""
    return TeacherRequest("", "", (), 0.0, 0)
