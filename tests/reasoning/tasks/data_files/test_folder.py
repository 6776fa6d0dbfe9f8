"""A folder of questions: what is data in it, and what the names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.data_files.folder import data_folder


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("question,answer\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (("a.csv", "b.jsonl"), {"a.csv": None, "b.jsonl": None}),
        (("train.csv", "test.csv"), {"test.csv": "test", "train.csv": "train"}),
        (("train.csv", "holdout.csv"), {"holdout.csv": "test", "train.csv": "train"}),
        (
            ("my_train_v2.jsonl.gz", "my_dev_v2.jsonl.gz"),
            {"my_dev_v2.jsonl.gz": "test", "my_train_v2.jsonl.gz": "train"},
        ),
        (("train.csv", "validation.csv", "test.csv"), {"test.csv": "test", "train.csv": "train"}),
        (
            (
                "data/train-00000-of-00002.parquet",
                "data/train-00001-of-00002.parquet",
                "data/test-00000-of-00001.parquet",
            ),
            {
                "data/test-00000-of-00001.parquet": "test",
                "data/train-00000-of-00002.parquet": "train",
                "data/train-00001-of-00002.parquet": "train",
            },
        ),
        (("train/a.arrow", "train/state.json", "test/a.arrow"), {"test/a.arrow": "test", "train/a.arrow": "train"}),
        (("train.csv",), {"train.csv": None}),
        (("test.csv",), {"test.csv": "test"}),
        (("contest.csv", "latest.csv"), {"contest.csv": None, "latest.csv": None}),
        (("a.csv", "README.md", "LICENSE", ".cache/b.csv", "load.py", "dataset_infos.json"), {"a.csv": None}),
        (("a.csv", "_SUCCESS", "_committed_1", ".a.csv.crc", "_delta_log/0.json"), {"a.csv": None}),
        (("a.csv", "a.csv~", "a.csv.bak", "Thumbs.db", "desktop.ini", ".DS_Store", "LICENSE-CC.txt"), {"a.csv": None}),
        (("licensed.csv", "my_a.csv"), {"licensed.csv": None, "my_a.csv": None}),
    ],
)
def test_what_is_read_and_as_what(tmp_path: Path, names: tuple[str, ...], splits: dict[str, str | None]) -> None:
    folder = data_folder(filled(tmp_path, *names))
    assert {str(file.relative_to(tmp_path)): split for file, split in folder.files} == splits
    assert all(name in folder.note for name in splits)


def test_a_folder_that_could_be_read_in_two_ways_or_has_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without data files"):
        data_folder(filled(tmp_path, "README.md"))
    with pytest.raises(DataError, match=r"others, such as extra\.csv, are not; give the files as task\.path"):
        data_folder(filled(tmp_path, "train.csv", "test.csv", "extra.csv"))


def test_the_note_says_what_was_left_out(tmp_path: Path) -> None:
    folder = data_folder(filled(tmp_path, "train.csv", "dev.csv", "test.csv"))
    assert "not read, since there are test files: dev.csv" in folder.note
    assert Split.VALIDATION not in dict(folder.files).values()
