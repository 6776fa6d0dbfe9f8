"""Hub folders as they are, and every fault named by its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.sources import HubDataset, read_hub

COIN = {"question": "Is the coin still heads up?", "answer": "yes"}


def jsonl(path: Path, *rows: object) -> Path:
    lines = [(row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("own_cache")
def test_a_local_folder_in_hub_form_is_read(tmp_path: Path) -> None:
    """A folder as `load_dataset` reads it, with parquet files (3 s: the library's own start)."""
    from datasets import ClassLabel, Dataset, Features, Value

    folder = tmp_path / "gsm8k" / "data"
    folder.mkdir(parents=True)
    for name, count in (("train", 3), ("test", 2)):
        rows = [{"question": f"How many {name} {i}?", "answer": f"So.\n#### {i},000"} for i in range(1, count + 1)]
        features = Features(question=Value("string"), answer=Value("string"), label=ClassLabel(names=["neg", "pos"]))
        named = [row | {"label": i % 2} for i, row in enumerate(rows)]
        Dataset.from_list(named, features).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    rows = read_hub(HubDataset(str(folder.parent), "main"))
    assert [row.split for row in rows] == [Split.TRAIN] * 3 + [Split.TEST] * 2
    assert rows[0].content["question"] == "How many train 1?"
    assert "split test, record 1" in rows[-1].place
    assert rows[1].content["label"] == 1 and rows[1].classes == {"label": ("neg", "pos")}


@pytest.mark.usefixtures("own_cache")
def test_parts_are_read_as_the_table_wants_them_or_by_their_usual_names(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    for name in ("train", "validation", "test"):
        (folder / "part" / name).mkdir(parents=True)
        jsonl(folder / "part" / name / "0000.jsonl", {"question": name})
    source = HubDataset(str(folder), folder="part", train=("train", "validation", "test"), test=())
    assert [(row.content["question"], row.split) for row in read_hub(source)] == [
        ("train", None),
        ("validation", None),
        ("test", None),
    ]
    source = HubDataset(str(folder), folder="part", test=("validation",))
    assert [row.content["question"] for row in read_hub(source)] == ["train", "validation"]
    source = HubDataset(str(folder), folder="part", train=("all",))
    assert [row.split for row in read_hub(source)] == [Split.TRAIN, Split.TEST]


@pytest.mark.usefixtures("own_cache")
def test_a_dataset_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be loaded.*source: file"):
        read_hub(HubDataset(str(tmp_path / "absent")))
    folder = tmp_path / "no-train"
    folder.mkdir()
    jsonl(folder / "validation.jsonl", COIN)
    with pytest.raises(DataError, match="no split train, only validation"):
        read_hub(HubDataset(str(folder)))
    jsonl(folder / "test.jsonl", COIN)
    assert [row.split for row in read_hub(HubDataset(str(folder)))] == [Split.TEST]
    with pytest.raises(DataError, match=r"no configuration 'main', only default; name one of them"):
        read_hub(HubDataset(str(folder), "main", config_asked=True))
