"""A run's files on the disk of the node that runs it, and at the address where they are kept.

Owns: which files go there and back; the ledger of what both sides have, which spares copying it again.

Invariants
- A phase counts when its line is in the `rounds.jsonl` at the address. Every file of the phase is there, whole, before.
- The local `rounds.jsonl` has no line that the stored one lacks.
- What is stored decides: a node that was away takes over what another has made meanwhile. What a phase left unfinished
  here stays, so that the phase goes on from it.
- Students are not copied here: each node fetches the one that it needs (`actors.storage.places`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from actors.storage.remote import RemoteFile, RemoteFolder, StorageError
from actors.storage.whole_folders import move_folder
from reasoning.files.addresses import below
from reasoning.files.durable import new_file
from reasoning.rounds.directory import RoundFiles

JOURNAL = "journal.sqlite"
LEASE = "run.lease.json"
_LEDGER = ".storage.json"
_RECIPE, _ROUNDS, _LOCK, _PROMPTS = "recipe.yaml", "rounds.jsonl", "run.lock", "prompts"
_LOG = ".partial.jsonl"  # of an exam that is being sat
_FOLDERS = {"student", "training"}  # fetched by the node that needs them; Ray Train's own
_AT_ONCE = 8

_Pair = tuple[int, int]  # size and time of writing


class WorkingCopy:
    """The copy in `folder` of the run that is stored at `run`."""

    def __init__(self, folder: Path, run: RemoteFolder) -> None:
        self.folder = folder
        self._run = run
        self._ledger = _read_ledger(folder / _LEDGER)

    def bring(self) -> None:
        """Brings here what is stored and differs. Raises `StorageError`, also when this folder holds the phases of a
        run that is stored there no more."""
        there = {one.name: one for one in self._run.files()}
        if _RECIPE not in there:
            self._begin(there)
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        wanted = [one for one in there.values() if self._lacks(one)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for one, came in zip(wanted, pool.map(self._fetch, wanted), strict=True):
                if came:
                    self._note(one)
        for path in self._local_rounds():
            if self._name(path) not in there:  # a line was written here only
                path.unlink()
        self._write_ledger()

    def store_claim(self) -> None:
        """Stores what makes the address this run's: its recipe and its prompts."""
        names = [name for name in self._names() if name == _RECIPE or name.startswith(f"{_PROMPTS}/")]
        self._store(sorted(names, key=lambda name: name == _RECIPE))  # the recipe last: with it, it is a run's

    def store(self) -> None:
        """Stores every file that is not there as it is here. Raises `StorageError`."""
        self._store(self._names())
        for name in [name for name in self._ledger if name.endswith(_LOG)]:
            if not (self.folder / name).exists():  # the exam is whole
                self._run.delete(name)
                del self._ledger[name]
        self._write_ledger()

    def store_logs(self) -> None:
        """Stores how far an exam has come."""
        self._store([self._name(path) for path in self.folder.rglob(f"*{_LOG}")])

    def record(self, rounds_file: Path, content: bytes) -> None:
        """Makes the phases in `content` count: it is what `rounds_file` will hold. Everything else is stored first."""
        self.store()
        name = self._name(rounds_file)
        self._run.write(name, content)

    def keep_epoch(self, files: RoundFiles, best: int, epochs: int) -> None:
        """What `reasoning.rounds.epochs.promote` does, at the address. Raises `StorageError`."""
        if best != epochs:
            move_folder(self._run, self._name(files.after(best).student), self._name(files.student))
            files.probe.unlink(missing_ok=True)  # the last epoch's
            self._run.delete(self._name(files.probe))
        for epoch in range(1, epochs + 1):
            self._delete_weights(files.after(epoch))
        self._run.delete(self._name(files.epochs_claim))

    def drop_epoch(self, files: RoundFiles, epoch: int) -> None:
        """What `reasoning.rounds.epochs.drop` does, at the address, once the answers of every epoch are there. Raises
        `StorageError`."""
        self._store(self._name(table) for table in sorted(files.epochs.glob(f"*/{files.evaluation.name}")))
        self._delete_weights(files.after(epoch))

    def delete(self, folder: Path) -> None:
        """Deletes what is stored of a folder of the run."""
        self._run.delete_folder(self._name(folder))

    def put(self, file: Path) -> None:
        """Stores one file of the run."""
        self._store([self._name(file)])

    # ------------------------------------------------------------------------------------------------------------------

    def _begin(self, there: Iterable[str]) -> None:
        others = [name for name in there if name not in (LEASE, JOURNAL) and not name.startswith(f"{_PROMPTS}/")]
        if others:
            raise StorageError(
                f"{self._run.address}: is not empty and not a run (no {_RECIPE}, but {others[0]}). Give this run "
                "another `name` or `storage.path`"
            )
        if any(path.stat().st_size for path in self._local_rounds()):
            raise StorageError(
                f"{self._run.address}: holds no run, but {self.folder} is this node's copy of one. To begin anew, move "
                "that folder away; to go on with it, copy its files to the address"
            )
        self._ledger.clear()

    def _lacks(self, one: RemoteFile) -> bool:
        name, path = one.name, self.folder / one.name
        if not _is_kept(name) or name in (JOURNAL, LEASE):
            return False
        if name.endswith(_LOG) and path.exists():
            return False  # this node's own may have come further
        return self._ledger.get(name) != ((one.size, one.written_ns), _pair(path))

    def _fetch(self, one: RemoteFile) -> bool:
        return self._run.download(one.name, self.folder / one.name)

    def _delete_weights(self, files: RoundFiles) -> None:
        self._run.delete_folder(self._name(files.student))
        self._run.delete(self._name(files.probe))

    def _names(self) -> list[str]:
        """The files here that are stored with a phase."""
        found = (self._name(path) for path in self.folder.rglob("*") if path.is_file())
        return sorted(
            name
            for name in found
            if _is_kept(name) and PurePosixPath(name).name != _ROUNDS and not name.endswith(_LOG)
            and not name.startswith((JOURNAL, LEASE, _LOCK))
        )  # fmt: skip

    def _store(self, names: Iterable[str]) -> None:
        changed = [name for name in names if self._ledger.get(name, (None, None))[1] != _pair(self.folder / name)]
        before = {name: _pair(self.folder / name) for name in changed}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            stored = pool.map(lambda name: self._run.upload(self.folder / name, name), changed)
            for name, one in zip(changed, stored, strict=True):
                self._ledger[name] = ((one.size, one.written_ns), before[name])
        if changed:
            self._write_ledger()

    def _note(self, one: RemoteFile) -> None:
        self._ledger[one.name] = ((one.size, one.written_ns), _pair(self.folder / one.name))

    def _local_rounds(self) -> Iterator[Path]:
        yield from self.folder.rglob(_ROUNDS) if self.folder.is_dir() else ()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _write_ledger(self) -> None:
        with new_file(self.folder / _LEDGER) as part:
            part.write_text(json.dumps({"address": self._run.address, "files": self._ledger}), encoding="utf-8")


def address_of(path: Path) -> str | None:
    """The address of a file or folder in the copy of a run; None where `path` is in none."""
    for folder in (path, *path.parents):
        ledger = folder / _LEDGER
        if ledger.is_file():
            address = json.loads(ledger.read_text(encoding="utf-8"))["address"]
            return below(address, *path.relative_to(folder).parts)
    return None


def _is_kept(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not _FOLDERS & set(parts) and not any(part.startswith(".") for part in parts)


def _pair(path: Path) -> _Pair | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _read_ledger(file: Path) -> dict[str, tuple[_Pair, _Pair | None]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))["files"]
        return {name: (tuple(stored), tuple(local)) for name, (stored, local) in content.items() if local}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
