"""Folders of many files at an address (students) that are there whole or not at all.

Owns: the manifest that says which files a folder has, written last; fetching a folder to this node's disk.

Invariants
- A folder counts when its manifest is there. It is taken away before the folder's content changes.
- A node's copy is the folder that the manifest names, or it is fetched again. Several processes of one node fetch it
  once.
"""

from __future__ import annotations

import fcntl
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from actors.storage.remote import RemoteFolder, StorageError
from reasoning.files.durable import new_file, new_folder

MANIFEST = ".whole.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a whole folder has: the sizes of its files by name. `id` is another one whenever the folder is made anew."""

    id: str
    files: Mapping[str, int]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_json(text: str | bytes | None) -> Manifest | None:
        """None for anything that is no manifest."""
        try:
            content = json.loads(text or "")
            return Manifest(str(content["id"]), {str(name): int(size) for name, size in content["files"].items()})
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def publish_folder(folder: Path, at: RemoteFolder) -> None:
    """Makes the folder at `at` a copy of `folder`. Raises `StorageError`."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files.pop(MANIFEST, None)
    at.delete(MANIFEST)
    for name, path in files.items():
        at.upload(path, name)
    manifest = Manifest(uuid.uuid4().hex, {name: path.stat().st_size for name, path in files.items()})
    at.write(MANIFEST, manifest.to_json().encode())
    with new_file(folder / MANIFEST) as part:
        part.write_text(manifest.to_json(), encoding="utf-8")


def move_folder(run: RemoteFolder, source: str, to: str) -> None:
    """Makes the folder `to` of `run` what `source` is, which is gone then. Cut off and done again, it ends the same.
    Nothing happens where `source` is no whole folder. Raises `StorageError`."""
    manifest = Manifest.from_json(run.read(f"{source}/{MANIFEST}"))
    if manifest is None:
        return
    run.delete(f"{to}/{MANIFEST}")
    for name, size in manifest.files.items():
        run.copy(f"{source}/{name}", f"{to}/{name}", size)
    run.write(f"{to}/{MANIFEST}", manifest.to_json().encode())
    run.delete_folder(source)


def fetch_folder(at: RemoteFolder, folder: Path) -> Path:
    """Makes `folder` a copy of the folder at `at` unless it is one. Raises `StorageError`."""
    wanted = Manifest.from_json(at.read(MANIFEST))
    if wanted is None:
        raise StorageError(f"{at.address}: no whole folder there (no {MANIFEST})")
    with _alone(folder):
        if _manifest_of(folder) == wanted:
            return folder
        with new_folder(folder) as part:
            for name, size in wanted.files.items():
                if not at.download(name, part / name) or (part / name).stat().st_size != size:
                    raise StorageError(f"{at.address}: {name} is not what the manifest says; start the command again")
            (part / MANIFEST).write_text(wanted.to_json(), encoding="utf-8")
    return folder


def _manifest_of(folder: Path) -> Manifest | None:
    try:
        return Manifest.from_json((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError:
        return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process of this node at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
