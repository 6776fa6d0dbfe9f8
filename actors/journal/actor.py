"""The journal: what was asked of a teacher, what came of it and what it cost, for good.

Owns: the rules of recording, and of the cap on spending. The file is `actors.journal.database`.

Invariants
- One row a request, keyed by its content. The row is there before the request is sent, the reply before it is used.
- An answer is never overwritten and never paid for again: `start` hands out the reply of an answered request instead of
  letting it be sent, and counts that; while another living process has a request in flight, no other may send it.
- A run's cap is kept: every sending is booked with its worst case before it is sent, in the transaction that permits
  it, and with what it did cost when it ends. What a crash left unknown stays booked with its worst case. Where a
  provider asked for more than that, as much more is reserved from then on (`actors.journal.overruns`): a cap can be
  passed only by what was in flight when a provider first asked for so much, and by no more than that surplus.
- Recorded means recorded: an end survives SIGKILL of this process at any instant, and a power cut (one fsync for all
  that are recorded together). A start survives a SIGKILL; where there is a cap, a power cut as well.
- The same call made twice does no harm, so that a caller may repeat one whose outcome it did not learn.
- On a full disk the replies that are in flight still find room; only new sendings are refused.

Every method takes many items at once: one transaction, one round trip. Run as an actor with `ray.remote(Journal)`; the
class itself does not depend on Ray.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from actors.journal.database import (
    BALLAST_BYTES,
    JournalBusy,
    JournalCorrupt,
    JournalDiskFull,
    JournalError,
    JournalFile,
    JournalVersionMismatch,
    damaged,
)
from actors.journal.failures import message_of, refusals_of, stays, with_refusal
from actors.journal.reader import batch_of, parsed, reply_of, request_of
from actors.journal.records import (
    Ended,
    OpenBatch,
    Sending,
    Spending,
    StartRefusal,
    reply_json,
    sending_id,
)
from actors.journal.spending import RunSpending
from actors.journal.sums import JournalSums, sums_of
from actors.ray_api.handles import RemoteMethod
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherReply, TeacherRequest, storable
from reasoning.teacher.prices import dollars

__all__ = [
    "Ended",
    "Journal",
    "JournalCorrupt",
    "JournalDiskFull",
    "JournalError",
    "JournalHandle",
    "JournalVersionMismatch",
    "OpenBatch",
    "StartRefusal",
    "Sending",
    "Spending",
    "sending_id",
]


_END_WAITS = 20  # times `lock_wait_s`


class Journal:
    """An open journal. `close` it, or let the process end."""

    def __init__(
        self,
        path: Path | str,
        lock_wait_s: float = 30.0,
        clock: Callable[[], float] = time.time,
        ballast_bytes: int = BALLAST_BYTES,
        writer: str | None = None,
    ) -> None:
        """Opens or makes the file, as `JournalFile` does. Raises `JournalCorrupt`, `JournalVersionMismatch`,
        `JournalDiskFull`."""
        self._file = JournalFile(path, lock_wait_s, ballast_bytes, writer)
        self._clock = clock

    def close(self) -> None:
        """Ends the writing. A second call does nothing."""
        self._file.close()

    def lookup(self, keys: Sequence[str], places: Sequence[str] = ()) -> list[Outcome | None]:
        """The final outcome of each request: its reply, or a failure that would come again at every one of `places`
        (fingerprints of those that may be asked). None: it may be asked."""
        with self._file.errors():
            return [self._final(_row_of(self._file.db, key), places) for key in keys]

    def start(self, sendings: Sequence[Sending]) -> list[Outcome | StartRefusal | None]:
        """Records what is about to be sent. For each: None, it may be sent; its outcome, it is answered already (that
        is counted) or has failed for good; or why it may not be sent now.

        Raises `JournalDiskFull` when a reply might not find room."""
        self._file.ensure_ballast()
        capped = any(sending.cap is not None for sending in sendings)  # what is booked must be there after a power cut
        with self._file.transaction(durable=capped) as db:
            spending = RunSpending(db)
            answers = [self._start(db, spending, sending) for sending in sendings]
            spending.write()
        return answers

    def end(self, ended: Sequence[Ended]) -> None:
        """Records outcomes, durably. The first reply to a request stays; after a failure that is not final it may be
        asked again. What was paid for waits longer for another writer than anything else does. Raises `JournalError`
        for a sending that was never started."""
        waited = 0
        while True:
            try:
                self._end_all(ended)
                return
            except JournalDiskFull:
                if not self._file.drop_ballast():
                    raise
            except JournalBusy:
                waited += 1
                if waited == _END_WAITS:
                    raise

    def sums(self, run: str | None = None) -> JournalSums:
        """What was asked, answered and spent; with `run`, of what that run sent."""
        return sums_of(self._file.path, run)

    def spending(self, run: str | None = None) -> Spending:
        """What `run` has spent, or all runs together."""
        where, values = ("WHERE run = ?", (run,)) if run is not None else ("", ())
        with self._file.errors():
            settled, reserved = self._file.db.execute(
                f"SELECT COALESCE(SUM(settled), 0), COALESCE(SUM(reserved), 0) FROM spending {where}", values
            ).fetchone()
        return Spending(dollars(settled), dollars(reserved))

    # Batches ---------------------------------------------------------------------------------------------------------

    def batch_made(self, id: str, endpoint: str, run: str, sends: Mapping[str, str]) -> None:
        """Records a batch before it is handed over. Its sendings are started already."""
        with self._file.transaction(durable=True) as db:
            db.execute(
                "INSERT OR IGNORE INTO batches (id, endpoint, run, sends, created_at) VALUES (?, ?, ?, ?, ?)",
                (id, endpoint, run, json.dumps(dict(sends)), self._clock()),
            )

    def batch_sent(self, id: str, remote_id: str) -> None:
        """Records what the provider calls the batch, durably, before any request waits for it."""
        with self._file.transaction(durable=True) as db:
            db.execute("UPDATE batches SET remote_id = ? WHERE id = ?", (remote_id, id))

    def batch_ended(self, id: str) -> None:
        """The outcome of everything in the batch is recorded, or it was never handed over."""
        with self._file.transaction(durable=True) as db:
            db.execute("UPDATE batches SET ended_at = ? WHERE id = ? AND ended_at IS NULL", (self._clock(), id))

    def open_batches(self, endpoint: str) -> list[OpenBatch]:
        """What was handed to `endpoint` and has not ended, the oldest first, each with the sendings that have not."""
        with self._file.errors():
            rows = self._file.db.execute(
                "SELECT id, remote_id, sends, created_at FROM batches WHERE endpoint = ? AND ended_at IS NULL "
                "ORDER BY created_at",
                (endpoint,),
            ).fetchall()
            try:
                found = [(id, remote_id, batch_of(sends), at) for id, remote_id, sends, at in rows]
            except ValueError as error:
                raise damaged(self._file.path, f"an open batch to {endpoint}: {error}") from error
            return [OpenBatch(id, remote_id, self._open_sends(sends), at) for id, remote_id, sends, at in found]

    def requests(self, keys: Sequence[str]) -> dict[str, TeacherRequest]:
        """The requests with these keys, as they were asked; without those that cannot be read."""
        found = {}
        with self._file.errors():
            for key in keys:
                row = self._file.db.execute("SELECT request FROM calls WHERE key = ?", (key,)).fetchone()
                with contextlib.suppress(ValueError):
                    found[key] = request_of(parsed(row[0] if row else None, "request"))
        return found

    def _open_sends(self, sends: Mapping[str, str]) -> dict[str, str]:
        ended = "SELECT ended_at IS NOT NULL FROM sends WHERE id = ?"
        return {key: id for key, id in sends.items() if self._file.db.execute(ended, (id,)).fetchone() != (1,)}

    # One row ---------------------------------------------------------------------------------------------------------

    def _start(self, db: sqlite3.Connection, spending: RunSpending, sending: Sending) -> Outcome | StartRefusal | None:
        row = _row_of(db, sending.key)
        outcome = self._final(row, sending.places)
        if outcome is not None:
            db.execute("UPDATE calls SET sends_refused = sends_refused + 1 WHERE key = ?", (sending.key,))
            return outcome
        if row is not None and row.last_send == sending.id:
            return None  # announced before, by a call whose answer was lost
        unknown = row is not None and row.status == "started"
        if unknown and self._in_flight_elsewhere(db, sending.key):
            return StartRefusal.IN_FLIGHT
        worst_cost = spending.overrun(sending.endpoint, sending.request.model).over(sending.worst_cost)
        refused = self._refused_for_money(db, spending, sending, worst_cost)
        if refused is not None:
            return refused
        now = self._clock()
        if row is None:
            db.execute(
                "INSERT INTO calls (key, status, request, sends, last_send, started_at) "
                "VALUES (?, 'started', ?, 1, ?, ?)",
                (sending.key, json.dumps(sending.request.as_json()), sending.id, now),
            )
        else:
            db.execute(
                "UPDATE calls SET status = 'started', sends = sends + 1, last_send = ?, started_at = ?, "
                "sends_after_unknown = sends_after_unknown + ? WHERE key = ?",
                (sending.id, now, unknown, sending.key),
            )
        db.execute(
            "INSERT INTO sends (id, key, run, writer, endpoint, started_at, worst_cost) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (sending.id, sending.key, sending.run, self._file.writer, sending.endpoint, now, worst_cost),
        )
        spending.reserve(sending.run, worst_cost)
        return None

    def _final(self, row: _Row | None, places: Sequence[str]) -> Outcome | None:
        """The outcome that stays, where there is one."""
        if row is None:
            return None
        try:
            if row.status == "answered":
                return dataclasses.replace(reply_of(row.key, parsed(row.reply, "reply")), from_journal=True)
            if row.status != "failed" or row.failure_kind is None:
                return None
            kind, refusals = FailureKind(row.failure_kind), refusals_of(row.failure_places)
        except ValueError as error:
            raise damaged(self._file.path, f"request {row.key}: {error}") from error
        if not stays(kind, refusals, places):
            return None
        return TeacherFailure(row.key, kind, message_of(row.failure_message, refusals, places), row.failure_attempts)

    def _in_flight_elsewhere(self, db: sqlite3.Connection, key: str) -> bool:
        """Whether another living process than this one sent `key` last. One's own that has not ended is lost: a worker
        died, or it would not ask."""
        found = db.execute(
            "SELECT writer FROM sends JOIN calls ON sends.id = calls.last_send WHERE calls.key = ?", (key,)
        ).fetchone()
        return found is not None and found[0] != self._file.writer and self._file.lives(found[0])

    def _refused_for_money(
        self, db: sqlite3.Connection, spending: RunSpending, sending: Sending, worst_cost: int
    ) -> StartRefusal | None:
        if sending.cap is None:
            return None
        if spending.booked(sending.run) + worst_cost <= sending.cap:
            return None
        writers = db.execute(
            "SELECT DISTINCT writer FROM sends WHERE run = ? AND ended_at IS NULL", (sending.run,)
        ).fetchall()
        return (
            StartRefusal.NO_MONEY_YET
            if any(self._file.lives(writer) for (writer,) in writers)
            else StartRefusal.NO_MONEY
        )

    def _end_all(self, ended: Sequence[Ended]) -> None:
        with self._file.transaction(durable=True) as db:
            spending = RunSpending(db)
            for one in ended:
                self._end(db, spending, one)
            spending.write()

    def _end(self, db: sqlite3.Connection, spending: RunSpending, ended: Ended) -> None:
        key, now = ended.outcome.key, self._clock()
        sent = db.execute(
            "SELECT run, endpoint, worst_cost, ended_at FROM sends WHERE id = ? AND key = ?", (ended.id, key)
        ).fetchone()
        if sent is None:
            raise JournalError(
                f"{self._file.path}: request {key} ended but was never started: call start before sending"
            )
        run, endpoint, worst_cost, ended_at = sent
        if ended_at is not None:
            return  # recorded before, by a call whose answer was lost
        cost = worst_cost if ended.cost is None else ended.cost
        db.execute(
            "UPDATE sends SET ended_at = ?, outcome = ?, prompt_tokens = ?, completion_tokens = ?, cost = ? "
            "WHERE id = ?",
            (
                now,
                "answered" if isinstance(ended.outcome, TeacherReply) else ended.outcome.kind.value,
                ended.prompt_tokens,
                ended.completion_tokens,
                cost,
                ended.id,
            ),
        )
        spending.settle(run, worst_cost, cost)
        if cost > worst_cost > 0 and ended.typical:
            spending.learn_overrun(endpoint, key, worst_cost, cost, self._file.lives)
        if isinstance(ended.outcome, TeacherReply):
            self._record_reply(db, ended.outcome, now)
        else:
            self._record_failure(db, ended.outcome, now, ended, endpoint)

    def _record_reply(self, db: sqlite3.Connection, reply: TeacherReply, now: float) -> None:
        db.execute(
            "UPDATE calls SET status = 'answered', reply = ?, prompt_tokens = ?, completion_tokens = ?, ended_at = ? "
            "WHERE key = ? AND status != 'answered'",
            (reply_json(reply), reply.prompt_tokens, reply.completion_tokens, now, reply.key),
        )

    def _record_failure(
        self, db: sqlite3.Connection, failure: TeacherFailure, now: float, ended: Ended, endpoint: str
    ) -> None:
        # Only the last sending decides: a failure that comes late must not hide one that is in flight again.
        last = "WHERE key = ? AND status != 'answered' AND last_send = ?"
        found = db.execute(f"SELECT failure_places FROM calls {last}", (failure.key, ended.id)).fetchone()
        if found is None:
            return
        places = with_refusal(found[0], ended.place, endpoint, failure)
        db.execute(
            "UPDATE calls SET status = 'failed', failure_kind = ?, failure_message = ?, failure_attempts = ?, "
            f"failure_places = ?, ended_at = ? {last}",
            (failure.kind.value, storable(failure.message), failure.attempts, places, now, failure.key, ended.id),
        )


class JournalHandle(Protocol):
    """The handle of a `Journal` that is an actor."""

    lookup: RemoteMethod[[Sequence[str], Sequence[str]], list[Outcome | None]]
    start: RemoteMethod[[Sequence[Sending]], list[Outcome | StartRefusal | None]]
    end: RemoteMethod[[Sequence[Ended]], None]
    sums: RemoteMethod[[str | None], JournalSums]
    spending: RemoteMethod[[str | None], Spending]
    batch_made: RemoteMethod[[str, str, str, Mapping[str, str]], None]
    batch_sent: RemoteMethod[[str, str], None]
    batch_ended: RemoteMethod[[str], None]
    open_batches: RemoteMethod[[str], list[OpenBatch]]
    requests: RemoteMethod[[Sequence[str]], dict[str, TeacherRequest]]
    close: RemoteMethod[[], None]


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    status: str
    reply: str | None
    failure_kind: str | None
    failure_message: str
    failure_attempts: int
    last_send: str
    failure_places: str | None


def _row_of(db: sqlite3.Connection, key: str) -> _Row | None:
    found = db.execute(
        "SELECT key, status, reply, failure_kind, failure_message, failure_attempts, last_send, failure_places "
        "FROM calls WHERE key = ?",
        (key,),
    ).fetchone()
    return _Row(*found) if found else None
