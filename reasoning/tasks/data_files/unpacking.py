"""The bytes of a file, unpacked, as UTF-8 where they are text; and what is no data, by the name of what it is.

Owns: which compressions are undone, which encodings are understood, and which files are refused by what they are (a Git
LFS pointer, an Excel workbook, a page of a web site).

Invariants
- What a file is, is told by its first bytes. Its name decides nothing.
- No more than `MAX_FILE` bytes are kept of a file, however small it is packed.
- A file that is refused is refused in one sentence that says what it is and what to do.
"""

from __future__ import annotations

import io
import lzma
import re
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from reasoning.files.data_error import DataError
from reasoning.files.json_files import MAX_FILE, check_size

_PACKED = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bz2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xfd7zXZ\x00", "xz"),
)
_MOST_LAYERS = 2  # a .gz inside a .zst; what is deeper is refused
_CHUNK = 2**20

_AS_CSV = "save it as CSV UTF-8, one sheet a file"
_UNPACK = "unpack it, and give the file or the folder in it"
_EXPORT = "export it as JSON Lines, CSV or Parquet"
_FOREIGN = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the data itself",
        "fetch it with git lfs pull",
    ),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (.xls) or another Office document", _AS_CSV),
    (b"SQLite format 3\x00", "an SQLite database", _EXPORT),
    (b"%PDF-", "a PDF document", "give the data as JSON Lines, CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array", _EXPORT),
    (b"\x89HDF", "an HDF5 file", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"ORC", "an ORC file", _EXPORT),
    (b"FEA1", "a Feather file of version 1", _EXPORT),
    (b"RDX3", "data of R", _EXPORT),
    (b"PARE", "an encrypted Parquet file", "give it decrypted"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!", "a RAR archive", _UNPACK),
    *(
        (b"\x80" + bytes([version]), "a Python pickle, which could run any code when read", _EXPORT)
        for version in range(2, 6)
    ),
)
_TAR = (257, b"ustar")
_IN_ZIP = (
    ("xl/", "an Excel workbook (.xlsx)", _AS_CSV),
    ("word/", "a Word document", "give the data as JSON Lines, CSV or Parquet"),
    ("content.xml", "an OpenDocument file", _AS_CSV),
)
_MARKS = (  # of UTF-32 before those of UTF-16, which they begin with
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SKIPPED_BY_ZSTD = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a frame that holds no data, as pzstd writes
_END_OF_DOS = b"\x1a"
_LOOKED_AT = 4096  # bytes, from the first, in which an encoding without a mark shows
_ARROW_STREAM, _TABLES = b"\xff\xff\xff\xff", (b"PAR1", b"ARROW1")


def is_table(data: bytes) -> bool:
    """Whether `data` is a Parquet or an Arrow file."""
    return data.startswith((*_TABLES, _ARROW_STREAM)) and not _is_utf16(data)


def unpacked(path: Path) -> bytes:
    """What the file at `path` holds: decompressed, and text as UTF-8 without a byte order mark. It may still be no
    text. Raises `DataError` for a file that is missing, too large, damaged, or a thing that has no rows of text."""
    check_size(path)
    if not path.is_file() and not path.is_dir():
        raise DataError(str(path), "neither a file nor a folder, but a pipe or a device", "write the data to a file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            str(path), f"it cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from error
    for _ in range(_MOST_LAYERS):
        while _SKIPPED_BY_ZSTD.match(data):
            data = data[8 + int.from_bytes(data[4:8], "little") :]
        packing = next((name for mark, name in _PACKED if data.startswith(mark)), None)
        if packing is None:
            break
        data = _decompressed(data, packing, path)
    _refuse_foreign(data, path)
    return data if is_table(data) else _as_utf8(data, path)


def _decompressed(data: bytes, packing: str, path: Path) -> bytes:
    kept = bytearray()
    try:
        with _stream(data, packing) as source:
            while chunk := source.read(_CHUNK):
                kept += chunk
                if len(kept) > MAX_FILE:
                    what = f"it has more than {MAX_FILE / 2**20:g} MiB when it is unpacked"
                    raise DataError(str(path), what, "give a part of it")
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowException) as error:
        what = f"damaged {packing} data, perhaps cut off: {str(error)[:100]}"
        raise DataError(str(path), what, "download or pack it again") from error
    return bytes(kept)


def _stream(data: bytes, packing: str) -> Any:
    if packing == "xz":
        return lzma.LZMAFile(io.BytesIO(data))
    return pa.CompressedInputStream(pa.BufferReader(data), packing)


def _refuse_foreign(data: bytes, path: Path) -> None:
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise DataError(str(path), "the file is empty: it contains no questions", "give the task's file")
    for mark, what, cure in _FOREIGN:
        if data.startswith(mark):
            raise DataError(str(path), what, cure)
    if data[_TAR[0] :].startswith(_TAR[1]):
        raise DataError(str(path), "a tar archive", _UNPACK)
    if data.startswith(b"PK\x03\x04"):
        raise DataError(str(path), *_in_zip(data))
    if any(data.startswith(mark) for mark, _ in _PACKED):
        raise DataError(str(path), f"it is packed more than {_MOST_LAYERS} times over", "unpack it")


def _in_zip(data: bytes) -> tuple[str, str]:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged zip archive", "download it again, and unpack it"
    for inside, what, cure in _IN_ZIP:
        if any(name.startswith(inside) for name in names):
            return what, cure
    return "a zip archive", _UNPACK


# Text ---------------------------------------------------------------------------------------------------------------


def _as_utf8(data: bytes, path: Path) -> bytes:
    """Text of any marked encoding, or UTF-16 without a mark, as UTF-8. Other bytes stay as they are: a reader that
    meets invalid UTF-8 names its line."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None and _is_utf16(data):
        encoding = "utf-16-le" if data[1] == 0 else "utf-16-be"
    if encoding is None:
        if b"\x00" in data[:_LOOKED_AT]:
            raise DataError(str(path), "binary data of an unknown kind, not text", _EXPORT)
        return data.removeprefix(b"\xef\xbb\xbf").removesuffix(_END_OF_DOS)
    try:
        return data.decode(encoding).encode("utf-8")
    except UnicodeError as error:
        what = f"it begins as {encoding.upper()}, but is not valid: {str(error)[:100]}"
        raise DataError(str(path), what, "save the file as UTF-8") from error


def _is_utf16(data: bytes) -> bool:
    """Whether text without a mark is UTF-16: of its first characters, nearly all in ASCII, each has a zero byte on the
    same side."""
    begin = data[: _LOOKED_AT // 2 * 2]
    even, odd = begin[0::2], begin[1::2]
    zeros = (even.count(0), odd.count(0))
    return len(data) >= 4 and max(zeros) > 0.4 * len(even) and min(zeros) == 0 and (data[0] == 0) != (data[1] == 0)
