"""A folder of questions: which of its files are data, and which split each is.

Owns: what is passed over in a folder, and what the names in it say. Invariants: the order of files is that of their
names, in which numbers count as numbers; a folder that could be read in two ways is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.data_files.json_rows import SPLITS

_OTHER = frozenset(  # what lies beside data and is none
    (
        *(".md", ".rst", ".py", ".ipynb", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".sh", ".html", ".pdf", ".log"),
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".lock", ".sha256", ".md5", ".bib", ".js", ".css", ".crc"),
        *(".bak", ".orig", ".old", ".tmp", ".swp", ".part"),
    )
)
_ABOUT = re.compile(
    r"(?:readme|license|licence|copying|changelog|citation|notice|authors|requirements|dataset_infos?|dataset_dict|state"
    r"|croissant|metadata)(?:\.\w+)?|(?:readme|licen[cs]e)[-_ ].*|thumbs\.db|.*~",
    re.IGNORECASE,
)
_WORDS = {**SPLITS, "eval": Split.TEST, "evaluation": Split.TEST, "testing": Split.TEST}
_WORDS |= {"holdout": Split.TEST, "heldout": Split.TEST}
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The files to read, in order, each with its split (None: the folder has no split of its own); `note` says which
    they are."""

    files: tuple[tuple[Path, Split | None], ...]
    note: str


def data_folder(path: Path) -> DataFolder:
    """The data in the folder at `path` and below. The names of files, or of the folders they lie in, say what is train
    and what is test (or else validation). Raises `DataError`."""
    try:
        files = sorted((file for file in path.rglob("*") if _is_data(file, path)), key=lambda f: _natural(f, path))
    except OSError as error:
        what = f"it cannot be read: {error.strerror or error}"
        raise DataError(str(path), what, "check the path and its permissions") from error
    if not files:
        raise DataError(str(path), "a folder without data files", "name the folder or the file that has the questions")
    splits = {file: _split(file.relative_to(path)) for file in files}
    named = {split for split in splits.values() if split is not None}
    unnamed = [file for file in files if splits[file] is None]
    if unnamed and Split.TEST in named | {Split.TEST for _ in named - {Split.TRAIN}}:
        what = f"some of its files are named as a split and others, such as {unnamed[0].relative_to(path)}, are not"
        raise DataError(str(path), what, "give the files as task.path and task.test_path, or move the others away")
    if Split.TEST in named:
        splits = {file: split for file, split in splits.items() if split is not Split.VALIDATION}
    tests = {Split.TEST, Split.VALIDATION} & set(splits.values())
    chosen = tuple((file, _part(split, bool(tests))) for file, split in splits.items())
    return DataFolder(chosen, _note(path, files, chosen))


def _part(split: Split | None, apart: bool) -> Split | None:
    if not apart:
        return None
    return Split.TRAIN if split is Split.TRAIN else Split.TEST


def _is_data(file: Path, folder: Path) -> bool:
    inside = file.relative_to(folder)
    hidden = any(part.startswith((".", "_")) for part in inside.parts)  # "_": Spark's and Hive's own
    return not hidden and file.suffix.lower() not in _OTHER and not _ABOUT.fullmatch(file.name) and file.is_file()


def _natural(file: Path, folder: Path) -> list[tuple[int, str]]:
    parts = re.split(r"([0-9]+)", str(file.relative_to(folder)))
    return [(int(part), "") if part.isdecimal() and part.isascii() else (0, part) for part in parts]


def _split(inside: Path) -> Split | None:
    """The split that a file's name says, or else the nearest folder's."""
    for part in reversed(inside.parts):
        words = re.findall(r"[a-z]+", part.lower())
        found = {_WORDS[word] for word in words if word in _WORDS}
        if len(found) == 1:
            return found.pop()
    return None


def _note(path: Path, files: list[Path], chosen: tuple[tuple[Path, Split | None], ...]) -> str:
    def names(group: list[Path]) -> str:
        shown = ", ".join(str(file.relative_to(path)) for file in group[:_SHOWN])
        return shown + (f" and {len(group) - _SHOWN} more" if len(group) > _SHOWN else "")

    parts = {split: [file for file, own in chosen if own is split] for split in (None, Split.TRAIN, Split.TEST)}
    said = [f"{split.value + ': ' if split else ''}{names(group)}" for split, group in parts.items() if group]
    read = {file for file, _ in chosen}
    left = [file for file in files if file not in read]
    more = f"; not read, since there are test files: {names(left)}" if left else ""
    return f"{path} is a folder, of which are read {'; '.join(said)}{more}."
