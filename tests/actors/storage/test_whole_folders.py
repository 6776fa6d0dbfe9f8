"""Students at an address: there whole or not at all, fetched once a node, and never an older one."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.storage.remote import RemoteFolder, StorageError
from actors.storage.whole_folders import MANIFEST, Manifest, fetch_folder, move_folder, publish_folder


@pytest.fixture
def run(tmp_path: Path) -> RemoteFolder:
    return RemoteFolder((tmp_path / "there").as_uri(), patience_s=0.0)


def student(folder: Path, content: str) -> Path:
    (folder / "sub").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(content, encoding="utf-8")
    (folder / "sub" / "weights").write_text(content * 3, encoding="utf-8")
    return folder


def text(folder: Path) -> str:
    assert (folder / "sub" / "weights").read_text(encoding="utf-8") == 3 * (folder / "config.json").read_text("utf-8")
    return (folder / "config.json").read_text(encoding="utf-8")


def test_another_node_gets_what_was_published_and_fetches_it_once(run: RemoteFolder, tmp_path: Path) -> None:
    publish_folder(student(tmp_path / "made", "one"), run.folder("student"))
    here = fetch_folder(run.folder("student"), tmp_path / "here")
    assert text(here) == "one"
    written = (here / "config.json").stat().st_mtime_ns
    run.delete("student/config.json")  # were it fetched again, this would be missed
    assert (fetch_folder(run.folder("student"), here) / "config.json").stat().st_mtime_ns == written
    assert fetch_folder(run.folder("student"), tmp_path / "made") == tmp_path / "made"  # its maker has it already


def test_a_student_that_was_made_anew_replaces_the_copy(run: RemoteFolder, tmp_path: Path) -> None:
    publish_folder(student(tmp_path / "made", "one"), run.folder("student"))
    fetch_folder(run.folder("student"), tmp_path / "here")
    publish_folder(student(tmp_path / "made", "two"), run.folder("student"))
    assert text(fetch_folder(run.folder("student"), tmp_path / "here")) == "two"


def test_half_a_folder_is_no_folder(run: RemoteFolder, tmp_path: Path) -> None:
    made = student(tmp_path / "made", "one")
    run.upload(made / "config.json", "student/config.json")
    with pytest.raises(StorageError, match="no whole folder there"):
        fetch_folder(run.folder("student"), tmp_path / "here")
    publish_folder(made, run.folder("student"))
    run.write("student/sub/weights", b"short")
    with pytest.raises(StorageError, match="is not what the manifest says"):
        fetch_folder(run.folder("student"), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_moved_folder_is_the_same_and_the_move_may_be_repeated(run: RemoteFolder, tmp_path: Path) -> None:
    publish_folder(student(tmp_path / "best", "best"), run.folder("epochs/2/student"))
    publish_folder(student(tmp_path / "last", "last"), run.folder("student"))
    for _ in range(2):
        move_folder(run, "epochs/2/student", "student")
        assert text(fetch_folder(run.folder("student"), tmp_path / "here")) == "best"
    assert run.files("epochs") == []


def test_a_move_that_was_cut_off_leaves_no_mixture(
    run: RemoteFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_folder(student(tmp_path / "best", "best"), run.folder("epochs/2/student"))
    publish_folder(student(tmp_path / "last", "last"), run.folder("student"))
    real = run.copy

    def cut(name: str, to: str, size: int) -> None:
        if name.endswith("weights"):
            raise StorageError("cut")
        real(name, to, size)

    monkeypatch.setattr(run, "copy", cut)
    with pytest.raises(StorageError, match="cut"):
        move_folder(run, "epochs/2/student", "student")
    with pytest.raises(StorageError, match="no whole folder"):
        fetch_folder(run.folder("student"), tmp_path / "here")
    monkeypatch.undo()
    move_folder(run, "epochs/2/student", "student")
    assert text(fetch_folder(run.folder("student"), tmp_path / "here")) == "best"


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"id": "x"}', '{"id": "x", "files": 3}'])
def test_what_is_no_manifest(content: str | None) -> None:
    assert Manifest.from_json(content) is None
    assert MANIFEST.startswith(".")  # so that who loads a student does not read it
