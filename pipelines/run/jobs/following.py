"""Following a submitted run's log until it ends, or until the reader leaves.

Owns: which lines are the run's, what is said while nothing has begun, and how a broken connection is taken up again.

Invariants
- Every line of the run is shown once, however often the connection breaks, and where none comes about (a proxy that
  lets no websocket through). Ray's own lines are left out.
- Leaving changes nothing of the run.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from pipelines.run.jobs.cluster_token import ClusterError
from pipelines.run.jobs.server import JobServer, SubmittedRun

Say = Callable[[str], None]

_RAYS_OWN = re.compile(
    r"\d{4}-\d\d-\d\d [\d:,]+\s+(?:INFO|WARNING)\s+(?:job_manager|worker)\.py|Running entrypoint for job |\(raylet\b"
    r"|\[\d{4}-\d\d-\d\d [\d:,]+ [A-Z] \d+ \d+\] |\*\*\* SIG\w+ received at time=|PC: @ |\s+@ +0x[0-9a-f]+ "
)
POLL_S = 2.0
_TAIL_S = 5.0  # the last lines come within this time of the run's end
_WAITING_S = 20.0  # between two words on what is waited for
STOPPING_S = 90.0  # longer than the job server waits before it kills
PATIENCE_S = 120.0  # with a job server that does not answer


class Lines:
    """Pieces of a log made into lines of the run. A log that begins anew is skipped up to where it was."""

    def __init__(self) -> None:
        self._seen = 0  # characters, of all connections
        self._at = 0  # of this connection
        self._rest = ""

    def begin_anew(self) -> None:
        self._at = 0

    def of(self, piece: str) -> Iterator[str]:
        new = piece[max(0, self._seen - self._at) :]
        self._at += len(piece)
        self._seen = max(self._seen, self._at)
        *whole, self._rest = (self._rest + new).split("\n")
        return (line for line in whole if is_of_the_run(line))

    def last(self) -> Iterator[str]:
        """What the log ended with, where that is no whole line."""
        rest, self._rest = self._rest, ""
        return iter([rest] if rest and is_of_the_run(rest) else [])


def lines_of(log: str) -> Iterator[str]:
    """The run's lines in a whole log."""
    lines = Lines()
    yield from lines.of(log)
    yield from lines.last()


def is_of_the_run(line: str) -> bool:
    """Whether a line of a job's log is the run's and not Ray's."""
    return _RAYS_OWN.match(_COLOURS.sub("", line)) is None


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def follow(server: JobServer, run: SubmittedRun, say: Say) -> SubmittedRun:
    """Says the run's lines as they come; how it ended. Raises `ClusterError` when the server is gone for two minutes
    (the run may go on all the same)."""
    return asyncio.run(_follow(server, run, say))


def stopped(server: JobServer, run: SubmittedRun) -> SubmittedRun:
    """Stops a submission and waits until its processes have ended; how it stands then. Raises `ClusterError`."""
    server.stop(run)
    deadline = time.monotonic() + STOPPING_S
    while not (run := server.again(run)).has_ended and time.monotonic() < deadline:
        time.sleep(POLL_S / 4)
    server.forget_keys(run.keys if run.has_ended else "")
    return run


async def _follow(server: JobServer, run: SubmittedRun, say: Say) -> SubmittedRun:
    lines = Lines()
    run = await _begun(server, run, say)
    tail = asyncio.create_task(_tail(server, run, lines, say))
    answered = time.monotonic()
    while True:
        await asyncio.wait([tail], timeout=POLL_S)
        try:
            run = await asyncio.to_thread(server.again, run)
            answered = time.monotonic()
        except ClusterError:
            if time.monotonic() - answered > PATIENCE_S:
                tail.cancel()
                raise
        if run.has_ended:
            await asyncio.wait([tail], timeout=_TAIL_S)
            tail.cancel()
            await _catch_up(server, run, lines, say)
            for line in lines.last():
                say(line)
            return run
        if tail.done():  # the connection broke, and the run goes on
            await _catch_up(server, run, lines, say)
            await asyncio.sleep(POLL_S)
            tail = asyncio.create_task(_tail(server, run, lines, say))


async def _tail(server: JobServer, run: SubmittedRun, lines: Lines, say: Say) -> None:
    import aiohttp

    lines.begin_anew()
    with suppress(aiohttp.ClientError, RuntimeError, OSError):  # taken up again while the run goes on
        async for piece in server.log_as_it_comes(run):
            for line in lines.of(piece):
                say(line)


async def _catch_up(server: JobServer, run: SubmittedRun, lines: Lines, say: Say) -> None:
    """Says what the connection has not brought."""
    lines.begin_anew()
    with suppress(ClusterError):
        for line in lines.of(await asyncio.to_thread(server.log, run)):
            say(line)


async def _begun(server: JobServer, run: SubmittedRun, say: Say) -> SubmittedRun:
    """Waits until the run's driver was started, and says so now and then."""
    since = said = time.monotonic()
    while run.state == "pending":
        await asyncio.sleep(POLL_S / 4)
        with suppress(ClusterError):
            run = await asyncio.to_thread(server.again, run)
        now = time.monotonic()
        if run.state == "pending" and now - said >= _WAITING_S:
            said = now
            say(f"Waiting for a node to start the driver on ({now - since:.0f} s).")
    return run
