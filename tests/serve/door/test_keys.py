"""Who has a key is let in, whoever has none is not, and a file of keys is read again when it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serve.door.keys import LOOK_AGAIN_S, Keys, NoKeys


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def written(file: Path, *keys: str) -> Path:
    file.write_text("\n".join(keys), encoding="utf-8")
    os.utime(file, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns + 1_000_000))  # two writes in one tick
    return file


@pytest.mark.parametrize(
    ("header", "let_in"),
    [
        ("Bearer one", True),
        ("bearer two", True),
        ("Bearer  one ", True),
        (None, False),
        ("", False),
        ("one", False),
        ("Basic one", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer on", False),
        ("Bearer one two", False),
        ("Bearer # a comment", False),
        ("Bearer \udcff", False),
    ],
)
def test_one_of_several_keys_lets_in_and_nothing_else(tmp_path: Path, header: str | None, let_in: bool) -> None:
    keys = Keys(written(tmp_path / "keys", "# ours", "one", "", " two "))
    assert keys.let_in(header) is let_in


def test_a_file_as_windows_writes_it_has_its_first_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    keys = Keys(tmp_path / "keys")
    assert keys.let_in("Bearer one") and keys.let_in("Bearer two")


def test_keys_come_from_a_variable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDENT_KEYS", "one, two\nthree")
    keys = Keys(variable="STUDENT_KEYS")
    assert all(keys.let_in(f"Bearer {key}") for key in ("one", "two", "three"))
    assert not keys.let_in("Bearer one,")
    both = Keys(written(tmp_path / "keys", "four"), "STUDENT_KEYS")
    assert both.let_in("Bearer one") and both.let_in("Bearer four")


def test_a_changed_file_counts_without_a_restart(tmp_path: Path) -> None:
    clock, file = Clock(), written(tmp_path / "keys", "old")
    keys = Keys(file, clock=clock)
    written(file, "new", "other")
    assert keys.let_in("Bearer old")  # it was looked at just now
    clock.now += LOOK_AGAIN_S
    assert not keys.let_in("Bearer old") and keys.let_in("Bearer new")
    file.write_text("", encoding="utf-8")
    clock.now += LOOK_AGAIN_S
    assert not keys.let_in("Bearer new") and not keys.let_in("Bearer ")


def test_a_file_that_is_gone_or_damaged_keeps_the_keys_that_it_had(tmp_path: Path) -> None:
    clock, file = Clock(), written(tmp_path / "keys", "one")
    keys = Keys(file, clock=clock)
    file.unlink()
    clock.now += LOOK_AGAIN_S
    assert keys.let_in("Bearer one")
    file.write_bytes(b"\xff\xfe")
    clock.now += LOOK_AGAIN_S
    assert keys.let_in("Bearer one")
    written(file, "two")
    clock.now += LOOK_AGAIN_S
    assert keys.let_in("Bearer two") and not keys.let_in("Bearer one")


def test_a_door_that_is_to_have_keys_does_not_stand_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDENT_KEYS", raising=False)
    with pytest.raises(NoKeys, match=r"no key in .*keys: write one a line"):
        Keys(written(tmp_path / "keys", "# none yet"))
    with pytest.raises(NoKeys, match="the variable STUDENT_KEYS"):
        Keys(variable="STUDENT_KEYS")
    with pytest.raises(NoKeys, match=r"nowhere: the key file cannot be read \(FileNotFoundError\)"):
        Keys(tmp_path / "nowhere")


def test_no_key_is_kept(tmp_path: Path) -> None:
    keys = Keys(written(tmp_path / "keys", "very-secret"))
    assert "very-secret" not in repr(vars(keys))
