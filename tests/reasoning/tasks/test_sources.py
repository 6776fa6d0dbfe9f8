"""Files and hub folders as they are, and every fault named by its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.sources import MAX_ROW, HubDataset, read_file, read_hub

COIN = {"question": "Is the coin still heads up?", "answer": "yes"}


def jsonl(path: Path, *rows: object) -> Path:
    lines = [(row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"question": "Half a line', "malformed JSON"),
        ('{"question": "Is it?", "answer": ["yes"}', "malformed JSON"),
        ("[" * 100_000, "cannot be read"),
        ('{"question": "Is it?", "answer": NaN}', "NaN is not a valid number"),
        ('{"question": "Is it?", "answer": ' + "9" * 5000 + "}", "cannot be read"),
        ("17", "a question must be an object, this is a number"),
        ('{"question": "Is it?"} {"question": "Is it?"}', "malformed JSON: Extra data"),
        ('{"question": "' + "x" * 10_000_000 + '"}', "a line of more than 1 MiB"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, what: str) -> None:
    path = jsonl(tmp_path / "own.jsonl", COIN, "", line)
    with pytest.raises(DataError) as caught:
        read_file(path)
    assert caught.value.place == f"{path}, line 3"
    assert what in str(caught.value) and caught.value.cure


def test_all_bad_lines_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    good = json.dumps(COIN).encode()
    path.write_bytes(b"\n".join([good, b"{", good, b'{"question": "\xff"}', b"[]", good]))
    with pytest.raises(DataError) as caught:
        read_file(path)
    assert [fault.place for fault in caught.value.faults] == [f"{path}, line {i}" for i in (2, 4, 5)]
    assert [fault.what.split()[0] for fault in caught.value.faults] == ["malformed", "invalid", "a"]


def test_invalid_utf8_in_a_json_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(b'[\n{"question":\n"\xff"}]')
    with pytest.raises(DataError, match="line 3: invalid UTF-8"):
        read_file(path)


def test_faults_of_whole_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_file(tmp_path / "absent.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_file(tmp_path)
    with pytest.raises(DataError, match="contains no questions"):
        read_file(jsonl(tmp_path / "empty.jsonl"))
    cut = tmp_path / "cut.json"
    cut.write_text('{"examples": [\n' + json.dumps(COIN) + ",\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 3: malformed JSON"):
        read_file(cut)
    cut.write_text('{"questions": []}', encoding="utf-8")
    with pytest.raises(DataError, match="'examples'"):
        read_file(cut)
    cut.write_text(json.dumps({"examples": [COIN, 3, COIN, None]}), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_file(cut)
    assert [fault.place for fault in caught.value.faults] == [f"{cut}, record 1", f"{cut}, record 3"]


def test_a_file_with_an_object_a_line_is_read_whatever_its_name(tmp_path: Path) -> None:
    """As AQuA's are published."""
    path = jsonl(tmp_path / "aqua_test.json", COIN, COIN | {"answer": "no"})
    assert [row.place for row in read_file(path, Split.TEST)] == [f"{path}, line 1", f"{path}, line 2"]
    one = jsonl(tmp_path / "one.json", {"examples": [COIN]})
    assert [row.content for row in read_file(one)] == [COIN]


def test_byte_order_mark_line_ends_and_strange_separators_are_no_faults(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    strange = json.dumps(COIN | {"question": "one\u2028two"}, ensure_ascii=False)
    path.write_bytes(b"\xef\xbb\xbf" + (json.dumps(COIN) + "\r\n" + strange + "\r\n").encode())
    assert [row.content["question"] for row in read_file(path)] == [COIN["question"], "one\u2028two"]


def test_a_row_at_the_bound_is_read(tmp_path: Path) -> None:
    shell = len(json.dumps({"question": ""}))
    path = jsonl(tmp_path / "own.jsonl", {"question": "x" * (MAX_ROW - shell)})
    assert len(read_file(path)) == 1
    jsonl(path, {"question": "x" * (MAX_ROW - shell + 1)})
    with pytest.raises(DataError, match="line 1: a line of more than 1 MiB"):
        read_file(path)


NEARLY_JSON = st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b":", b",", b"1", b"\n", b"\\", b"\xff", b"a"]))


@given(st.one_of(st.binary(), NEARLY_JSON.map(b"".join)), st.sampled_from([".json", ".jsonl"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_a_reader_raise_anything_else(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    try:
        assert all(isinstance(row.content, dict) for row in read_file(path))
    except DataError as error:
        assert all(fault.place.startswith(str(path)) for fault in error.faults)


# Hub ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("own_cache")
def test_a_local_folder_in_hub_form_is_read(tmp_path: Path) -> None:
    """A folder as `load_dataset` reads it, with parquet files (3 s: the library's own start)."""
    from datasets import Dataset

    folder = tmp_path / "gsm8k" / "data"
    folder.mkdir(parents=True)
    for name, count in (("train", 3), ("test", 2)):
        rows = [{"question": f"How many {name} {i}?", "answer": f"So.\n#### {i},000"} for i in range(1, count + 1)]
        Dataset.from_list(rows).to_parquet(folder / f"{name}-00000-of-00001.parquet")
    rows = read_hub(HubDataset(str(folder.parent), "main"))
    assert [row.split for row in rows] == [Split.TRAIN] * 3 + [Split.TEST] * 2
    assert rows[0].content["question"] == "How many train 1?"
    assert "split test, record 1" in rows[-1].place


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
