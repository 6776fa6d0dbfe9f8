"""Files and hub datasets read as they are: rows in order, every fault named by its place.

Owns: the reading of JSON, JSONL and hub datasets, and the bounds of what is read.

Invariants
- No bytes make a reader raise anything but `DataError`, which names the file (or dataset) and the line or record.
- Rows keep their order and their number: the published splits count questions in file order.
- A row and a file have bounds, beyond which they are refused before they are parsed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from reasoning.files.data_error import DataError, Gathering
from reasoning.records import Split
from reasoning.tasks.rows import Row

MAX_ROW = 2**20  # bytes of a line, characters of a question: no student reads a question of a mebibyte
MAX_FILE = 2**30  # bytes

_MEND = "mend or remove it"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: what it holds, where it stands and, where the source says so, in which split."""

    content: Row
    place: str
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A hub dataset, or a local folder that `load_dataset` reads, and which of its parts are wanted.

    `config` is used where the dataset has one of that name; `folder` and `revision` name a part of its repository. The
    parts `train` are read in this order, then the parts `test`; without `test` they are one set that has no split of
    its own. A dataset that has not all of them is read by the usual names: train, and test or else validation."""

    dataset: str
    config: str | None = None
    folder: str | None = None
    revision: str | None = None
    train: tuple[str, ...] = ("train",)
    test: tuple[str, ...] = ("test",)


# Files --------------------------------------------------------------------------------------------------------------


def read_file(path: Path, split: Split | None = None) -> list[SourceRow]:
    """The rows of a JSONL file (one object a line, whatever its name) or a JSON file (a list, or an object with a list
    `examples`). Raises `DataError`, which tells all faults."""
    data = read_bytes(path)
    lines = data.split(b"\n")  # not splitlines: JSON strings may hold other line separators (U+2028) as they are
    rows: list[SourceRow] = []
    faults = Gathering()
    if path.suffix == ".jsonl" or (_is_object(lines[0]) and any(line.strip() for line in lines[1:])):
        for number, line in enumerate(lines, 1):
            if line.strip():
                with faults.caught():
                    rows.append(_row(_parsed_line(line, path, number), f"{path}, line {number}", split))
    else:
        for number, content in enumerate(_listed(data, path)):
            with faults.caught():
                rows.append(_row(content, f"{path}, record {number}", split))
    faults.raise_caught()
    if not rows:
        raise DataError(str(path), "the file holds no questions", "give the task's file")
    return rows


def read_bytes(path: Path) -> bytes:
    """A file's content without its byte order mark. Raises `DataError` when it is missing, unreadable or too large."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise DataError(str(path), f"it has more than {MAX_FILE >> 20} MiB", "give a part of it")
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except FileNotFoundError as error:
        raise DataError(str(path), "no such file", "check the path; the published files keep their names") from error
    except OSError as error:
        cure = "check the path and its permissions"
        raise DataError(str(path), f"it cannot be read: {error.strerror}", cure) from error


def read_text(path: Path) -> str:
    """A file's text. Raises `DataError` when it cannot be read, or is not UTF-8 (naming the line)."""
    return _decoded(read_bytes(path), path)


def parsed(data: bytes, path: Path, line: int | None = None) -> Any:
    """The JSON in `data`, the content of `path` or one `line` of it. Raises `DataError`, which names the line."""
    try:
        return _DECODER.decode(_decoded(data, path, line))
    except json.JSONDecodeError as error:
        what = f"malformed JSON: {error.msg} (column {error.colno})"
        raise DataError(f"{path}, line {line or error.lineno}", what, "mend or remove that line") from error
    except DataError:
        raise
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits, NaN
        place = f"{path}, line {line}" if line else str(path)
        raise DataError(place, f"JSON that cannot be read: {error}", _MEND) from error


def _decoded(data: bytes, path: Path, line: int | None = None) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = line or data.count(b"\n", 0, error.start) + 1
        cure = "save the file as UTF-8, or mend that line"
        raise DataError(f"{path}, line {number}", "invalid UTF-8", cure) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _is_object(line: bytes) -> bool:
    try:
        return len(line) <= MAX_ROW and isinstance(parsed(line, Path(), 1), dict)
    except DataError:
        return False


def _parsed_line(line: bytes, path: Path, number: int) -> Any:
    if len(line) > MAX_ROW:
        what = f"a line of {len(line) / 2**20:.1f} MiB, and a question has at most {MAX_ROW >> 20}"
        raise DataError(f"{path}, line {number}", what, _MEND)
    return parsed(line, path, number)


def _listed(data: bytes, path: Path) -> list[Any]:
    content = parsed(data, path)
    rows = content.get("examples") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        what = "it is neither a list of questions nor an object with a list 'examples'"
        raise DataError(str(path), what, "mend the file, or name it .jsonl when it has an object a line")
    return rows


def _row(content: Any, place: str, split: Split | None) -> SourceRow:
    if not isinstance(content, dict):
        raise DataError(place, f"a question is an object, this is a {type(content).__name__}", _MEND)
    return SourceRow(content, place, split)


# Hub ----------------------------------------------------------------------------------------------------------------


def read_hub(hub: HubDataset) -> list[SourceRow]:
    """The rows of a hub dataset, its training parts first. Raises `DataError`."""
    place = f"dataset {hub.dataset}"
    loaded = _loaded(hub, place)
    return [
        SourceRow(content, f"{place}, split {name}, record {number}", split)
        for name, split in _parts(hub, loaded, place)
        for number, content in enumerate(loaded[name])
    ]


def _loaded(hub: HubDataset, place: str) -> Mapping[str, Any]:
    from datasets import get_dataset_config_names, load_dataset  # heavy, and only this function needs it
    from datasets.exceptions import DatasetsError

    try:
        if hub.folder is not None:
            return load_dataset(hub.dataset, data_dir=hub.folder, revision=hub.revision)  # type: ignore[no-any-return]
        names = get_dataset_config_names(hub.dataset, revision=hub.revision)
        config = hub.config if hub.config in names else None
        return load_dataset(hub.dataset, config, revision=hub.revision)  # type: ignore[no-any-return]
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:  # RuntimeError: a dataset that is a script
        cure = "check its name and the connection, or give the published files with source: file and path"
        raise DataError(place, f"it cannot be loaded: {str(error)[:300]}", cure) from error


def _parts(hub: HubDataset, names: Mapping[str, Any], place: str) -> Sequence[tuple[str, Split | None]]:
    if all(name in names for name in (*hub.train, *hub.test)):
        if not hub.test:
            return [(name, None) for name in hub.train]
        return [*((name, Split.TRAIN) for name in hub.train), *((name, Split.TEST) for name in hub.test)]
    test = next((name for name in ("test", "validation") if name in names), None)
    if "train" in names:
        return [("train", Split.TRAIN), (test, Split.TEST)] if test else [("train", None)]
    if test == "test":
        return [(test, Split.TEST)]
    raise DataError(place, f"it has no split train, only {', '.join(names)}", "give another mirror with hub_id")
