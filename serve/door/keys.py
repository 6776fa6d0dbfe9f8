"""The keys that a served student asks for: where they are, and whether a request has one of them.

Owns: reading them from a file or a variable of the environment, noticing a file that changed, and the comparison.

Invariants
- A key is never kept, logged or told: only its SHA-256 is, and that is compared in constant time with every other one.
- A door that is to have keys never stands open: without any at the start it is refused, and a file that is emptied
  later lets nobody in. A file that cannot be read later keeps the keys that it had.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_AGAIN_S = 1.0  # a file is looked at for a change at most this often


class NoKeys(ValueError):
    """Keys that are asked for and not there. The message says where they were looked for, and what to do."""


class Keys:
    """The keys in `file`, one a line (`#` begins a comment line), or in the environment variable `variable`, parted by
    white space or commas. A file is read again when it changes. Raises `NoKeys`."""

    def __init__(
        self, file: Path | None = None, variable: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._file, self._clock = file, clock
        self._looked, self._seen = clock(), _stamp(file)
        self._digests = _digests(_in_variable(variable)) if variable else ()
        self._fixed = self._digests
        if file is not None:
            try:
                self._digests = (*self._fixed, *_digests(_in_file(file)))
            except (OSError, UnicodeDecodeError) as error:
                raise NoKeys(
                    f"{file}: the key file cannot be read ({type(error).__name__}): check its path and permissions"
                ) from None
        if not self._digests:
            where = " or ".join([*([str(file)] if file else []), *([f"the variable {variable}"] if variable else [])])
            raise NoKeys(f"there is no key in {where}: write one a line, such as $(openssl rand -hex 32)")

    def let_in(self, authorization: str | None) -> bool:
        """Whether the header `Authorization` of a request holds one of the keys."""
        self._look_again()
        scheme, _, given = (authorization or "").partition(" ")
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        known = False
        for one in self._digests:
            known |= hmac.compare_digest(one, digest)
        return known and scheme.lower() == "bearer"

    def _look_again(self) -> None:
        if self._file is None or self._clock() - self._looked < LOOK_AGAIN_S:
            return
        self._looked, stamp = self._clock(), _stamp(self._file)
        if stamp == self._seen:
            return
        try:
            self._digests = (*self._fixed, *_digests(_in_file(self._file)))
            self._seen = stamp
        except (OSError, UnicodeDecodeError):
            pass  # it is looked at again


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)


def _in_file(file: Path) -> list[str]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _in_variable(name: str) -> list[str]:
    return [key for key in re.split(r"[\s,]+", os.environ.get(name, "")) if key]


def _digests(keys: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(hashlib.sha256(key.encode()).digest() for key in keys)
