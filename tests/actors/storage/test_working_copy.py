"""The copy of a stored run on its head's disk: what counts, what comes back on an empty disk, what is left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.storage.remote import RemoteFile, RemoteFolder, StorageError
from actors.storage.working_copy import WorkingCopy, address_of
from reasoning.rounds.directory import RoundFiles

RECIPE, ROUNDS = "recipe.yaml", "rounds.jsonl"


@pytest.fixture
def run(tmp_path: Path) -> RemoteFolder:
    return RemoteFolder((tmp_path / "there").as_uri(), patience_s=0.0)


@pytest.fixture
def copy(run: RemoteFolder, tmp_path: Path) -> WorkingCopy:
    """The copy of a run that was claimed and finished one phase."""
    made = WorkingCopy(tmp_path / "here", run)
    made.bring()
    put(made, RECIPE, "seed: 1")
    put(made, "prompts/first.yaml", "ask")
    made.store_claim()
    put(made, "round-000/rationales.parquet", "rationales")
    finish(made, "one\n")
    return made


def put(copy: WorkingCopy, name: str, text: str) -> None:
    (copy.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (copy.folder / name).write_text(text, encoding="utf-8")


def finish(copy: WorkingCopy, lines: str) -> None:
    copy.record(copy.folder / ROUNDS, lines.encode())
    put(copy, ROUNDS, lines)


def names(run: RemoteFolder) -> set[str]:
    return {one.name for one in run.files()}


def content(folder: Path) -> dict[str, str]:
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text(encoding="utf-8") for name, path in files.items() if not name.startswith(".")}


def test_an_empty_disk_gets_what_counts(copy: WorkingCopy, run: RemoteFolder, tmp_path: Path) -> None:
    before = content(copy.folder)
    shutil.rmtree(copy.folder)
    WorkingCopy(copy.folder, run).bring()
    assert content(copy.folder) == before
    assert copy.folder.stat().st_mode & 0o077 == 0  # its owner's alone


def test_a_phase_counts_last(copy: WorkingCopy, run: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    put(copy, "round-000/examples.parquet", "examples")
    order: list[str] = []
    put_one = run._put

    def noted(name: str, size: int, chunks: Callable[[], Iterator[bytes]]) -> RemoteFile:
        order.append(name)
        return put_one(name, size, chunks)

    monkeypatch.setattr(run, "_put", noted)
    finish(copy, "one\ntwo\n")
    assert order == ["round-000/examples.parquet", ROUNDS]


def test_a_phase_whose_files_do_not_arrive_does_not_count(
    copy: WorkingCopy, run: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path, name: str) -> None:
        raise StorageError("full")

    put(copy, "round-000/examples.parquet", "examples")
    monkeypatch.setattr(run, "upload", refuse)
    with pytest.raises(StorageError, match="full"):
        finish(copy, "one\ntwo\n")
    assert run.read(ROUNDS) == b"one\n"


def test_what_is_not_the_phases_is_not_stored(copy: WorkingCopy, run: RemoteFolder) -> None:
    for name in (
        *("journal.sqlite", "journal.sqlite-wal", "journal.sqlite.writers/a", ".journal.copy.sqlite", "run.lock"),
        *("round-000/student/model.safetensors", "training/x/state.pt", ".x.part", "round-001/exam.partial.jsonl"),
    ):
        put(copy, name, "x")
    finish(copy, "one\ntwo\n")
    assert names(run) == {RECIPE, "prompts/first.yaml", "round-000/rationales.parquet", ROUNDS}


def test_nothing_is_copied_twice(copy: WorkingCopy, run: RemoteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    up, down = run.upload, run.download

    def upload(file: Path, name: str) -> RemoteFile:
        moved.append(f"up {name}")
        return up(file, name)

    def download(name: str, file: Path) -> None:
        moved.append(f"down {name}")
        down(name, file)

    monkeypatch.setattr(run, "upload", upload)
    monkeypatch.setattr(run, "download", download)
    before = content(copy.folder)
    again = WorkingCopy(copy.folder, run)
    again.bring()
    again.store()
    assert set(moved) <= {f"down {ROUNDS}"} and content(copy.folder) == before
    put(again, "report.html", "new")
    again.store()
    assert set(moved) - {f"down {ROUNDS}"} == {"up report.html"}


def test_what_another_head_has_made_meanwhile_is_taken_over(
    copy: WorkingCopy, run: RemoteFolder, tmp_path: Path
) -> None:
    put(copy, "round-000/examples.parquet", "unfinished here")
    put(copy, "round-001/exam.partial.jsonl", "so far")
    other = WorkingCopy(tmp_path / "other", run)
    other.bring()
    put(other, "round-000/examples.parquet", "of the other")
    finish(other, "one\ntwo\n")
    again = WorkingCopy(copy.folder, run)
    again.bring()
    assert content(again.folder)["round-000/examples.parquet"] == "of the other"
    assert content(again.folder)[ROUNDS] == "one\ntwo\n"
    assert content(again.folder)["round-001/exam.partial.jsonl"] == "so far"


def test_a_line_that_only_this_disk_has_does_not_count(copy: WorkingCopy, run: RemoteFolder) -> None:
    put(copy, ROUNDS, "one\ntwo\n")
    put(copy, f"degree-001/{ROUNDS}", "one\n")
    WorkingCopy(copy.folder, run).bring()
    assert content(copy.folder)[ROUNDS] == "one\n"
    assert f"degree-001/{ROUNDS}" not in content(copy.folder)


def test_an_exam_that_is_being_sat_goes_on_elsewhere_and_its_log_goes_with_it(
    copy: WorkingCopy, run: RemoteFolder, tmp_path: Path
) -> None:
    put(copy, "round-001/exam.partial.jsonl", "attempts")
    copy.store_logs()
    other = WorkingCopy(tmp_path / "other", run)
    other.bring()
    assert content(other.folder)["round-001/exam.partial.jsonl"] == "attempts"
    (copy.folder / "round-001" / "exam.partial.jsonl").unlink()
    finish(copy, "one\ntwo\n")
    assert not [name for name in names(run) if "partial" in name]


def test_an_address_with_something_else_is_refused(run: RemoteFolder, tmp_path: Path) -> None:
    run.write("holiday/photo.jpg", b"x")
    with pytest.raises(StorageError, match=r"is not empty and not a run \(no recipe.yaml, but holiday/photo.jpg\)"):
        WorkingCopy(tmp_path / "here", run).bring()


def test_a_run_that_was_deleted_is_neither_begun_anew_nor_brought_back_by_itself(
    copy: WorkingCopy, run: RemoteFolder
) -> None:
    run.delete_folder("")
    with pytest.raises(StorageError, match="To begin anew, move that folder away"):
        WorkingCopy(copy.folder, run).bring()


def test_a_claim_that_was_not_stored_is_no_obstacle(run: RemoteFolder, tmp_path: Path) -> None:
    here = WorkingCopy(tmp_path / "here", run)
    put(here, RECIPE, "seed: 1")
    here.bring()
    here.store_claim()
    assert names(run) == {RECIPE}


def test_the_chosen_epoch_is_the_rounds_at_the_address_too(copy: WorkingCopy, run: RemoteFolder) -> None:
    files = RoundFiles(copy.folder / "round-000")
    for folder, text in ((files.after(1).student, "best"), (files.after(2).student, "last"), (files.student, "last")):
        name = str(folder.relative_to(copy.folder))
        run.write(f"{name}/config.json", text.encode())
        run.write(f"{name}/.whole.json", b'{"id": "' + text.encode() + b'", "files": {"config.json": 4}}')
    put(copy, "round-000/probe.json", "of the last")
    copy.store()
    for _ in range(2):
        copy.keep_epoch(files, best=1, epochs=2)
    assert run.read("round-000/student/config.json") == b"best"
    left = {name for name in names(run) if name.startswith("round-000/")}
    assert left == {"round-000/rationales.parquet", "round-000/student/config.json", "round-000/student/.whole.json"}


def test_weights_are_dropped_at_the_address_once_the_answers_are_there(
    copy: WorkingCopy, run: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before any of its steps, and done again."""
    files = RoundFiles(copy.folder / "round-000")
    one, two = "round-000/epochs/epoch-01", "round-000/epochs/epoch-02"
    weights = ("student/.whole.json", "student/config.json", "probe.json")
    for epoch in (one, two):
        for name in weights:
            run.write(f"{epoch}/{name}", b"{}")
    put(copy, f"{one}/evaluation.parquet", "answers")

    def cut_off(*_: object) -> None:
        raise StorageError("cut off")

    for step in ("upload", "delete_folder", "delete"):
        with monkeypatch.context() as patched:
            patched.setattr(RemoteFolder, step, cut_off)
            with pytest.raises(StorageError):
                copy.drop_epoch(files, 1)
        there = names(run)
        assert f"{one}/evaluation.parquet" in there or {f"{one}/{name}" for name in weights} <= there
    for _ in range(2):
        copy.drop_epoch(files, 1)
    left = {name for name in names(run) if "epochs" in name}
    assert left == {f"{one}/evaluation.parquet", *(f"{two}/{name}" for name in weights)}


def test_a_file_in_a_copy_knows_its_address(copy: WorkingCopy, run: RemoteFolder, tmp_path: Path) -> None:
    assert (
        address_of(copy.folder / "degree-004" / "round-000" / "student")
        == f"{run.address}/degree-004/round-000/student"
    )
    assert address_of(tmp_path / "elsewhere") is None
