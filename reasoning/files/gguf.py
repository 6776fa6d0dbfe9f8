"""Where the student that is made of a GGUF file lies.

Owns: telling a GGUF file from others, and the name of the folder that its student is made into.

Invariant: the folder's name has a part of the hash of the file's content, so that another file of the same name makes
another student, and a copy of the file on another node the same one.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

MAGIC = b"GGUF"


def is_gguf(path: Path) -> bool:
    """Whether there is a file at `path` that says, by its name or its first bytes, that it is GGUF."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".gguf":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def student_folder(file: Path) -> Path:
    """The folder, there or not, of the student that is made of the GGUF `file`: beside the file, or, where nothing can
    be written there, in the user's cache. Raises `OSError` when the file cannot be read."""
    file = file.absolute()
    told = file.stat()
    name = f"{file.name.removesuffix('.gguf')}-{_content(file, told.st_size, told.st_mtime_ns)[:12]}"
    beside = file.parent / name
    if beside.is_dir() or os.access(file.parent, os.W_OK):
        return beside
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tailor" / "students" / name


@lru_cache
def _content(file: Path, size: int, changed: int) -> str:
    """The hash of what is in `file`, which is read once as long as neither its size nor its time changes."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def part_number(name: str) -> tuple[int, int] | None:
    """Which part of how many the file called `name` is, by the form of name that llama.cpp gives parts; None: whole."""
    found = re.search(r"-(\d{5})-of-(\d{5})\.gguf$", name)
    return (int(found[1]), int(found[2])) if found else None
