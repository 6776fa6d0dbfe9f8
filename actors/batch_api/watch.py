"""The look at a batch that the provider has: whether it has ended, and its files when it has.

Owns: what counts as the end, and which files are waited for.

Invariants
- A batch has ended when the provider says so in a word that is known. With an unknown word it has ended only when its
  files hold a line for every request, or when nothing of it can be running any more.
- Files may come after the end that they belong to: a name that is not in the record yet, and a file that is not found
  yet, are waited for. An error file that never comes is done without.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Set

from actors.batch_api.client import CallFailed
from actors.batch_api.endpoint import BatchEndpoint
from actors.batch_api.lines import lines_of
from actors.batch_api.remote import BatchState, RemoteBatch
from reasoning.teacher.calls import FailureKind

_POLLS_FOR_FILES = 3  # after the end of a batch, and at least:
_FILES_NAMED_S = 5.0  # until its record names them
_FILES_FOUND_S = 30.0  # until a file that is named is found
_NOT_THERE = (FailureKind.NOT_FOUND, FailureKind.BAD_REQUEST)  # how providers say it of a file
_POLLS_A_LOOK = 10  # into the same files, which may be as large as what was handed over
_LOG = logging.getLogger(__name__)

EndedBatch = tuple[RemoteBatch, list[bytes]]  # with its output file and its error file, where there are any


class BatchWatch:
    """`keys` are the requests without a recorded outcome; `is_history` says whether nothing of the batch can be running
    any more."""

    def __init__(self, at: BatchEndpoint, remote_id: str, keys: Set[str], is_history: Callable[[], bool]) -> None:
        self._client = at.client
        self._name = at.name
        self._poll_s = at.batch.poll_s
        self._remote_id = remote_id
        self._keys = keys
        self._is_history = is_history
        self._ended_at: float | None = None  # monotonic: when it was first seen to have ended
        self._warned_of = ""  # the last status that was not known
        self._looked_into: RemoteBatch | None = None  # whose files were all there, and not whole
        self._looks = 0  # at it since
        self.seen: RemoteBatch | None = None

    async def look(self) -> EndedBatch | None:
        """None: it has not ended, or its files are not there yet. Raises `CallFailed`."""
        seen = self.seen = await self._client.retrieve(self._remote_id)
        if seen.state is BatchState.PENDING:
            return None
        if seen.state is BatchState.UNKNOWN:
            return await self._look_into(seen)
        self._ended_at = time.monotonic() if self._ended_at is None else self._ended_at
        if not seen.has_files and seen.state is not BatchState.FAILED and self._may_come(_FILES_NAMED_S):
            return None
        files = await self._download(seen)
        return None if files is None else (seen, files)

    async def _look_into(self, seen: RemoteBatch) -> EndedBatch | None:
        """A batch of whose status nothing is known."""
        if self._warned_of != seen.status:
            self._warned_of = seen.status
            _LOG.warning(
                "batch %s at %s has the status %r, which is not known; it is waited for until its files are whole",
                *(seen.id, self._name, seen.status),
            )
        if not seen.has_files or (seen == self._looked_into and self._looks % _POLLS_A_LOOK and not self._is_history()):
            self._looks += 1
            return None
        found = [await self._content(name) for name in {seen.output_file_id: 0, seen.error_file_id: 0}]
        files = [content for content in found if content is not None]
        self._looked_into, self._looks = seen if len(files) == len(found) else None, 1
        return (seen, files) if not self._without_line(files) or self._is_history() else None

    async def _download(self, ended: RemoteBatch) -> list[bytes] | None:
        """Its files; None: they may still come."""
        late = self._may_come(_FILES_FOUND_S)
        try:
            output = await self._client.content(ended.output_file_id)
        except CallFailed as failed:
            if late and failed.kind in _NOT_THERE:
                return None
            raise
        if ended.error_file_id in (None, ended.output_file_id):
            return [output]
        try:
            return [output, await self._client.content(ended.error_file_id)]
        except CallFailed as failed:
            if not self._without_line([output]):
                return [output]  # whatever is wrong with a file of errors: there were none
            if failed.kind not in _NOT_THERE:
                raise
            return None if late else [output]

    async def _content(self, file_id: str | None) -> bytes | None:
        """A file's content, empty without a name; None: it is not there."""
        try:
            return await self._client.content(file_id)
        except CallFailed as failed:
            if failed.kind not in _NOT_THERE:
                raise
            return None

    def _may_come(self, least_s: float) -> bool:
        """Whether a file of a batch that has ended may just be late."""
        late_s = max(least_s, _POLLS_FOR_FILES * self._poll_s)
        return self._ended_at is not None and time.monotonic() - self._ended_at < late_s

    def _without_line(self, files: Iterable[bytes]) -> set[str]:
        """The requests of which nothing is in these files."""
        return set(self._keys) - {line.custom_id for content in files for line in lines_of(content) if line is not None}
