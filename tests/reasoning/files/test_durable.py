"""A file or folder appears whole or not at all, whoever looks and whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.durable import new_file, new_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file.txt"
    with new_file(path) as part:
        part.write_text("old")
    with new_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and names(path.parent) == ["file.txt"]


def test_a_file_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), new_file(path) as part:
        part.write_text("half of the n")
        raise ZeroDivisionError
    assert path.read_text() == "old" and names(tmp_path) == ["file.txt"]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    with pytest.raises(ZeroDivisionError), new_folder(folder) as part:
        (part / "config.json").write_text("{}")
        raise ZeroDivisionError
    assert names(tmp_path) == []
    with new_folder(folder) as part:
        (part / "config.json").write_text("{}")
        assert not folder.exists()
    assert names(folder) == ["config.json"] and names(tmp_path) == ["student"]
