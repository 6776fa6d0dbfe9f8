"""What `tailor journal` says on the terminal: tables of what was asked and spent, counts, faults.

Owns: which file a path stands for, and the words. The work on the file is `actors.journal.sums`,
`actors.journal.transfer`, `actors.journal.audit` and `actors.journal.retry`.

Invariant: text from a journal (names of runs, messages) is printed literally, never as markup.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from actors.journal.audit import Audit, UnknownSending, audit
from actors.journal.database import JournalError
from actors.journal.retry import FailureCount, clear_failures, failure_counts
from actors.journal.sums import JournalSums, RequestCounts, SendingSums, sums_of
from actors.journal.transfer import export_journal, import_journal
from actors.storage.keeping import Home
from pipelines.command_line.answer import Answer
from reasoning.fine_tune_cot.directory import CotDirectory, is_cot_directory
from reasoning.rounds.directory import RunDirectory
from reasoning.teacher.calls import FailureKind
from reasoning.teacher.prices import dollars

_UNNAMED = "(no name)"


def journal_at(path: Path) -> Path:
    """The file that `path` stands for: itself, or the journal that the run in this folder uses, which its recipe may
    name. Raises `RunDirectoryError` for a damaged recipe, `JournalError` for a folder of something else."""
    path = path.expanduser()
    if not path.is_dir():
        return path
    directory = CotDirectory(path) if is_cot_directory(path) else RunDirectory(path)
    if directory.recipe_file.is_file():
        shared = directory.recipe().storage.journal
        journal = Home(path, shared_journal=shared).journal
        return (
            journal if shared is not None or journal.is_file() else directory.journal
        )  # of a network's disk, the copy
    if not directory.journal.is_file():
        raise JournalError(
            f"{path}: not a run's folder (no recipe.yaml), and it contains no {directory.journal.name}. "
            "Give the journal's file"
        )
    return directory.journal


def spent_by(folder: Path) -> JournalSums | None:
    """What the run in `folder` asked and spent; None where its journal is not at hand."""
    directory = CotDirectory(folder) if is_cot_directory(folder) else RunDirectory(folder)
    try:
        journal = journal_at(folder)
        return sums_of(journal, directory.recipe().name) if journal.is_file() else None
    except JournalError:
        return None


def stats(path: Path, run: str | None) -> Answer:
    """The sums over a journal; with `run`, over what was sent in its name. Raises `JournalError`,
    `RunDirectoryError`."""
    journal = journal_at(path)
    sums = sums_of(journal, run)
    if run is not None and not sums.runs:
        known = ", ".join(name or _UNNAMED for name in sums_of(journal).runs) or "none"
        raise JournalError(f"{journal}: run {run!r} sent nothing. Runs in this journal: {known}")
    return Answer(_as_json(journal, run, sums), lambda console: _show_stats(journal, run, sums, console))


def _show_stats(journal: Path, run: str | None, sums: JournalSums, console: Console) -> None:
    console.print(f"{journal}{f', what {run} sent' if run is not None else ''}", soft_wrap=True, markup=False)
    console.print(_requests_table(sums.requests))
    if sums.all.sendings:
        console.print(_sendings_table(sums))
        console.print(_outcomes(sums.outcomes), soft_wrap=True, markup=False)
    if sums.lost_answers:
        console.print(
            f"Lost with a disk, after the last copy of the journal: {sums.lost_answers:,} replies; what they cost is "
            "counted as spent.",
            soft_wrap=True,
            markup=False,
        )


def export_answers(path: Path, out: Path, failures: bool) -> Answer:
    """Writes a journal's answers to `out`. Raises `JournalError`, `RunDirectoryError`."""
    written = export_journal(journal_at(path), out.expanduser(), failures)
    also = f" and {written.failures} failures" if failures else ""
    return _said({"out": out, **asdict(written)}, f"{out}: {written.answers} answers{also}")


def import_answers(file: Path, path: Path) -> Answer:
    """Puts the answers of `file` into a journal. Raises `DataError`, `JournalError`, `RunDirectoryError`."""
    journal = journal_at(path)
    found = import_journal(journal_at(file), journal)
    counts = f"{found.imported} imported, {found.already_there} already there, {found.differing} differing"
    stays = " (what is there stays)" if found.differing else ""
    return _said({"journal": journal, **asdict(found)}, f"{journal}: {counts}{stays}")


def verify(path: Path) -> Answer:
    """Looks over a journal: each fault, or that there is none. The exit code is 1 where there is one. Raises
    `JournalError`, `RunDirectoryError`."""
    journal = journal_at(path)
    found = audit(journal)
    document = {"journal": journal, "sound": not found.faults, **asdict(found), "faults": list(map(str, found.faults))}
    return Answer(document, lambda console: _show_audit(journal, found, console), 1 if found.faults else 0)


def _show_audit(journal: Path, found: Audit, console: Console) -> None:
    for fault in found.faults:
        console.print(f"[red]fault:[/red] {escape(str(fault))}", soft_wrap=True, highlight=False)
    for sending in found.unknown:
        console.print(_unknown(sending), soft_wrap=True, markup=False, highlight=False)
    verdict = f"{len(found.faults)} faults" if found.faults else "sound"
    console.print(
        f"{journal}: {verdict}; {found.requests} requests, {found.sendings} sendings, {found.in_flight} in flight, "
        f"{found.in_batch} in batches, {len(found.unknown)} with an unknown outcome",
        soft_wrap=True,
        markup=False,
    )


