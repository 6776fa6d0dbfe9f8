"""What a coordinator does around its work: the run is kept from the first to the last of it, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from actors import coordinator as module
from actors.coordinator import AnyCoordinator
from actors.journal.actor import Journal
from actors.journal.sums import JournalSums, sums_of
from actors.storage.keeping import Home, StoredRun
from actors.storage.remote import StorageError
from actors.storage.run_lock import RunInProgress, RunLock
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Finished, Phase, PhaseRecord
from tests.actors.storage.folder_buckets import buckets_in

RECORD = PhaseRecord(0, Phase.FEEDBACK, 1.0, {})


class _OnePhase(AnyCoordinator[Phase, str]):
    """A run of one phase without a teacher or a student."""

    fault: Exception | None = None

    async def run(self) -> str:
        reason, _ = await self.finish()
        return reason

    def next_work(self) -> Phase | Finished:
        return Finished("one phase is done") if self._directory.finished() else Phase.FEEDBACK

    def trains(self, work: Phase) -> bool:
        return False

    def before(self) -> list[RunDirectory]:
        return [self._directory]

    async def do(self, classroom: Any, work: Phase) -> None:
        with pytest.raises(RunInProgress):
            RunLock(self._directory.path, wait_s=0.0)
        if self.fault is not None:
            self._keeper.ended.set_exception(self.fault)
            await asyncio.sleep(60)
        await asyncio.to_thread(self._keeper.record, self._directory, RECORD)


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The journal in this process, no pools, and a folder that stands for a bucket."""

    async def close(journal: Path, run: str) -> JournalSums:
        return sums_of(journal, run)

    def start(path: Path, run: str) -> Path:
        with closing(Journal(path, ballast_bytes=0)):
            return path

    async def nothing(self: Any) -> None:
        return None

    monkeypatch.setattr(module, "start_journal", start)
    monkeypatch.setattr(module, "close_journal", close)
    monkeypatch.setattr(module, "RunMetrics", Mock())
    monkeypatch.setattr(AnyCoordinator, "_open_classroom", lambda self, journal: None)
    monkeypatch.setattr(AnyCoordinator, "_watch", nothing)
    monkeypatch.setattr(AnyCoordinator, "_stop", nothing)
    buckets_in(tmp_path / "there", monkeypatch)
    monkeypatch.setattr(StoredRun, "settle_s", 0.0)
    yield


def coordinator(home: Home) -> _OnePhase:
    recipe = parse_recipe("name: mine", "r.yaml")
    directory = RunDirectory(home.folder)
    directory.claim(recipe)
    keeper = home.keeper()
    if isinstance(keeper, StoredRun):
        keeper._files.store_claim()
    return _OnePhase(recipe, directory, SimpleNamespace(), SimpleNamespace(), {}, home)  # type: ignore[arg-type]


@pytest.fixture(params=[None, "s3://bucket/runs/mine"], ids=["folder", "address"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return Home(tmp_path / "mine", request.param, name="mine", patience_s=0.0)


def test_a_run_is_kept_from_its_first_work_to_its_last(home: Home) -> None:
    assert asyncio.run(coordinator(home).run()) == "one phase is done"
    RunLock(home.folder, wait_s=0.0).release()
    assert RunDirectory(home.folder).finished() == [RECORD]
    assert asyncio.run(coordinator(home).run()) == "one phase is done"
    if home.address is not None:
        assert (home.stored.read("rounds.jsonl") or b"").count(b"\n") == 1
        assert {"journal.sqlite", "recipe.yaml"} <= {one.name for one in home.stored.files()}


def test_a_run_that_cannot_be_kept_ends_and_lets_the_next_one_in(home: Home) -> None:
    failing = coordinator(home)
    failing.fault = StorageError("it is full")
    with pytest.raises(StorageError, match="it is full"):
        asyncio.run(failing.run())
    assert RunDirectory(home.folder).finished() == []
    assert asyncio.run(coordinator(home).run()) == "one phase is done"
