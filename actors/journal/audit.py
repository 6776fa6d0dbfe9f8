"""A journal looked over, page by page and row by row: whether it is sound.

Owns: the rules that a sound journal keeps.

Invariants
- A journal is only read, as one snapshot: what a run writes meanwhile is neither waited for nor half seen.
- Every fault names its place, and one fault does not hide the others.
- What a crash leaves, a sending with an unknown outcome, is reported but is not a fault.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from actors.journal.failures import refusals_of
from actors.journal.lost import lost_in
from actors.journal.reader import Writers, batch_of, parsed, reading, reply_of, request_of
from actors.journal.sums import IN_OPEN_BATCHES, sending_sums
from reasoning.files.data_error import Fault
from reasoning.teacher.calls import FailureKind

_KINDS = frozenset(map(str, FailureKind))


@dataclass(frozen=True, slots=True)
class UnknownSending:
    """A sending whose process ended before its outcome was recorded. Its worst case stays reserved, in nanodollars."""

    id: str
    key: str
    run: str
    endpoint: str
    started_at: float
    worst_cost: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. The journal is sound when there is no fault; unknown sendings are none. `in_flight` and
    `in_batch` count sendings that a living process or a batch at the provider still waits for."""

    requests: int
    sendings: int
    in_flight: int
    in_batch: int
    unknown: tuple[UnknownSending, ...]
    faults: tuple[Fault, ...]


def audit(path: Path) -> Audit:
    """Looks at every page and row of the journal at `path`. Damage is a fault where the file can be opened at all.
    Raises `JournalError`."""
    writers, found = Writers(path), _Found()
    with reading(path) as db:
        try:
            for (said,) in db.execute("PRAGMA integrity_check"):
                if said != "ok":
                    found.faults.append(Fault("the file", " ".join(said.split())))
            for check in (_requests, _statuses, _sendings, _spending, _batches):
                found.faults += check(db, found)
            _open_sendings(db, writers, found)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorname", "") or ""
            if not code.startswith("SQLITE_CORRUPT"):
                raise
            found.faults.append(Fault("the file", f"damaged ({error}): nothing after this point can be read"))
    return Audit(
        found.requests, found.sendings, found.in_flight, found.in_batch, tuple(found.unknown), tuple(found.faults)
    )


# Checks ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    requests: int = 0
    sendings: int = 0
    in_flight: int = 0
    in_batch: int = 0
    unknown: list[UnknownSending] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def _requests(db: sqlite3.Connection, found: _Found) -> Iterator[Fault]:
    """Every row for itself: its key, its reply, and the columns that its status calls for."""
    rows = db.execute(
        "SELECT key, status, request, reply, prompt_tokens, completion_tokens, failure_kind, failure_message, "
        "failure_attempts, ended_at, failure_places FROM calls ORDER BY key"
    )
    for (
        key,
        status,
        request,
        reply,
        prompt_tokens,
        completion_tokens,
        kind,
        message,
        attempts,
        ended_at,
        places,
    ) in rows:
        found.requests += 1
        place = f"request {key}"
        try:
            its_key = request_of(parsed(request, "request")).key
            if its_key != key:
                yield Fault(place, f"its key does not match its request, whose key is {its_key}")
            if status == "answered":
                whole = reply_of(key, parsed(reply, "reply"))
                if (whole.prompt_tokens, whole.completion_tokens) != (prompt_tokens, completion_tokens):
                    yield Fault(place, "its token counts differ from those of its reply")
            elif reply is not None:
                yield Fault(place, f"it is {status}, but has a reply")
            refusals_of(places)
        except ValueError as error:
            yield Fault(place, str(error))
        if status == "failed" and (kind not in _KINDS or message is None or attempts is None):
            yield Fault(place, f"it has failed, but its failure is incomplete (kind {kind!r})")
        if status != "started" and ended_at is None:
            yield Fault(place, f"it is {status}, but has no end time")


def _statuses(db: sqlite3.Connection, found: _Found) -> Iterator[Fault]:
    """Requests against their sendings. What is older than the account of sendings, or imported, has none."""
    for (key,) in db.execute(
        "SELECT key FROM calls WHERE key IN (SELECT key FROM sends) AND NOT EXISTS "
        "(SELECT 1 FROM sends WHERE sends.id = calls.last_send AND sends.key = calls.key)"
    ):
        yield Fault(f"request {key}", "its last sending is not among its sendings")
    for key, status, ended_at in db.execute(
        "SELECT calls.key, status, sends.ended_at FROM calls JOIN sends ON sends.id = last_send "
        "WHERE status = 'started' AND sends.ended_at IS NOT NULL OR status = 'failed' AND sends.ended_at IS NULL"
    ):
        how = "has not ended" if ended_at is None else "has ended"
        yield Fault(f"request {key}", f"it is {status}, but its last sending {how}")


def _sendings(db: sqlite3.Connection, found: _Found) -> Iterator[Fault]:
    """Every sending for itself, and against its request."""
    rows = db.execute(
        "SELECT id, sends.key, outcome, sends.ended_at, calls.status FROM sends LEFT JOIN calls USING (key) ORDER BY id"
    )
    for id, key, outcome, ended_at, status in rows:
        found.sendings += 1
        place = f"request {key}, sending {id}"
        if status is None:
            yield Fault(place, "there is no such request")
        if (ended_at is None) != (outcome is None):
            yield Fault(place, "it has an outcome or an end time, but not both")
        elif outcome is not None and outcome not in {"answered", *_KINDS}:
            yield Fault(place, f"its outcome is {outcome!r}, which is not a known outcome")
        if outcome == "answered" and status not in ("answered", None):
            yield Fault(place, f"it was answered, but its request is {status}")


def _spending(db: sqlite3.Connection, found: _Found) -> Iterator[Fault]:
    booked = {run: (settled, reserved) for run, settled, reserved in db.execute("SELECT * FROM spending")}
    summed = {run: (sums.settled, sums.reserved) for run, sums in sending_sums(db, "run").items()}
    for lost in lost_in(db):
        settled, reserved = summed.get(lost.run, (0, 0))
        summed[lost.run] = (settled + lost.booked, reserved)
    for run in sorted(booked.keys() | summed.keys()):
        there, wanted = booked.get(run, (0, 0)), summed.get(run, (0, 0))
        for what, is_, should in zip(("settled", "reserved"), there, wanted, strict=True):
            if is_ != should:
                yield Fault(f"run {run!r}", f"{is_} nanodollars {what}, but its sendings add up to {should}")


def _batches(db: sqlite3.Connection, found: _Found) -> Iterator[Fault]:
    known = "SELECT 1 FROM sends WHERE id = ? AND key = ?"
    for id, sends in db.execute("SELECT id, sends FROM batches ORDER BY id"):
        try:
            missing = [
                key for key, sending in batch_of(sends).items() if not db.execute(known, (sending, key)).fetchone()
            ]
        except ValueError as error:
            yield Fault(f"batch {id}", str(error))
            continue
        if missing:
            yield Fault(
                f"batch {id}", f"{len(missing)} of its sendings are missing, the first for request {missing[0]}"
            )


def _open_sendings(db: sqlite3.Connection, writers: Writers, found: _Found) -> None:
    for writer, in_batch, *columns in db.execute(
        f"SELECT writer, id IN ({IN_OPEN_BATCHES}), id, key, run, endpoint, started_at, worst_cost FROM sends "
        "WHERE ended_at IS NULL ORDER BY started_at, id"
    ):
        if writers.live(writer):
            found.in_flight += 1
        elif in_batch:
            found.in_batch += 1
        else:
            found.unknown.append(UnknownSending(*columns))
