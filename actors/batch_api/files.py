"""The Batch API's files: the lines that go in, and what the lines that come out mean for their requests.

Owns: the writing of input files, and the result of every request. The forms of lines are `actors.batch_api.lines`, the
provider's record of a batch is `actors.batch_api.remote`. No I/O.

Invariants
- Every request of a batch that has ended gets exactly one result, whatever the files hold: lines that cannot be read or
  that belong to no request are skipped, and a request without a line has the result "missing". An answer counts before
  a failure.
- A line costs what its reply says of its tokens. Refused, expired or cancelled lines cost nothing; where a line was
  served or might have been, and nothing credible is known, the worst case stands.
- No message holds a key: each is scrubbed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from actors.batch_api.lines import ResultLine, lines_of
from actors.batch_api.remote import BatchState, RemoteBatch
from actors.endpoint.api_keys import scrub
from actors.endpoint.attempt import Endpoint
from actors.endpoint.errors.kinds import failure_kind
from actors.endpoint.errors.responses import ErrorResponse, read_error_response
from actors.endpoint.usage import Usage
from actors.endpoint.wire import Response
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply, TeacherRequest

URL: Final = "/v1/chat/completions"
MOST_BYTES = 190_000_000  # of an input file: OpenAI takes 200 MB
_LONGEST_MESSAGE = 500
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


def input_line(key: str, body: Mapping[str, Any]) -> bytes:
    """The line that asks for `body` in the name of `key`. Raises `UnicodeEncodeError` for text that is not valid."""
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
        """One result for each key. `files`: the output file and the error file, where there are any. Of several lines
        for one request a reply counts before a failure, and the first of several alike."""
        open_keys = dict.fromkeys(self._keys)
        failed: dict[str, LineResult] = {}
        not_begun = set()
        unreadable = answered = 0
        for line in (line for content in files for line in lines_of(content)):
            if line is None:
                unreadable += 1
            elif line.custom_id in open_keys and line.not_begun:
                not_begun.add(line.custom_id)
            elif line.custom_id in open_keys:
                result = self._answer(line) if line.answered else self._failure(line)
                if isinstance(result.outcome, TeacherReply):
                    answered += 1
                    del open_keys[line.custom_id]
                    yield result
                else:
                    failed.setdefault(line.custom_id, result)
        for key in [key for key in failed if key in open_keys]:
            del open_keys[key]
            yield failed[key]
        yield from self._without_answer(open_keys, not_begun, unreadable, answered)

    def _without_answer(
        self, keys: Iterable[str], not_begun: Set[str], unreadable: int, answered: int
    ) -> Iterator[LineResult]:
        """Results for those that no line answers. Of a batch that was cut short a line that was not begun may be in no
        file; what was begun and lost is told apart from it only where every line can be read."""
        batch = self._batch
        all_not_begun = not unreadable and (batch.cut_short or batch.state is BatchState.FAILED)
        free_again = answered and batch.state is not BatchState.CANCELLED
        for key in keys:
            if key not in not_begun and not all_not_begun:
                why = f"batch {batch.id} ({batch.status}) holds no readable line for this request"
                yield self._failed(key, FailureKind.MALFORMED, why, usage=None)
            elif batch.state is BatchState.FAILED:
                yield self._never_begun(key)
            else:
                why = f"batch {batch.id} ended ({batch.status}) before this was answered"
                how = Disposition.RETRY_UNCOUNTED if free_again else Disposition.RETRY
                yield self._failed(key, FailureKind.TIMEOUT, why, how)

    def _answer(self, line: ResultLine) -> LineResult:
        key = line.custom_id
        sent = self._endpoint.read(self._requests.get(key) or _unknown(key), line.body or b"")
        outcome = dataclasses.replace(sent.result, key=key)
        again = isinstance(outcome, TeacherFailure) and outcome.kind.transient
        return LineResult(outcome, Disposition.RETRY if again else Disposition.FINAL, sent.usage)

    def _failure(self, line: ResultLine) -> LineResult:
        if 200 <= line.status < 300:  # it was served, and what came of it is lost
            return self._failed(line.custom_id, FailureKind.MALFORMED, "a line without a body", usage=None)
        if line.body is None and not line.status:
            return self._failed(line.custom_id, FailureKind.SERVER, "a line without a response")
        error = read_error_response(Response(line.status, {}, line.body or b""))
        kind = failure_kind(error)
        if kind is FailureKind.BAD_REQUEST and not line.status:  # no word of the request: it was not carried out
            kind = FailureKind.SERVER
        return self._failed(line.custom_id, kind, str(error) if line.status else error.message)

    def _never_begun(self, key: str) -> LineResult:
        """Of a batch that the provider did not take: too large for now, or not valid."""
        words = f"batch {self._batch.id} failed: {self._batch.words}"
        if self._batch.over_capacity:
            return self._failed(key, FailureKind.RATE_LIMITED, words, Disposition.OVER_CAPACITY)
        return self._failed(key, self._failed_as, words)

    @property
    def _failed_as(self) -> FailureKind:
        """What a batch that failed as a whole means for each of its requests."""
        error = next(iter(self._batch.errors), None)
        kind = failure_kind(ErrorResponse(0, error.code or "", "", error.message or "")) if error else None
        if kind is None or self._batch.failed_in_passing:
            return FailureKind.SERVER
        return kind if kind.endpoint_wide else FailureKind.BAD_REQUEST

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
