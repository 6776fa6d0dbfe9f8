"""One run at a time at one address: what a second one meets, and who takes over from one that has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from actors.journal.lost import Figures
from actors.storage.lease import Holder, Lease, this_process
from actors.storage.remote import RemoteFolder
from actors.storage.run_lock import RunInProgress
from actors.storage.working_copy import LEASE

QUICK = {"beat_s": 0.05, "lifetime_s": 0.3, "settle_s": 0.01}


@pytest.fixture
def run(tmp_path: Path) -> RemoteFolder:
    return RemoteFolder(tmp_path.as_uri(), patience_s=0.0)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Holders of this test are taken for processes of other machines."""
    monkeypatch.setattr(Holder, "lives_here", None)
    yield


def held(run: RemoteFolder) -> Holder:
    found = Holder.from_json(run.read(LEASE))
    assert found is not None
    return found


def test_a_released_lease_is_taken_at_once_and_tells_who_had_it_before(run: RemoteFolder) -> None:
    first = Lease(run, lambda: Figures("home", 3, 5, 70), **QUICK)
    first.take()
    assert first.before is None
    first.release()
    first.release()
    second = Lease(run, **QUICK)
    second.take()
    assert second.before is not None and second.before.journal == Figures("home", 3, 5, 70)
    assert held(run).journal == Figures("home", 3, 5, 70)  # kept until this one's journal is there


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, in which nobody sleeps."""
    found: list[float] = []
    monkeypatch.setattr("actors.storage.lease.time.sleep", found.append)
    return found


def test_a_living_process_of_this_machine_is_refused_at_once_with_its_name(
    run: RemoteFolder, slept: list[float]
) -> None:
    Lease(run, **QUICK).take()
    slept.clear()
    with pytest.raises(RunInProgress, match=r"being run by process \d+ on .*another name"):
        Lease(run, **QUICK | {"lifetime_s": 60.0}).take()
    assert slept == []


def test_a_dead_process_of_this_machine_is_replaced_at_once(run: RemoteFolder, slept: list[float]) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    run.write(LEASE, replace(this_process(), pid=ended.pid, started="1").to_json())
    Lease(run, **QUICK | {"lifetime_s": 60.0}).take()
    assert sum(slept) < 1.0


@pytest.mark.usefixtures("elsewhere")
def test_one_elsewhere_that_is_heard_of_is_refused(run: RemoteFolder) -> None:
    ended: Future[None] = Future()
    first = Lease(run, **QUICK)
    first.take()
    first.keep(ended)
    with pytest.raises(RunInProgress):
        Lease(run, **QUICK | {"lifetime_s": 60.0}).take()
    first.release()
    assert not ended.done()


@pytest.mark.usefixtures("elsewhere")
def test_one_elsewhere_that_is_silent_is_replaced_and_ends_when_it_wakes(run: RemoteFolder) -> None:
    ended: Future[None] = Future()
    silent = Lease(run, **QUICK | {"settle_s": 0.0})
    silent.take()
    Lease(run, **QUICK).take()
    with pytest.raises(RunInProgress):
        silent.check()
    silent.keep(ended)
    with pytest.raises(RunInProgress):
        ended.result(timeout=5)
    taken = held(run)
    silent.release()  # leaves the other's alone
    assert held(run) == taken


@pytest.mark.usefixtures("elsewhere")
def test_of_two_that_write_at_once_the_first_sees_it_and_ends(
    run: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(this_process(), beat=1)
    first = Lease(run, **QUICK)
    monkeypatch.setattr(time, "sleep", lambda s: run.write(LEASE, other.to_json()))
    with pytest.raises(RunInProgress):
        first.take()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 1}', b"\xff"])
def test_what_is_no_lease_holds_nothing(run: RemoteFolder, content: bytes) -> None:
    run.write(LEASE, content)
    lease = Lease(run, **QUICK)
    lease.take()
    held = Holder.from_json(run.read(LEASE))
    assert lease.before is None and held is not None and held.lives_here and not held.released
