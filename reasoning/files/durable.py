"""Files and folders that appear whole or not at all.

Owns: writing beside the target, forcing the bytes to disk, renaming into place.

Invariants
- A reader sees the old content or the new, never a part of either; so does the next process after a power cut.
- What a killed writer leaves behind has a hidden name (`.name.….part`) that no reader looks for.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields a path to write to; on leaving without an error it becomes `path`. Creates the folder above."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part_of(path)
    try:
        yield part
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder to fill; on leaving without an error it becomes `path`.

    An older folder at `path` is moved aside first, because a folder cannot be renamed over a full one: for that
    instant there is none. Whoever depends on `path` finds a whole folder or nothing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part, old = _part_of(path), _part_of(path)
    part.mkdir()
    try:
        yield part
        for item in sorted(part.rglob("*")):
            _sync(item)
        _sync(part)
        if path.exists():
            path.rename(old)
        part.rename(path)
        _sync(path.parent)
    finally:
        for leftover in (part, old):
            if leftover.exists():
                shutil.rmtree(leftover)


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
