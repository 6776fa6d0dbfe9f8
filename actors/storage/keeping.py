"""How a run is kept while it runs: alone in its directory, its finished phases recorded, its journal copied.

Owns: the three ways. On a local disk the directory is all there is. At an address the directory is a working copy of
what is stored there. On a network's disk the files are where they belong, and the journal lies on the head's own disk.

Invariants
- A phase is recorded (`record`) only by who holds the run, and counts when that returns.
- From `open` to `close` the run is this process's. What cannot be kept any more ends the run (`ended`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from actors.journal.lost import NOTHING
from actors.storage.journal_copies import JournalCopies
from actors.storage.lease import Lease
from actors.storage.network_disks import journal_on_this_disk, on_network_disk
from actors.storage.remote import PATIENCE_S, RemoteFolder, StorageError
from actors.storage.run_lock import RunInProgress, RunLock
from actors.storage.working_copy import WorkingCopy
from reasoning.files.addresses import below
from reasoning.rounds.directory import ClaimedDirectory, RoundFiles
from reasoning.rounds.epochs import claim_epochs, drop, has_others_epochs, promote
from reasoning.rounds.phase_order import PhaseRecord

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a run is kept: its directory on this node; its address, if that is a copy; the journal that is named for
    it, if one is; its name; and how long storage that fails is tried again."""

    folder: Path
    address: str | None = None
    shared_journal: Path | None = None
    name: str = ""
    patience_s: float = PATIENCE_S

    @property
    def journal(self) -> Path:
        """The journal's file, on this node's own disk where that is possible."""
        if self.shared_journal is not None:
            return self.shared_journal.expanduser()
        if self.address is None and on_network_disk(self.folder):
            return journal_on_this_disk(self.folder)
        return self.folder / "journal.sqlite"

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return self.address or str(self.folder)

    @property
    def stored(self) -> RemoteFolder:
        """Where the run is kept, as a folder."""
        return RemoteFolder(self.address or self.folder.absolute().as_uri(), self.patience_s)

    def place_of(self, path: Path) -> str:
        """How other nodes name a file or folder of the run."""
        return str(path) if self.address is None else below(self.address, path.relative_to(self.folder).as_posix())

    def keeper(self) -> RunKeeper:
        """What keeps a run here."""
        if self.address is not None:
            return StoredRun(self)
        own_disk = self.journal.parent == self.folder or self.shared_journal is not None
        return RunKeeper(self) if own_disk else RunOnNetworkDisk(self)


class RunKeeper:
    """Keeps a run in a directory on a local disk."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.ended: Future[None] = Future()
        self._lock: RunLock | None = None

    def open(self) -> None:
        """Makes the run this process's, and the directory what the run had come to. Raises `RunInProgress`,
        `StorageError`, `JournalError`."""
        self._lock = RunLock(self.home.folder)

    def record(self, directory: ClaimedDirectory[Any], record: PhaseRecord) -> None:
        """Records a finished phase. Raises `StorageError`, `RunInProgress` when the run is another's by now."""
        directory.append(record)

    def claim_epochs(self, files: RoundFiles, identity: str) -> None:
        """Makes the place of the epochs that of the training with `identity`, before it begins. Raises `StorageError`,
        `RunInProgress`."""
        claim_epochs(files, identity)

    def drop_epoch(self, files: RoundFiles, epoch: int) -> None:
        """Drops the weights of `epoch`, which another has beaten. Raises `StorageError`, `RunInProgress` when the run
        is another's by now."""
        drop(files, epoch)

    def keep_epoch(self, files: RoundFiles, best: int, epochs: int) -> None:
        """Makes the student of epoch `best` that of the round, and drops the weights of the other `epochs`."""
        promote(files, best, epochs)

    def close(self) -> None:
        """Lets the next run in. A second call does nothing."""
        if self._lock is not None:
            self._lock.release()


class RunOnNetworkDisk(RunKeeper):
    """Keeps a run whose journal is on another disk than its directory."""

    settle_s = 0.0  # the lock of the directory holds between machines as well

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        shared = home.shared_journal is not None
        self._copies = JournalCopies(home.journal, home.stored, home.name, shared, self._copy_beside)
        self._lease = Lease(home.stored, self._copies.figures, settle_s=self.settle_s)

    def open(self) -> None:
        self.home.folder.mkdir(parents=True, exist_ok=True)
        super().open()
        self._lease.take()
        self._bring()
        self._copies.prepare(self._lease.before.journal if self._lease.before is not None else NOTHING)
        self._lease.beat()
        self._lease.keep(self.ended)
        self._copies.keep(self.ended)

    def record(self, directory: ClaimedDirectory[Any], record: PhaseRecord) -> None:
        self._lease.check()
        self._copies.copy()
        super().record(directory, record)

    def close(self) -> None:
        for end in (self._copies.stop, self._lease.release):
            try:
                end()
            except (StorageError, RunInProgress) as error:
                logger.warning("not kept at the end: %s", error)
        super().close()

    def _bring(self) -> None:
        """Nothing: what is stored is the directory."""

    def _copy_beside(self) -> None:
        """Nothing: logs are in the directory."""


class StoredRun(RunOnNetworkDisk):
    """Keeps a run at an address."""

    settle_s = 1.0

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self._files = WorkingCopy(home.folder, home.stored)

    def record(self, directory: ClaimedDirectory[Any], record: PhaseRecord) -> None:
        self._lease.check()
        self._copies.copy()
        self._files.record(directory.rounds_file, directory.rounds_with(record))
        directory.append(record)

    def claim_epochs(self, files: RoundFiles, identity: str) -> None:
        self._lease.check()
        if has_others_epochs(files, identity):
            self._files.delete(files.epochs)
        claim_epochs(files, identity)
        self._files.put(files.epochs_claim)

    def drop_epoch(self, files: RoundFiles, epoch: int) -> None:
        self._lease.check()
        self._files.drop_epoch(files, epoch)
        drop(files, epoch)

    def keep_epoch(self, files: RoundFiles, best: int, epochs: int) -> None:
        self._files.store()  # every epoch's answers: who goes on from here needs the weights no more
        self._files.keep_epoch(files, best, epochs)
        promote(files, best, epochs)

    def _bring(self) -> None:
        self._files.bring()

    def _copy_beside(self) -> None:
        self._files.store_logs()


async def unless_ended(ended: Future[None], work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; where the run cannot be kept any more, `work` is cancelled and the reason raised."""
    task, end = asyncio.ensure_future(work), asyncio.wrap_future(ended)
    both: set[asyncio.Future[Any]] = {task, end}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            end.result()
        return task.result()
    finally:
        task.cancel()
        end.cancel()
        await asyncio.gather(task, end, return_exceptions=True)
