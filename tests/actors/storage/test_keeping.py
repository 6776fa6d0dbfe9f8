"""The three ways in which a run is kept: in its directory, at an address, on a network's disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from actors.journal.actor import Journal
from actors.storage import keeping, network_disks
from actors.storage.keeping import Home, RunKeeper, RunOnNetworkDisk, StoredRun, unless_ended
from actors.storage.remote import StorageError
from actors.storage.run_lock import RunInProgress, RunLock
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RoundFiles, RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord
from tests.actors.storage.folder_buckets import buckets_in

RECORD = PhaseRecord(0, Phase.FEEDBACK, 1.0, {"kept": 3})
ADDRESS = "s3://bucket/runs/mine"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for a bucket."""
    buckets_in(tmp_path / "there", monkeypatch)
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "disk"))
    monkeypatch.setattr(keeping.StoredRun, "settle_s", 0.0)
    yield tmp_path / "there" / "bucket" / "runs" / "mine"


def claimed(folder: Path) -> RunDirectory:
    directory = RunDirectory(folder)
    directory.claim(parse_recipe("name: mine", "r.yaml"))
    return directory


def stored_at_address(folder: Path) -> StoredRun:
    keeper = Home(folder, ADDRESS, name="mine", patience_s=0.0).keeper()
    assert isinstance(keeper, StoredRun)
    return keeper


def test_on_a_local_disk_nothing_is_added_to_a_run(tmp_path: Path) -> None:
    directory = claimed(tmp_path / "mine")
    before = {path.name for path in directory.path.iterdir()}
    keeper = Home(directory.path, name="mine").keeper()
    assert type(keeper) is RunKeeper and keeper.home.journal == directory.journal
    keeper.open()
    with pytest.raises(RunInProgress):
        RunLock(directory.path, wait_s=0.1)
    keeper.record(directory, RECORD)
    keeper.close()
    keeper.close()
    assert {path.name for path in directory.path.iterdir()} == before | {"run.lock", "rounds.jsonl"}
    assert keeper.home.place_of(directory.round(0).student) == str(directory.round(0).student)
    assert keeper.home.shown == str(directory.path)


def test_at_an_address_a_new_head_goes_on_with_phases_and_journal(bucket: Path, tmp_path: Path) -> None:
    directory = claimed(tmp_path / "disk" / "s3" / "bucket" / "runs" / "mine")
    keeper = stored_at_address(directory.path)
    keeper._files.store_claim()  # type: ignore[attr-defined]
    keeper.open()
    Journal(keeper.home.journal, ballast_bytes=0).close()
    directory.round(0).folder.mkdir()
    directory.round(0).rationales.write_bytes(b"rationales")
    keeper.record(directory, RECORD)
    assert keeper.home.place_of(directory.round(0).student) == f"{ADDRESS}/round-000/student"
    keeper.close()
    shutil.rmtree(tmp_path / "disk")
    again = stored_at_address(directory.path)
    again.open()
    assert directory.finished() == [RECORD] and directory.round(0).rationales.read_bytes() == b"rationales"
    assert keeper.home.journal.is_file()
    again.close()


def test_a_phase_that_cannot_be_stored_is_not_recorded_here_either(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = claimed(tmp_path / "disk" / "mine")
    keeper = stored_at_address(directory.path)
    keeper._files.store_claim()  # type: ignore[attr-defined]
    keeper.open()

    def refuse(rounds_file: Path, content: bytes) -> None:
        raise StorageError("full")

    monkeypatch.setattr(keeper._files, "record", refuse)  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="full"):
        keeper.record(directory, RECORD)
    assert directory.finished() == []
    keeper.close()


def test_a_run_that_another_has_taken_over_records_nothing(bucket: Path, tmp_path: Path) -> None:
    directory = claimed(tmp_path / "disk" / "mine")
    keeper = stored_at_address(directory.path)
    keeper._files.store_claim()  # type: ignore[attr-defined]
    keeper.open()
    (bucket / "run.lease.json").unlink()
    with pytest.raises(RunInProgress, match=r"run.lease.json, which says who runs there, is gone"):
        keeper.record(directory, RECORD)
    assert directory.finished() == [] and not (bucket / "rounds.jsonl").exists()
    keeper.close()


def test_at_an_address_epochs_are_claimed_and_dropped_there_too_by_who_holds_the_run(
    bucket: Path, tmp_path: Path
) -> None:
    directory = claimed(tmp_path / "disk" / "s3" / "bucket" / "runs" / "mine")
    keeper = stored_at_address(directory.path)
    keeper._files.store_claim()
    keeper.open()
    files, stored = directory.round(0), RoundFiles(bucket / "round-000")

    def trained(*epochs: int) -> None:
        for epoch in epochs:
            for one in (files, stored):  # the head has trained it, and has its copy
                one.after(epoch).student.mkdir(parents=True)
                one.after(epoch).probe.touch()

    def weights(of: RoundFiles) -> list[str]:
        return sorted(path.parent.name for path in of.epochs.glob("*/student"))

    keeper.claim_epochs(files, "a")
    trained(1, 2, 3)
    for epoch in (1, 2):
        files.after(epoch).evaluation.write_bytes(b"answers")
    keeper.drop_epoch(files, 1)
    assert weights(files) == weights(stored) == ["epoch-02", "epoch-03"]
    assert stored.after(1).evaluation.is_file() and not stored.after(1).probe.exists()
    shutil.rmtree(tmp_path / "disk" / "s3")  # another head
    again = keeping.WorkingCopy(directory.path, keeper.home.stored)
    again.bring()
    assert files.after(1).evaluation.is_file() and files.after(2).evaluation.is_file()
    keeper.claim_epochs(files, "a")
    assert weights(stored) == ["epoch-02", "epoch-03"] and files.after(1).evaluation.is_file()
    keeper.claim_epochs(files, "b")
    assert not weights(stored) and not stored.after(1).evaluation.exists() and not files.after(1).evaluation.exists()
    assert stored.epochs_claim.read_text(encoding="utf-8") == "b"
    trained(1)
    (bucket / "run.lease.json").unlink()
    with pytest.raises(RunInProgress):
        keeper.drop_epoch(files, 1)
    assert weights(stored) == ["epoch-01"]
    keeper.close()


def test_on_a_networks_disk_the_journal_is_on_this_one_and_its_copy_with_the_run(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_disks, "type_of_disk", lambda path: "nfs4")
    directory = claimed(tmp_path / "mnt" / "mine")
    keeper = Home(directory.path, name="mine", patience_s=0.0).keeper()
    assert isinstance(keeper, RunOnNetworkDisk) and not isinstance(keeper, StoredRun)
    assert keeper.home.journal.is_relative_to(tmp_path / "disk")
    keeper.open()
    Journal(keeper.home.journal, ballast_bytes=0).close()
    keeper.record(directory, RECORD)
    assert directory.finished() == [RECORD] and directory.journal.is_file()
    assert not directory.journal.with_name("journal.sqlite-wal").exists()
    assert keeper.home.place_of(directory.path / "x") == str(directory.path / "x")
    keeper.close()


def test_work_goes_on_until_it_is_done_or_the_run_cannot_be_kept() -> None:
    async def work() -> int:
        return 3

    async def endless() -> None:
        await asyncio.sleep(60)

    assert asyncio.run(unless_ended(Future(), work())) == 3
    ended: Future[None] = Future()
    ended.set_exception(StorageError("full"))
    with pytest.raises(StorageError, match="full"):
        asyncio.run(unless_ended(ended, endless()))
