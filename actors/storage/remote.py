"""A folder at an address, through `pyarrow.fs`: files put, read, listed and deleted, with patience.

Owns: opening the file system, what is tried again and for how long, and the words for what went wrong.

Invariants
- A file is replaced whole: on object stores by one upload, elsewhere by renaming. What was put is as long as its
  source, which is looked at before it counts.
- Every operation may be repeated, and is, until `patience_s` is over; then `StorageError`.
- No message has a credential in it: addresses have none (`reasoning.files.addresses`).
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reasoning.files.addresses import below
from reasoning.files.durable import new_file
from reasoning.files.user_error import UserError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

logger = logging.getLogger(__name__)

PATIENCE_S = 600.0
TRIAL_S = 5.0  # for storage that is only tried out
REQUEST_S = 30.0  # the SDK's own 3 s end large uploads on a slow line
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # between attempts; the last one from then on
_CHUNK = 8 * 1024**2
_COPIED_INSIDE = 5 * 10**9  # bytes: S3 copies no larger file in one request
_WHOLE_UPLOADS = ("s3", "gcs", "abfs")  # of which a file appears when its upload ends
_REASONS = {
    "ACCESS_DENIED|FORBIDDEN|PERMISSION|INVALID_ACCESS_KEY|SIGNATURE|ExpiredToken|AuthenticationFailed|status 403": (
        "access is denied: check the credentials in this node's environment, and that they may read, write, list and "
        "delete there"
    ),
    "NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist|ContainerNotFound": (
        "there is no such bucket: make it, or correct the name"
    ),
    "NETWORK_CONNECTION|curlCode|[Cc]onnection|[Tt]imed? ?out": (
        "no connection: check the address, its endpoint_override and the network"
    ),
    "StorageFull|QuotaExceeded|EntityTooLarge|507|No space": "it is full: free some space or raise the quota there",
}

T = TypeVar("T")


class StorageError(UserError, RuntimeError):
    """Storage that did not do what a run needs, for as long as was waited. The message says which, what and what to
    do; nothing that was finished is lost."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a folder: its name below that, its size in bytes and when it was written, in nanoseconds."""

    name: str
    size: int
    written_ns: int


