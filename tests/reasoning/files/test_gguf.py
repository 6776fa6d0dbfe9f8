"""A GGUF file is known by its name or its first bytes, and its student's folder by what is in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reasoning.files.gguf import is_gguf, part_number, student_folder


def test_what_is_gguf(tmp_path: Path) -> None:
    for name, content in (("a.gguf", b""), ("b.GGUF", b"x"), ("sha256-0a1b", b"GGUF\3\0\0\0"), ("c.bin", b"PK\3\4")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.gguf").mkdir()
    assert [one.name for one in sorted(tmp_path.iterdir()) if is_gguf(one)] == ["a.gguf", "b.GGUF", "sha256-0a1b"]
    assert not is_gguf(tmp_path / "absent.gguf")


def test_the_folder_follows_the_content(tmp_path: Path) -> None:
    one, copy, other = tmp_path / "m.gguf", tmp_path / "there" / "m.gguf", tmp_path / "other" / "m.gguf"
    for file, content in ((one, b"GGUF1"), (copy, b"GGUF1"), (other, b"GGUF2")):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    folder = student_folder(one)
    assert folder.parent == tmp_path and folder.name.startswith("m-")
    assert student_folder(copy).name == folder.name != student_folder(other).name
    one.write_bytes(b"GGUF3")
    os.utime(one, ns=(1, 1))
    assert student_folder(one) != folder


def test_where_nothing_can_be_written_it_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert student_folder(tmp_path / "m.gguf").parent == tmp_path / "cache" / "tailor" / "students"


@pytest.mark.parametrize(
    ("name", "part"),
    [("m-00002-of-00005.gguf", (2, 5)), ("m.gguf", None), ("m-2-of-5.gguf", None), ("m-00002-of-00005.bin", None)],
)
def test_parts(name: str, part: tuple[int, int] | None) -> None:
    assert part_number(name) == part
