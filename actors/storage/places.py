"""What lies at a place, wherever that is: a path that every node sees, or an address that each fetches from.

Owns: bringing a file or a student to this node, and handing over what was made on it. For a path nothing is to be done.

Invariant: a copy on this node's disk is used only after it was compared with what is stored.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from actors.storage.remote import RemoteFolder
from actors.storage.whole_folders import MANIFEST, Manifest, fetch_folder, publish_folder
from reasoning.files.addresses import is_address, on_this_disk


def file_here(place: str) -> Path:
    """The file at `place`, on this node; it need not be there. Raises `StorageError`."""
    if not is_address(place):
        return Path(place)
    folder, name = _split(place)
    path = on_this_disk(place)
    if not folder.download(name, path):
        path.unlink(missing_ok=True)
    return path


def student_here(source: str) -> str:
    """What to load the student at `source` from: a folder on this node, or the hub id that it is. Raises
    `StorageError`."""
    return str(fetch_folder(RemoteFolder(source), on_this_disk(source))) if is_address(source) else source


def is_file_there(place: str) -> bool:
    """Whether there is a file at `place`. Raises `StorageError`."""
    if not is_address(place):
        return Path(place).is_file()
    folder, name = _split(place)
    return folder.read(name) is not None


def is_student_there(place: str) -> bool:
    """Whether there is a student at `place`, whole. Raises `StorageError`."""
    return RemoteFolder(place).read(MANIFEST) is not None if is_address(place) else Path(place).is_dir()


def landing(place: str) -> Path:
    """Where on this node to write what is to be at `place`; `hand_over` then brings it there."""
    return on_this_disk(place) if is_address(place) else Path(place)


def hand_over(place: str) -> None:
    """Stores what was written to `landing(place)`, a file or a folder. Raises `StorageError`."""
    if not is_address(place):
        return
    path = on_this_disk(place)
    if path.is_dir():
        publish_folder(path, RemoteFolder(place))
    else:
        folder, name = _split(place)
        folder.upload(path, name)


def forget_lost_beside(place: str) -> None:
    """Deletes this node's copies of the students of other rounds, or epochs, than that at `place` that are stored no
    more. What was made here and is not stored yet stays. Raises `StorageError`."""
    if not is_address(place):
        return
    here, (head, mark, query) = on_this_disk(place), place.partition("?")
    above, _, name = head.rsplit("/", 2)
    for copy in here.parent.parent.glob(f"*/{name}"):
        stored = f"{above}/{copy.parent.name}/{name}{mark}{query}"
        if (copy / MANIFEST).is_file() and not is_student_there(stored):
            shutil.rmtree(copy, ignore_errors=True)


def read_in_folder(place: str, name: str) -> str | None:
    """The text of the file `name` in the folder at `place`; None where there is no such file, or no whole folder."""
    if not is_address(place):
        file = Path(place) / name
        return file.read_text(encoding="utf-8") if file.is_file() else None
    folder = RemoteFolder(place)
    manifest = Manifest.from_json(folder.read(MANIFEST))
    content = folder.read(name) if manifest is not None and name in manifest.files else None
    return content.decode("utf-8") if content is not None else None


def remove_folder(place: str, name: str) -> None:
    """Deletes the folder `name` in the folder at `place`, if there is one. Raises `StorageError`."""
    if is_address(place):
        RemoteFolder(place).delete_folder(name)
    else:
        shutil.rmtree(Path(place) / name, ignore_errors=True)


def _split(place: str) -> tuple[RemoteFolder, str]:
    head, mark, query = place.partition("?")
    above, _, name = head.rpartition("/")
    return RemoteFolder(above + mark + query), name
