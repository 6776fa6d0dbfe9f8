"""Files and hub datasets read as they are: rows in order, every fault named by its place.

Owns: which rows a JSON file, a JSONL file and a hub dataset hold, and how long a row may be.

Invariants
- Nothing makes a reader raise anything but `DataError`, which names the file (or dataset) and the line or record.
- Rows keep their order and their number: the published splits count questions in file order.
- A row has a bound, beyond which it is refused before it is parsed, as a file has (`reasoning.files.json_files`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from reasoning.files.data_error import DataError, ErrorCollector
from reasoning.files.json_files import check_size, json_lines, kind_of_value, read_json
from reasoning.records import Split
from reasoning.tasks.rows import DataRow

MAX_ROW = 2**20  # bytes of a line, characters of a question: no student reads a question of a mebibyte


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row: its content, its place and, where the source names one, its split."""

    content: DataRow
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
    check_size(path)
    rows: list[SourceRow] = []
    faults = ErrorCollector()
    if path.suffix == ".jsonl" or _has_an_object_a_line(path):
        for line in json_lines(path, MAX_ROW):
            with faults.caught():
                rows.append(_row(line.value(strict=True), line.place, split))
    else:
        for number, content in enumerate(_listed(path)):
            with faults.caught():
                rows.append(_row(content, f"{path}, record {number}", split))
    faults.raise_caught()
    if not rows:
        raise DataError(str(path), "the file contains no questions", "give the task's file")
    return rows


def _has_an_object_a_line(path: Path) -> bool:
    """Whether the first line is an object of its own and others follow."""
    begin = list(islice(json_lines(path, MAX_ROW), 2))
    try:
        return len(begin) == 2 and begin[0].number == 1 and isinstance(begin[0].value(strict=True), dict)
    except DataError:
        return False


def _listed(path: Path) -> list[Any]:
    content = read_json(path)
    rows = content.get("examples") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        what = "it is neither a list of questions nor an object with a list 'examples'"
        raise DataError(str(path), what, "fix the file, or name it .jsonl if it has one object per line")
    return rows


def _row(content: Any, place: str, split: Split | None) -> SourceRow:
    if not isinstance(content, dict):
        raise DataError(place, f"a question must be an object, this is {kind_of_value(content)}", "fix or remove it")
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
