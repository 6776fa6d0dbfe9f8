"""A log of records that come in groups, each under a key: written as they come, read in another order, never whole in
memory.

Owns: the file of JSON Lines, and where in it each group begins.

Invariants
- A group is written in one piece, and counts when all of it is there: what a killed writer left of one is removed when
  the log is opened again.
- What is held of a group is its key and its place, whatever the size of its records.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

from reasoning.files.tables import record_of

RecordT = TypeVar("RecordT")
_LINE = json.JSONEncoder(ensure_ascii=False)


class GroupLog(Generic[RecordT]):
    """The log at `path` of groups of `size` records of `record_type`, whose field `key` is the same in all of a group.

    Opened, it goes on after what is there."""

    def __init__(self, path: Path, record_type: type[RecordT], key: str, size: int) -> None:
        self._type, self._key, self._size = record_type, key, size
        self._names = [field.name for field in fields(record_type)]  # type: ignore[arg-type]  # of a dataclass
        self._places: dict[str, int] = {}
        path.touch()
        self._end = self._find_groups(path)
        os.truncate(path, self._end)
        self._file = path.open("ab+")

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def add(self, key: str, group: Sequence[RecordT]) -> None:
        """Adds a group; after the next `flush` a crash of this process does not lose it."""
        rows = ({name: getattr(record, name) for name in self._names} for record in group)
        content = "".join(_LINE.encode(row) + "\n" for row in rows).encode("utf-8")
        self._file.write(content)
        self._places[key] = self._end
        self._end += len(content)

    def flush(self) -> None:
        """Has what was added survive a crash of this process; closed, it does."""
        if not self._file.closed:
            self._file.flush()

    def group(self, key: str) -> list[RecordT]:
        """The records under `key`. Raises `KeyError`."""
        self._file.seek(self._places[key])
        lines = [self._file.readline() for _ in range(self._size)]
        return [record_of(self._type, json.loads(line)) for line in lines]

    def records(self, keys: Iterable[str]) -> Iterator[RecordT]:
        """The records under each of `keys`, one after another."""
        for key in keys:
            yield from self.group(key)

    def close(self) -> None:
        """No more is written; the file stays."""
        self._file.close()

    def _find_groups(self, path: Path) -> int:
        """Notes where each whole group begins. Returns where the last one ends."""
        with path.open("rb") as file:
            end = 0
            while lines := list(islice(file, self._size)):
                keys = {json.loads(line)[self._key] for line in lines if line.endswith(b"\n")}
                if len(lines) < self._size or not lines[-1].endswith(b"\n") or len(keys) != 1:
                    break
                self._places[keys.pop()] = end
                end += sum(map(len, lines))
        return end
