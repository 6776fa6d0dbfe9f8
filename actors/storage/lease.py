"""One run at a time at one address: a lease, renewed while the run lives.

Owns: the file that says who runs there and that it still does; taking it over from one that has ended.

What is guaranteed. `pyarrow.fs` has no write that only one of two can win, so a lease is not a lock: of two that start
in the same seconds the one that wrote last goes on, and the other sees that and ends before it asks or stores
anything, unless the storage kept its writing back for longer than `SETTLE_S`. A holder that was suspended for longer
than `LIFETIME_S` may find itself replaced: it stops at its next beat or phase, so that at most one upload of it, and
what it had asked meanwhile, comes late. Phases are stored whole and are the same whoever makes them.

Invariants
- A holder that is known to be dead (its process on this machine) is replaced at once, one elsewhere after it has not
  been heard of for `LIFETIME_S`, by this machine's clock alone.
- Nobody's clock is compared with another's.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from actors.journal.lost import NOTHING, Figures
from actors.storage.remote import RemoteFolder, StorageError
from actors.storage.run_lock import RunInProgress
from actors.storage.working_copy import LEASE

BEAT_S = 10.0
LIFETIME_S = 45.0
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs there: `beat` counts its signs of life. `machine` names one kernel's process numbers since its start."""

    id: str
    host: str
    machine: str
    pid: int
    started: str
    beat: int = 0
    released: bool = False
    journal: Figures = NOTHING

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_json(content: bytes | None) -> Holder | None:
        try:
            fields = json.loads(content or b"")
            return Holder(**{**fields, "journal": Figures(**fields["journal"])})
        except (ValueError, TypeError, KeyError):
            return None

    @property
    def lives_here(self) -> bool | None:
        """Whether its process runs on this machine; None when that cannot be seen from here."""
        return _started(self.pid) == self.started if self.machine == _machine() else None


def this_process() -> Holder:
    """This process as a holder that has not begun."""
    pid = os.getpid()
    return Holder(uuid.uuid4().hex, socket.gethostname(), _machine(), pid, _started(pid))


class Lease:
    """The lease on the run at `run`, from `take` to `release`. It tells how far the run's journal is, as `figures` says
    at every beat (None: as before)."""

    def __init__(
        self,
        run: RemoteFolder,
        figures: Callable[[], Figures | None] = lambda: None,
        *,
        beat_s: float = BEAT_S,
        lifetime_s: float = LIFETIME_S,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._run, self._figures = run, figures
        self._beat_s, self._lifetime_s, self._settle_s = beat_s, lifetime_s, settle_s
        self._mine = this_process()
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self.before: Holder | None = None  # who held it last

    def take(self) -> None:
        """Takes the lease. Raises `RunInProgress` when another holds it, `StorageError`."""
        self.before = self._free_holder()
        if self.before is not None:
            self._mine = replace(self._mine, journal=self.before.journal)
        self.beat()
        if self._settle_s:
            time.sleep(self._settle_s * random.uniform(1.0, 1.5))
            self.check()

    def keep(self, ended: Future[None]) -> None:
        """Renews the lease in a thread until `release`. `ended` gets the error that ends it."""
        self._thread = threading.Thread(target=self._beat_on, args=[ended], name="lease", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Gives a sign of life. Raises `StorageError`."""
        with self._writing:
            journal = self._figures() or self._mine.journal
            self._mine = replace(self._mine, beat=self._mine.beat + 1, journal=journal)
            self._run.write(LEASE, self._mine.to_json())

    def check(self) -> None:
        """Raises `RunInProgress` when the lease is another's by now."""
        held = self._read()
        if held is None or held.id != self._mine.id:
            raise RunInProgress(self._told(held))

    def release(self) -> None:
        """Lets the next run in. A second call does nothing. Raises `StorageError`."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        held = self._read()
        if held is not None and held.id == self._mine.id:
            self._mine = replace(self._mine, released=True)
            self.beat()

    def _free_holder(self) -> Holder | None:
        """Who held it last, once that one has ended."""
        held = self._read()
        until = time.monotonic() + self._lifetime_s
        first = held
        while held is not None and not held.released and held.lives_here is not False:
            if held.lives_here or first is None or (held.id, held.beat) != (first.id, first.beat):
                raise RunInProgress(self._told(held))
            if time.monotonic() > until:
                break
            time.sleep(min(2.0, self._beat_s / 4))
            held = self._read()
        return held or first

    def _beat_on(self, ended: Future[None]) -> None:
        while not self._stop.wait(self._beat_s):
            try:
                self.check()
                self.beat()
            except (StorageError, RunInProgress) as error:
                if not ended.done():
                    ended.set_exception(error)
                return

    def _read(self) -> Holder | None:
        return Holder.from_json(self._run.read(LEASE))

    def _told(self, held: Holder | None) -> str:
        if held is None:
            return f"{self._run.address}: {LEASE}, which says who runs there, is gone. Start the same command again"
        who = f"process {held.pid} on {held.host}"
        return (
            f"{self._run.address} is being run by {who}. Only one run at a time can use an address: wait until it has "
            "ended or stop it, or give this run another name"
        )


def _machine() -> str:
    """This kernel since its start, and this container of it: where a process number means one process."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    started = boot.read_text(encoding="ascii").strip() if boot.is_file() else socket.gethostname()
    try:
        return f"{started} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return started


def _started(pid: int) -> str:
    """When the process began, as the kernel counts; nothing when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
