"""Hub datasets read as they are: rows in order, every fault named by its place.

Owns: which rows a hub dataset holds. Files and folders are read by `reasoning.tasks.data_files`.

Invariants
- A dataset that cannot be read is a `DataError`, which names it and, where there is one, the record.
- Rows keep their order and their number: the published splits count questions in file order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.data_files.classes import classes_in
from reasoning.tasks.data_files.source_row import SourceRow, plain_value


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A hub dataset, or a local folder that `load_dataset` reads, and which of its parts are wanted.

    `config` is used where the dataset has one of that name, or must be there (`config_asked`); `folder` and `revision`
    name a part of its repository. The parts `train` are read in this order, then the parts `test`; without `test` they
    are one set that has no split of its own. A dataset that has not all of them is read by the usual names: train, and
    test or else validation."""

    dataset: str
    config: str | None = None
    folder: str | None = None
    revision: str | None = None
    train: tuple[str, ...] = ("train",)
    test: tuple[str, ...] = ("test",)
    config_asked: bool = False


def read_hub(hub: HubDataset) -> list[SourceRow]:
    """The rows of a hub dataset, its training parts first. Raises `DataError`."""
    place = f"dataset {hub.dataset}"
    loaded = _loaded(hub, place)
    return [
        SourceRow(plain_value(content), f"{place}, split {name}, record {number}", split, classes)
        for name, split in _parts(hub, loaded, place)
        for classes in [classes_in(loaded[name].features)]
        for number, content in enumerate(loaded[name])
    ]


def _loaded(hub: HubDataset, place: str) -> Mapping[str, Any]:
    from datasets import get_dataset_config_names, load_dataset  # heavy, and only this function needs it
    from datasets.exceptions import DatasetsError

    try:
        if hub.folder is not None:
            return load_dataset(hub.dataset, data_dir=hub.folder, revision=hub.revision)  # type: ignore[no-any-return]
        names = get_dataset_config_names(hub.dataset, revision=hub.revision)
        if hub.config in names or not hub.config_asked:
            config = hub.config if hub.config in names else None
            return load_dataset(hub.dataset, config, revision=hub.revision)  # type: ignore[no-any-return]
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:  # RuntimeError: a dataset that is a script
        cure = "check its name and the connection, or give the published files with source: file and path"
        raise DataError(place, f"it cannot be loaded: {str(error)[:300]}", cure) from error
    what = f"it has no configuration {hub.config!r}, only {', '.join(names)[:200]}"
    raise DataError(place, what, "name one of them with task.hub_config")


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
