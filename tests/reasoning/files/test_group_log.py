"""A log of groups gives back what was put in, in any order, also after its writer was killed at any byte."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from reasoning.files.group_log import GroupLog
from reasoning.records import Attempt, Verdict

KEYS = ("p1", "p2", "p3")


def group(key: str) -> list[Attempt]:
    return [Attempt(key, 1, sample, f"é {key}\nso", True, 9, "4", Verdict.WRONG) for sample in range(2)]


def log_at(path: Path, keys: Sequence[str] = ()) -> GroupLog[Attempt]:
    log = GroupLog(path, Attempt, "problem_id", 2)
    for key in keys:
        log.add(key, group(key))
    return log


def test_groups_are_read_in_the_order_that_is_asked_for_while_more_are_written(tmp_path: Path) -> None:
    with closing(log_at(tmp_path / "log", ["p3", "p1"])) as log:
        assert list(log.records(["p1", "p3"])) == group("p1") + group("p3")
        log.add("p2", group("p2"))
        assert log.group("p2") == group("p2") and "p2" in log and "p4" not in log
        with pytest.raises(KeyError):
            log.group("p4")


def test_what_a_killed_writer_left_is_whole_groups(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log_at(path, KEYS).close()
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with closing(log_at(path)) as log:
            there = [key for key in KEYS if key in log]
            assert there == list(KEYS[: 3 * length // len(whole)])
            for key in KEYS:
                if key not in log:
                    log.add(key, group(key))
        assert path.read_bytes() == whole


def test_a_group_is_safe_from_a_crash_once_it_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(log_at(path, KEYS[:1])) as log:
        assert not path.read_bytes()
        log.flush()
        with closing(log_at(tmp_path / "same", KEYS[:1])):
            pass
        assert path.read_bytes() == (tmp_path / "same").read_bytes()
        log.close()
        log.flush()  # as whatever was to do so later
