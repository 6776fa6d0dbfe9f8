"""What lies at a path is used where it is; what lies at an address is brought to the node and handed over from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.storage import places
from actors.storage.places import (
    file_here,
    forget_lost_beside,
    hand_over,
    is_file_there,
    is_student_there,
    landing,
    read_in_folder,
    remove_folder,
    student_here,
)
from tests.actors.storage.folder_buckets import buckets_in

ADDRESS = "s3://bucket/runs/mine"


@pytest.fixture(autouse=True)
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for a bucket."""
    buckets_in(tmp_path / "there", monkeypatch)
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "node"))
    return tmp_path / "there" / "bucket" / "runs" / "mine"


def test_a_path_is_left_alone(tmp_path: Path) -> None:
    place = str(tmp_path / "round-000" / "student")
    assert landing(place) == Path(place) and file_here(place) == Path(place) and student_here(place) == place
    hand_over(place)
    assert not (tmp_path / "round-000").exists()
    assert read_in_folder(place, "report.json") is None
    landing(place).mkdir(parents=True)
    (Path(place) / "report.json").write_text("{}", encoding="utf-8")
    assert read_in_folder(place, "report.json") == "{}"
    remove_folder(str(tmp_path / "round-000"), "student")
    assert not Path(place).exists()


def test_a_hub_id_is_left_alone() -> None:
    assert student_here("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


def test_what_one_node_hands_over_another_has(bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    student, probe = f"{ADDRESS}/round-000/student", f"{ADDRESS}/round-000/probe.json"
    landing(student).mkdir(parents=True)
    (landing(student) / "config.json").write_text("1", encoding="utf-8")
    landing(probe).write_text("2", encoding="utf-8")
    assert read_in_folder(student, "config.json") is None  # not handed over yet
    hand_over(student)
    hand_over(probe)
    assert (bucket / "round-000" / "student" / "config.json").is_file()
    monkeypatch.setenv("TAILOR_LOCAL", str(tmp_path / "another node"))
    assert read_in_folder(student, "config.json") == "1" and read_in_folder(student, "none") is None
    assert Path(student_here(student), "config.json").read_text(encoding="utf-8") == "1"
    assert file_here(probe).read_text(encoding="utf-8") == "2"
    assert file_here(probe).is_relative_to(tmp_path / "another node")
    assert not file_here(f"{ADDRESS}/none").exists()
    remove_folder(f"{ADDRESS}/round-000", "student")
    assert not (bucket / "round-000" / "student").exists()


def test_an_older_copy_of_a_file_is_not_used(bucket: Path) -> None:
    place = f"{ADDRESS}/examples.parquet"
    for content in ("old", "new"):
        bucket.mkdir(parents=True, exist_ok=True)
        (bucket / "examples.parquet").write_text(content, encoding="utf-8")
        assert file_here(place).read_text(encoding="utf-8") == content
    (bucket / "examples.parquet").unlink()
    assert not file_here(place).exists()
    assert places.is_address(place)


@pytest.mark.parametrize("at", [ADDRESS, None])
def test_what_is_there_is_told_without_bringing_it(at: str | None, tmp_path: Path) -> None:
    above = at or str(tmp_path)
    student, file = f"{above}/round-000/student", f"{above}/round-000/probe.json"
    assert not is_student_there(student) and not is_file_there(file)
    landing(student).mkdir(parents=True)
    landing(file).write_text("{}", encoding="utf-8")
    assert is_student_there(student) == is_file_there(file) == (at is None)  # not handed over yet
    hand_over(student)
    hand_over(file)
    assert is_student_there(student) and is_file_there(file)
    assert landing(file).is_file()


def test_copies_of_what_is_stored_no_more_are_forgotten_and_what_is_not_stored_yet_stays(bucket: Path) -> None:
    places = [f"{ADDRESS}/round-000/epochs/epoch-0{epoch}/student?region=x" for epoch in (1, 2, 3)]
    for place in places:
        landing(place).mkdir(parents=True)
        (landing(place) / "config.json").write_text("{}", encoding="utf-8")
    for place in places[:2]:
        hand_over(place)
    forget_lost_beside(places[1])
    assert [landing(place).exists() for place in places] == [True, True, True]
    (bucket.parent / "mine").rename(bucket.parent / "moved")
    forget_lost_beside(places[1])
    assert [landing(place).exists() for place in places] == [False, False, True]
    forget_lost_beside("Qwen/Qwen3-0.6B")
    forget_lost_beside(str(bucket))
