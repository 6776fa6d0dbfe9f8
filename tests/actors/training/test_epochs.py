"""The students after each epoch as the first worker writes them: once, proven, and not again when they are gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.storage.places import is_student_there, landing, student_here
from actors.training.epochs import ProbeOrder, epoch_version
from actors.training.job import TrainingJob
from reasoning.files.addresses import below
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.rounds.directory import RoundFiles
from tests.actors.storage.folder_buckets import buckets_in
from tests.tiny_students import tiny_student

ADDRESS = "s3://bucket/runs/mine/round-000"


def job(place: str, **changes: Any) -> TrainingJob:
    training = TrainingSection(epochs=5, epoch="best")
    made = TrainingJob(
        "run-round-000", below(place, "training"), "base", "examples", below(place, "student"), training,
        ObjectiveSection(), 0, epochs_out=below(place, "epochs"), examined_meanwhile=True,
        probe=ProbeOrder("round-000", ("Q: 1+1?",), below(place, "probe.json")),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture(scope="module")
def student() -> Any:
    return tiny_student()


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that stands for a bucket."""
    buckets_in(tmp_path / "there", monkeypatch)
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "node"))
    yield tmp_path / "there" / "bucket" / "runs" / "mine" / "round-000"


def keep(of: TrainingJob, epoch: int, student: Any, rank: int = 0) -> None:
    epochs = of.epoch_students
    assert epochs is not None
    epochs.keep(epoch, student, rank, lambda: None)


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_epoch_is_written_once_by_the_first_worker_and_its_probe_after_it(
    tmp_path: Path, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reasoning.student import probe

    of, files = job(str(tmp_path)), RoundFiles(tmp_path).after(1)
    keep(of, 1, student, rank=1)
    assert not files.folder.exists()
    real = probe.save_probe

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "save_probe", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(of, 1, student)
    assert files.student.is_dir() and not files.probe.exists()  # not whole yet, for whoever looks for the probe
    before = times(files.student)
    monkeypatch.setattr(probe, "save_probe", real)
    keep(of, 1, student)
    assert probe.load_probe(files.probe).version == epoch_version("round-000", 1) == "round-000/epoch-01"
    keep(of, 1, tiny_student(seed=1))  # made again from an earlier state, equal up to rounding
    assert times(files.student) == before  # samplers may have read it


def test_an_epoch_that_was_examined_is_not_written_again(tmp_path: Path, student: Any) -> None:
    of, files = job(str(tmp_path)), RoundFiles(tmp_path).after(2)
    files.folder.mkdir(parents=True)
    files.evaluation.write_bytes(b"answers")
    keep(of, 2, student)
    assert list(files.folder.iterdir()) == [files.evaluation]


def test_at_an_address_what_is_stored_no_more_leaves_the_trainers_disk(
    bucket: Path, student: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    of, here = job(ADDRESS), RoundFiles(landing(ADDRESS))
    for epoch in (1, 2):
        keep(of, epoch, student)
    stored = RoundFiles(bucket)
    assert stored.after(1).student.is_dir() and stored.after(1).probe.is_file()
    stored.after(1).evaluation.write_bytes(b"answers")
    shutil.rmtree(stored.after(1).student)
    stored.after(1).probe.unlink()
    keep(of, 3, student)
    assert [here.after(epoch).student.exists() for epoch in (1, 2, 3)] == [False, True, True]
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "another node"))
    for epoch in (1, 2, 3):  # a training that goes on elsewhere, from an earlier state
        keep(of, epoch, tiny_student(seed=1))
    assert not is_student_there(below(ADDRESS, "epochs", "epoch-01", "student"))
    assert not RoundFiles(landing(ADDRESS)).after(2).student.exists()  # nothing was written here
    assert Path(student_here(below(ADDRESS, "epochs", "epoch-02", "student"))).is_dir()


def test_a_gpu_without_room_beside_the_training_leaves_the_proof_to_the_cpu(
    tmp_path: Path, student: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from reasoning.student import probe

    asked = []
    real = probe.make_probe

    def full(*args: Any, device: str | None = None) -> probe.Probe:
        asked.append(device)
        if device is None:
            raise torch.OutOfMemoryError
        return real(*args, device=device)

    monkeypatch.setattr(probe, "make_probe", full)
    keep(job(str(tmp_path)), 1, student)
    assert asked == [None, "cpu"] and RoundFiles(tmp_path).after(1).probe.is_file()


@pytest.mark.parametrize(
    ("meanwhile", "there", "examined", "left"),
    [(True, 0, 0, 3), (False, 0, 0, 5), (False, 2, 0, 3), (False, 1, 3, 1), (True, 1, 2, 2), (True, 5, 0, 0)],
)
def test_room_is_wanted_for_what_is_not_there_yet(
    tmp_path: Path, meanwhile: bool, there: int, examined: int, left: int
) -> None:
    """`examined` epochs first, whose weights are gone, and then some that are there."""
    files = RoundFiles(tmp_path)
    for epoch in range(1, examined + 1):
        files.after(epoch).folder.mkdir(parents=True)
        files.after(epoch).evaluation.touch()
    for epoch in range(examined + 1, examined + there + 1):
        files.after(epoch).student.mkdir(parents=True)
    epochs = job(str(tmp_path), examined_meanwhile=meanwhile).epoch_students
    assert epochs is not None and epochs.left() == left