def retry_failures(path: Path, kinds: Sequence[str], run: str | None, dry_run: bool) -> Answer:
    """Clears failures of these kinds (none: of all), or with `dry_run` counts them, and says what there was. Raises
    `JournalError`, `RunDirectoryError`."""
    journal, known = journal_at(path), [str(kind) for kind in FailureKind]
    kinds = [kind.strip() for several in kinds for kind in several.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, n=1) or [", ".join(known)]
        raise JournalError(f"--kind: {unknown[0]!r} is not a kind of failure. Did you mean {near[0]}?")
    wanted = [FailureKind(kind) for kind in kinds]
    found = failure_counts(journal, run) if dry_run else clear_failures(journal, wanted, run)
    counts = [count for count in found if not wanted or count.kind in wanted]
    document = {"journal": journal, "dry_run": dry_run, "cleared": sum(count.kept for count in counts), "kinds": counts}
    return Answer(document, lambda console: _show_retried(journal, counts, dry_run, console))


def _show_retried(journal: Path, counts: Sequence[FailureCount], dry_run: bool, console: Console) -> None:
    table = Table(title="Failed requests", title_justify="left")
    table.add_column("kind")
    for heading in ("failed", "would be cleared" if dry_run else "cleared", "asked again anyway"):
        table.add_column(heading, justify="right")
    for count in counts:
        table.add_row(escape(count.kind), f"{count.failed:,}", f"{count.kept:,}", f"{count.failed - count.kept:,}")
    if counts:
        console.print(table)
    cleared = sum(count.kept for count in counts)
    what = "failures would be cleared" if dry_run else "failures cleared: they are asked again when the run goes on"
    console.print(f"{journal}: {cleared:,} {what}", soft_wrap=True, markup=False)


def _said(document: object, line: str) -> Answer:
    return Answer(document, lambda console: console.print(line, soft_wrap=True, markup=False))


def _unknown(sending: UnknownSending) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(sending.started_at))
    return (
        f"unknown: request {sending.key}, sending {sending.id} of run {sending.run or _UNNAMED} to "
        f"{sending.endpoint or _UNNAMED} at {at}: its process ended before the outcome was recorded; "
        f"{_money(sending.worst_cost)} stay reserved"
    )


def _requests_table(requests: RequestCounts) -> Table:
    table = Table(title="Requests", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("how many", justify="right", no_wrap=True)
    failed = {f"failed: {kind}": count for kind, count in requests.failed.items()}
    rows = {
        "answered": requests.answered,
        "  cut off at max_tokens": requests.truncated,
        "  imported": requests.imported,
        **failed,
        "in flight": requests.in_flight,
        "in a batch at the provider": requests.in_batch,
        "lost: sent, outcome unknown": requests.lost,
        "sent more than once": requests.sent_more_than_once,
        "prompt tokens of the answers": requests.prompt_tokens,
        "completion tokens of the answers": requests.completion_tokens,
    }
    for what, count in rows.items():
        table.add_row(escape(what), f"{count:,}")
    return table


def _sendings_table(sums: JournalSums) -> Table:
    table = Table(title="Sendings", title_justify="left")
    table.add_column("", overflow="fold")
    for heading in ("sendings", "open", "tokens in", "tokens out", "settled", "reserved"):
        table.add_column(heading, justify="right", no_wrap=True)
    _add(table, "in all", sums.all)
    table.add_section()
    for run, of_run in sums.runs.items():
        _add(table, f"run {run or _UNNAMED}", of_run)
    table.add_section()
    for endpoint, of_endpoint in sums.endpoints.items():
        _add(table, f"endpoint {endpoint or _UNNAMED}", of_endpoint)
    return table


def _add(table: Table, name: str, sums: SendingSums) -> None:
    counts = (sums.sendings, sums.open, sums.prompt_tokens, sums.completion_tokens)
    table.add_row(escape(name), *(f"{count:,}" for count in counts), _money(sums.settled), _money(sums.reserved))


def _outcomes(outcomes: Mapping[str, int]) -> str:
    return "Sendings by outcome: " + ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.items())


def _money(nanodollars: int) -> str:
    return f"${dollars(nanodollars):,.4f}"


def _as_json(journal: Path, run: str | None, sums: JournalSums) -> dict[str, Any]:
    return {
        "journal": str(journal),
        "run": run,
        "requests": asdict(sums.requests),
        "all": _sums_json(sums.all),
        "runs": {name: _sums_json(of_run) for name, of_run in sums.runs.items()},
        "endpoints": {name: _sums_json(of_endpoint) for name, of_endpoint in sums.endpoints.items()},
        "outcomes": dict(sums.outcomes),
        "lost_answers": sums.lost_answers,
    }


def _sums_json(sums: SendingSums) -> dict[str, Any]:
    """Money in dollars."""
    return {**asdict(sums), "settled": dollars(sums.settled), "reserved": dollars(sums.reserved)}
