"""SIGKILL of a worker, of the limiter, of the journal, of everything, at random moments, again and again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from actors.journal.audit import audit
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import ProviderProcess
from tests.conftest import ROOT
from tests.pipelines.test_tailored import kill_tree

REQUESTS = 6000
KILLS = ("worker", "limiter", "journal", "everything")


@dataclass
class Run:
    """One process of `crashing_run`; `pids` are its actors', as it last told."""

    process: subprocess.Popen[str]
    pids: dict[str, int] = field(default_factory=dict)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.pids = json.loads(line)


def start(journal: Path, base_url: str, log: Path) -> Run:
    command = [sys.executable, "-m", "tests.actors.teacher.crashing_run", str(journal), base_url, str(REQUESTS)]
    with log.open("a") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
    run = Run(process)
    threading.Thread(target=run.listen, daemon=True).start()
    return run


def answered(journal: Path) -> int:
    if not journal.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute("SELECT COUNT(*) FROM calls WHERE status = 'answered'").fetchone()[0])
    except sqlite3.OperationalError:  # it is just being made
        return 0


def wait_until_it_works(run: Run, journal: Path, log: Path) -> None:
    """Until its actors are known and something new was answered."""
    before, deadline = answered(journal), time.monotonic() + 120
    while not (run.pids and answered(journal) > before):
        assert run.process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_no_journaled_reply_is_asked_for_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty kills, five of each kind, in a run of six thousand questions, which is started again after each time that
    all of it was killed. About three minutes."""
    chance = random.Random(7)
    victims = list(KILLS * 5)
    chance.shuffle(victims)
    journal, log = tmp_path / "journal.sqlite", tmp_path / "log"
    with ProviderProcess(
        ProviderArgs(teacher="echo", latency=LatencyArgs(kind="uniform", median_s=0.3, spread=0.9))
    ) as p:
        run = start(journal, p.base_url, log)
        for victim in victims:
            wait_until_it_works(run, journal, log)
            time.sleep(chance.uniform(0.0, 1.5))
            if run.process.poll() is not None:
                break
            if victim == "everything":
                kill_tree(run.process.pid)
                run.process.wait(30)
                run = start(journal, p.base_url, log)
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(run.pids[victim], signal.SIGKILL)
                    run.pids = {}
        assert run.process.wait(300) == 0, log.read_text()[-3000:]
        seen = p.stats()
    found = audit(journal)
    assert found.faults == ()
    with contextlib.closing(sqlite3.connect(journal)) as db:
        one = lambda query: int(db.execute(query).fetchone()[0])  # noqa: E731
        assert one("SELECT COUNT(*) FROM calls WHERE status = 'answered'") == REQUESTS
        # A sending of a request that was answered by then: there must be none.
        late = "SELECT COUNT(*) FROM sends JOIN calls ON calls.key = sends.key WHERE sends.started_at > calls.ended_at"
        assert one(late) == 0
        found_started = one("SELECT COUNT(*) FROM calls WHERE sends_after_unknown > 0")
        sent_again = one("SELECT COUNT(*) FROM calls WHERE sends > 1")
        sendings = one("SELECT COUNT(*) FROM sends")
    assert sent_again == found_started  # nothing but what a crash left unknown was sent more than once
    assert seen.sent_more_than_once <= found_started and seen.arrived <= sendings
    with capsys.disabled():
        print(
            f"\n{len(victims)} kills ({', '.join(victims)}): {REQUESTS} requests answered by {sendings} sendings, of "
            f"which {seen.arrived} arrived; {found_started} requests found started and sent again; the provider saw "
            f"{seen.sent_more_than_once} more than once and answered {seen.answered_more_than_once} twice"
        )