@dataclass
class RemoteFolder:
    """The folder at `address`. Opened when it is first used; several threads may use it."""

    address: str
    patience_s: float = PATIENCE_S
    _opened: tuple[FileSystem, str] | None = field(default=None, repr=False)

    def folder(self, name: str) -> RemoteFolder:
        """The folder called `name` in this one."""
        opened = None if self._opened is None else (self._opened[0], f"{self._opened[1]}/{name}")
        return RemoteFolder(below(self.address, name), self.patience_s, opened)

    # Files -----------------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """What is in the file `name`; None where there is none."""

        def read() -> bytes | None:
            fs, base = self._open()
            for candidate in (f"{base}/{name}", _part_of(f"{base}/{name}")):
                try:
                    with fs.open_input_file(candidate) as file:
                        return bytes(file.read())
                except FileNotFoundError:
                    if fs.type_name in _WHOLE_UPLOADS:
                        break  # elsewhere a rename may have been cut off between its two steps
            return None

        return self._try(f"reading {name}", read)

    def write(self, name: str, content: bytes) -> RemoteFile:
        """Makes `content` the file `name`."""
        return self._put(name, len(content), lambda: iter([content]))

    def upload(self, file: Path, name: str) -> RemoteFile:
        """Makes `name` a copy of what is in `file` now."""
        size = file.stat().st_size

        def chunks() -> Iterator[bytes]:
            left = size
            with file.open("rb") as source:
                while left and (chunk := source.read(min(_CHUNK, left))):
                    left -= len(chunk)
                    yield chunk

        return self._put(name, size, chunks)

    def download(self, name: str, file: Path) -> bool:
        """Makes `file` a copy of the file `name`, whole or not at all. False where there is none."""

        def download() -> bool:
            fs, base = self._open()
            try:
                source = fs.open_input_stream(f"{base}/{name}")
            except FileNotFoundError:
                return False
            with source, new_file(file) as part, part.open("wb") as out:
                while chunk := source.read(_CHUNK):
                    out.write(chunk)
            return True

        return self._try(f"reading {name}", download)

    def files(self, under: str = "") -> list[RemoteFile]:
        """Every file in this folder (or in `under` in it) and in the folders below."""
        from pyarrow.fs import FileSelector, FileType

        def files() -> list[RemoteFile]:
            fs, base = self._open()
            selector = FileSelector(f"{base}/{under}".rstrip("/"), recursive=True, allow_not_found=True)
            found = [one for one in fs.get_file_info(selector) if one.type == FileType.File]
            return [RemoteFile(one.path.removeprefix(f"{base}/"), one.size, one.mtime_ns or 0) for one in found]

        return self._try(f"listing {under or 'the folder'}", files)

    def delete(self, name: str) -> None:
        """Deletes the file `name`, if there is one."""

        def delete() -> None:
            fs, base = self._open()
            try:
                fs.delete_file(f"{base}/{name}")
            except FileNotFoundError:
                return

        self._try(f"deleting {name}", delete)

    def delete_folder(self, name: str) -> None:
        """Deletes the folder `name` with all in it, if there is one."""

        def delete() -> None:
            fs, base = self._open()
            try:
                fs.delete_dir(f"{base}/{name}")
            except FileNotFoundError:
                return

        self._try(f"deleting {name}", delete)

    def copy(self, name: str, to: str, size: int) -> None:
        """Copies the file `name`, of `size` bytes, to `to`: inside the storage where that is possible."""
        fs, base = self._try("opening it", self._open)

        def chunks() -> Iterator[bytes]:
            with fs.open_input_stream(f"{base}/{name}") as source:
                while chunk := source.read(_CHUNK):
                    yield bytes(chunk)

        if fs.type_name in _WHOLE_UPLOADS and size < _COPIED_INSIDE:
            self._try(f"copying {name}", lambda: fs.copy_file(f"{base}/{name}", f"{base}/{to}"))
        else:
            self._put(to, size, chunks)

    def try_out(self) -> None:
        """Does once all that a run needs, and leaves nothing behind. Raises `StorageError`."""
        trial = self.folder(f".tailor-check-{uuid.uuid4().hex[:12]}")
        trial.write("file", b"tried")
        if trial.read("file") != b"tried" or [one.name for one in trial.files()] != ["file"]:
            raise StorageError(f"{self.address}: a file that was just written there cannot be read back")
        trial.delete_folder("")

    # ------------------------------------------------------------------------------------------------------------------

    def _put(self, name: str, size: int, chunks: Callable[[], Iterator[bytes]]) -> RemoteFile:
        def put() -> RemoteFile:
            fs, base = self._open()
            target = f"{base}/{name}"
            renamed = fs.type_name not in _WHOLE_UPLOADS
            path = _part_of(target) if renamed else target
            self._make_folder_of(fs, path)
            with fs.open_output_stream(path) as out:
                for chunk in chunks():
                    out.write(chunk)
            there = fs.get_file_info(path)
            if there.size != size:
                raise OSError(f"{there.size} bytes arrived of {size}")
            if renamed:
                _rename(fs, path, target)
            return RemoteFile(name, size, there.mtime_ns or 0)

        return self._try(f"writing {name}", put)

    def _open(self) -> tuple[FileSystem, str]:
        if self._opened is None:
            self._opened = open_file_system(self.address)
        return self._opened

    @staticmethod
    def _make_folder_of(fs: FileSystem, path: str) -> None:
        if fs.type_name not in _WHOLE_UPLOADS:  # an object store has no folders
            fs.create_dir(path.rpartition("/")[0], recursive=True)

    def _try(self, what: str, action: Callable[[], T]) -> T:
        import pyarrow

        deadline, attempt = time.monotonic() + self.patience_s, 0
        while True:
            try:
                return action()
            except pyarrow.ArrowInvalid as error:  # the address itself: no waiting makes it right
                raise StorageError(f"{self.address}: cannot be opened: {_first_line(error)}") from error
            except (OSError, pyarrow.ArrowException) as error:
                pause = PAUSES_S[min(attempt, len(PAUSES_S) - 1)]
                attempt += 1
                left = deadline - time.monotonic()
                if left < pause:
                    raise StorageError(f"{self.address}: {what} failed {attempt} times: {reason_of(error)}") from error
                logger.warning(
                    "%s: %s failed, tried again for %.0f s: %s", self.address, what, left, _first_line(error)
                )
                time.sleep(pause)


def open_file_system(address: str) -> tuple[FileSystem, str]:
    """The file system of `address`, and the path in it. Raises what `pyarrow` raises."""
    from pyarrow.fs import FileSystem

    fs, path = FileSystem.from_uri(address)
    if fs.type_name == "s3":
        make, (options,) = fs.__reduce__()
        # A small file in one request; what an unanswered request waits.
        mine: dict[str, Any] = {"allow_delayed_open": True, "connect_timeout": REQUEST_S, "request_timeout": REQUEST_S}
        fs = make(options | mine)
    return fs, path.rstrip("/")


def reason_of(error: Exception) -> str:
    """What went wrong, and what to do where that is known."""
    said = _first_line(error)
    for pattern, words in _REASONS.items():
        if re.search(pattern, said):
            return f"{words} ({said})"
    return said


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r" ?\(Request ID: [^)]*\)| ?Detail: .*", "", text)[:400]


def _part_of(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.part"


def _rename(fs: FileSystem, part: str, target: str) -> None:
    """Over an older file, which not every file system does in one step."""
    try:
        fs.move(part, target)
    except OSError:
        fs.delete_file(target)
        fs.move(part, target)
