"""What a journal comes to: requests by what became of them, sendings and money by run and by endpoint.

Owns: the sums that `tailor journal stats` shows.

Invariants
- All sums are of one snapshot. Money is added up in whole nanodollars.
- A run's money is what its cap is held against (`spending`); an endpoint's is summed from the sendings.
- Whether a request without an outcome is in flight or lost is decided by its writer's mark: nothing is guessed by time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from actors.journal.lost import lost_in
from actors.journal.reader import Writers, reading
from reasoning.teacher.finish_reasons import is_whole

# The sendings that an open batch has.
IN_OPEN_BATCHES = (
    "SELECT each.value FROM batches, json_each(IIF(json_valid(batches.sends), batches.sends, '{}')) AS each "
    "WHERE batches.ended_at IS NULL"
)


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests by what became of them. `truncated` and `imported` are among the `answered`; an imported one was never
    sent from here. `in_flight`: a living process waits for it. `in_batch`: a batch that was handed to a provider has
    it, and the next run fetches what came of it. `lost`: its process ended, and no outcome is recorded. `sent_again`
    counts sendings after one whose outcome was never learnt, `refused` attempts to send an answered request, of which
    none was sent. Tokens are those of the recorded replies."""

    answered: int
    truncated: int
    imported: int
    failed: Mapping[str, int]
    in_flight: int
    in_batch: int
    lost: int
    sent_more_than_once: int
    sent_again: int
    refused: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def unknown(self) -> int:
        """Sent, without an outcome by now."""
        return self.in_flight + self.in_batch + self.lost


@dataclass(frozen=True, slots=True)
class SendingSums:
    """Sums over sendings. Tokens are those that were paid for. Money in nanodollars: `settled` for those that have
    ended, `reserved` as the worst case of the `open` ones."""

    sendings: int = 0
    open: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    settled: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class JournalSums:
    """What was asked, answered and spent; of one run alone where that was asked for. `outcomes` counts sendings by how
    they ended ("unknown": they have not). `lost_answers`: replies that were recorded on a disk that is gone, after the
    last copy of the journal; what they cost is in the money of `runs`."""

    requests: RequestCounts
    all: SendingSums
    runs: Mapping[str, SendingSums]
    endpoints: Mapping[str, SendingSums]
    outcomes: Mapping[str, int]
    lost_answers: int = 0


def sums_of(path: Path, run: str | None = None) -> JournalSums:
    """The sums over the journal at `path`; with `run`, over what was sent in its name. Raises `JournalError`."""
    writers = Writers(path)
    with reading(path) as db:
        by_run = _booked(db, sending_sums(db, "run", run))
        return JournalSums(
            requests=_request_counts(db, writers, run),
            all=_added(by_run),
            runs=by_run,
            endpoints=sending_sums(db, "endpoint", run),
            outcomes=dict(
                db.execute(
                    "SELECT COALESCE(outcome, 'unknown'), COUNT(*) FROM sends WHERE ?1 IS NULL OR run = ?1 "
                    "GROUP BY 1 ORDER BY 2 DESC, 1",
                    (run,),
                )
            ),
            lost_answers=sum(lost.answered for lost in lost_in(db, run)),
        )


def in_open_batches(path: Path, run: str) -> int:
    """How many requests of `run` are in batches that were handed over and have not ended; none where there is no
    journal. Raises `JournalError`."""
    if not path.is_file():
        return 0
    with reading(path) as db:
        (found,) = db.execute(
            f"SELECT COUNT(*) FROM sends WHERE run = ? AND id IN ({IN_OPEN_BATCHES})", (run,)
        ).fetchone()
    return int(found)


def _request_counts(db: sqlite3.Connection, writers: Writers, run: str | None) -> RequestCounts:
    db.create_function("cut_off", 1, _cut_off, deterministic=True)
    of_run = "(?1 IS NULL OR key IN (SELECT key FROM sends WHERE run = ?1))"
    answered, truncated, imported, more_than_once, again, refused, prompt_tokens, completion_tokens = db.execute(
        "SELECT COALESCE(SUM(status = 'answered'), 0), "
        "COALESCE(SUM(status = 'answered' AND IIF(json_valid(reply), cut_off(reply ->> '$.finish_reason'), 0)), 0), "
        "COALESCE(SUM(status = 'answered' AND sends = 0), 0), COALESCE(SUM(sends > 1), 0), "
        "COALESCE(SUM(sends_after_unknown), 0), COALESCE(SUM(sends_refused), 0), "
        f"COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0) FROM calls WHERE {of_run}",
        (run,),
    ).fetchone()
    failed = db.execute(
        f"SELECT failure_kind, COUNT(*) FROM calls WHERE status = 'failed' AND {of_run} GROUP BY 1 ORDER BY 2 DESC, 1",
        (run,),
    )
    counts = {str(kind): count for kind, count in failed}
    started = db.execute(
        "SELECT (SELECT writer FROM sends WHERE id = last_send), "
        f"last_send IN ({IN_OPEN_BATCHES}), COUNT(*) FROM calls WHERE status = 'started' AND {of_run} GROUP BY 1, 2",
        (run,),
    ).fetchall()
    in_flight = sum(count for writer, _, count in started if writer is not None and writers.live(writer))
    in_batch = sum(count for writer, batch, count in started if batch and not writers.live(writer))
    return RequestCounts(
        answered=answered,
        truncated=truncated,
        imported=imported,
        failed=counts,
        in_flight=in_flight,
        in_batch=in_batch,
        lost=sum(count for *_, count in started) - in_flight - in_batch,
        sent_more_than_once=more_than_once,
        sent_again=again,
        refused=refused,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def _cut_off(finish_reason: object) -> bool:
    """Whether a reply is not known to be whole."""
    return not is_whole(str(finish_reason))


def sending_sums(db: sqlite3.Connection, column: str, run: str | None = None) -> dict[str, SendingSums]:
    """Sums over the sendings, by the values of `column`; with `run`, over that run's."""
    rows = db.execute(
        f"SELECT {column}, COUNT(*), SUM(ended_at IS NULL), SUM(prompt_tokens), SUM(completion_tokens), "
        "SUM(IIF(ended_at IS NULL, 0, cost)), SUM(IIF(ended_at IS NULL, worst_cost, 0)) "
        f"FROM sends WHERE ?1 IS NULL OR run = ?1 GROUP BY {column} ORDER BY {column}",
        (run,),
    )
    return {name: SendingSums(*numbers) for name, *numbers in rows}


def _added(parts: Mapping[str, SendingSums]) -> SendingSums:
    names = SendingSums.__dataclass_fields__
    return SendingSums(**{name: sum(getattr(part, name) for part in parts.values()) for name in names})


def _booked(db: sqlite3.Connection, by_run: Mapping[str, SendingSums]) -> dict[str, SendingSums]:
    booked = {run: (settled, reserved) for run, settled, reserved in db.execute("SELECT * FROM spending")}
    there = {run: booked.get(run, (0, 0)) for run in by_run}
    return {run: replace(by_run[run], settled=settled, reserved=reserved) for run, (settled, reserved) in there.items()}
