"""Any file of questions, whatever it is called, and every fault named by its place."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.records import Split
from reasoning.tasks.data_files.reading import read_file, read_path
from reasoning.tasks.data_files.source_row import MAX_ROW
from tests.conftest import tries

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
    with pytest.raises(DataError, match="contains no questions"):
        read_file(cut)
    cut.write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="contains no questions"):
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


# The same rows in every dress -----------------------------------------------------------------------------------------

ROWS = [{"question": f'Is {i}, or\n; not "{i}"?', "answer": word} for i, word in enumerate(("yes", "no", "né", "4"))]


def text_table(separator: str, quoting: Any = csv.QUOTE_MINIMAL, end: str = "\r\n") -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows([list(ROWS[0]), *(list(row.values()) for row in ROWS)])
    return file.getvalue()


def packed(data: bytes, how: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, how) as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


def columnar(form: str) -> bytes:
    table, sink = pa.Table.from_pylist(ROWS), pa.BufferOutputStream()
    if form == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_file if form == "file" else pa.ipc.new_stream)(sink, table.schema) as writer:
            writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
SAME = {
    "lines.jsonl": LINES.encode(),
    "lines.json": LINES.encode(),
    "lines.csv": LINES.encode(),
    "put together.jsonl": b"".join(json.dumps(row).encode("utf-8-sig") + b"\n" for row in ROWS),
    "windows.jsonl": LINES.replace("\n", "\r\n").encode("utf-8-sig"),
    "notepad.jsonl": LINES.replace("\n", "\r\n").encode("utf-16"),
    "list.json": json.dumps(ROWS).encode(),
    "list.jsonl": json.dumps(ROWS, indent=2).encode(),
    "one line.jsonl": json.dumps(ROWS).encode(),
    "data.json": json.dumps({"version": "1", "data": ROWS}, indent=1).encode(),
    "capital.json": json.dumps({"Data": ROWS, "Version": 1.0}).encode(),
    "long objects.json": "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
    "columns.json": json.dumps(COLUMNS).encode(),
    "pandas.json": json.dumps({k: {str(i): v for i, v in enumerate(c)} for k, c in COLUMNS.items()}).encode(),
    "pandas split.json": json.dumps({"columns": list(COLUMNS), "data": [list(row.values()) for row in ROWS]}).encode(),
    "ids.json": json.dumps({f"q{i}": row for i, row in enumerate(ROWS)}).encode(),
    "hub rows.json": json.dumps({"rows": [{"row_idx": i, "row": row} for i, row in enumerate(ROWS)]}).encode(),
    "ids of rows that lack fields.json": json.dumps(
        {f"q{i}": row | ({"hint": "x"} if i % 2 else {}) for i, row in enumerate(ROWS)}
    ).encode(),
    "wrapped among others.json": json.dumps({"status": "ok", "data": {"items": ROWS, "next": None}}).encode(),
    "ids within.json": json.dumps({"questions": {f"q{i}": row for i, row in enumerate(ROWS)}}).encode(),
    "columns and rows.json": json.dumps(
        {"columns": list(COLUMNS), "rows": [list(row.values()) for row in ROWS]}
    ).encode(),
    "beside metadata.json": json.dumps({"response": {"data": ROWS}, "meta": {"count": 4}}).encode(),
    "squad.json": json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": ROWS}]}]}).encode(),
    "comma.csv": text_table(",").encode(),
    "comma.txt": text_table(",").encode(),
    "comma.json": text_table(",").encode(),
    "no suffix": text_table(",", csv.QUOTE_ALL, "\n").encode(),
    "excel.csv": text_table(";").encode("utf-8-sig"),
    "excel sep.csv": ("sep=;\r\n" + text_table(";")).encode("utf-8-sig"),
    "excel unicode.txt": text_table("\t").encode("utf-16"),
    "unmarked utf-16.csv": text_table(",").encode("utf-16-le"),
    "tabs.tsv": text_table("\t", end="\n").encode(),
    "tabs.csv": text_table("\t").encode(),
    "bars.csv": text_table("|").encode(),
    "index.csv": "".join(
        [
            ",question,answer\n",
            *(f'{i},"{r["question"].replace(chr(34), chr(34) * 2)}",{r["answer"]}\n' for i, r in enumerate(ROWS)),
        ]
    ).encode(),
    "blank rows.csv": (text_table(",") + ",\r\n\r\n" + "question,answer\r\n").encode(),
    "blanks first.csv": ("\r\n\r\n" + text_table(",")).encode(),
    "spaces.csv": text_table(",", csv.QUOTE_ALL).replace('","', '", "').encode(),
    "backslashes.csv": text_table(",").replace('""', '\\"').encode(),
    "wrapped.json": json.dumps({"result": {"rows": ROWS, "total": 4}}).encode(),
    "a.csv.gz": gzip.compress(text_table(",").encode()),
    "two members.gz": gzip.compress(text_table(",").encode()[:20]) + gzip.compress(text_table(",").encode()[20:]),
    "a.jsonl.zst": packed(LINES.encode(), "zstd"),
    "zst without its name.jsonl": packed(LINES.encode(), "zstd"),
    "in parallel.zst": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + packed(LINES.encode(), "zstd"),
    "put together.csv": "\r\n\ufeff".join(text_table(",", csv.QUOTE_ALL).split("\r\n", 2)).encode("utf-8-sig"),
    "dos.csv": text_table(",").encode() + b"\x1a",
    "a.bz2": packed(LINES.encode(), "bz2"),
    "a.json.xz": lzma.compress(json.dumps(ROWS).encode()),
    "a.parquet": columnar("parquet"),
    "parquet.json": columnar("parquet"),
    "a.arrow": columnar("stream"),
    "a.feather": columnar("file"),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_rows_come_of_every_form(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(SAME[name])
    rows = read_file(path)
    assert [{key: row.content[key] for key in ROWS[0]} for row in rows] == ROWS
    assert len({row.place for row in rows}) == len(ROWS) and all(row.place.startswith(f"{path}, ") for row in rows)


def test_a_single_object_is_one_row_and_its_lists_are_its_own(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    for row in (
        ROWS[0],
        {"messages": [{"role": "user", "content": "Is it?"}]},
        {"question": {"a": 1}, "answer": {"a": 2}},
    ):
        path.write_text(json.dumps(row, indent=1), encoding="utf-8")
        assert [one.content for one in read_file(path)] == [row]


def test_splits_that_a_file_names(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    parts = {"train": ROWS[:2], "validation": ROWS[2:3], "test": ROWS[3:]}
    path.write_text(json.dumps(parts), encoding="utf-8")
    assert [row.split for row in read_path(path)[0]] == [Split.TRAIN, Split.TRAIN, Split.TEST]
    path.write_text(json.dumps({"train": ROWS[:2], "dev": ROWS[2:]}), encoding="utf-8")
    assert [row.split for row in read_file(path)] == [Split.TRAIN] * 2 + [Split.TEST] * 2


def test_texts_that_tabs_separate_may_have_single_quotes_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('question\tanswer\nHow long is a 5" disk?\t5\n"Who?\tAda\n', encoding="utf-8")
    assert [row.content["question"] for row in read_file(path)] == ['How long is a 5" disk?', '"Who?']


# What is wrong --------------------------------------------------------------------------------------------------------

BAD = {
    "nothing.csv": (b"", "", "the file is empty", "give the task's file"),
    "mark alone.json": (b"\xef\xbb\xbf\n", "", "the file is empty", "give"),
    "header alone.csv": (b"question,answer\n", "", "no questions", "give"),
    "pointer.parquet": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "",
        "Git LFS pointer",
        "git lfs pull",
    ),
    "page.jsonl": (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", "", "a page of a web site", "sign in"),
    "page.csv": (b"<html>a,b</html>", "", "a page of a web site", "sign in"),
    "error.json": (
        b'{"error": "Repository not found"}',
        "",
        "a server's error, not data: 'Repository not found'",
        "sign in",
    ),
    "missing.txt": (b"404: Not Found", "", "it begins with '404: Not Found'", "a table needs"),
    "book.xlsx": (b"PK\x03\x04cut", "", "zip archive", "unpack it"),
    "book.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xx", "", "an Excel workbook", "save it as CSV UTF-8"),
    "a.pkl": (b"\x80\x04\x95\x00", "", "a Python pickle", "export it"),
    "a.db": (b"SQLite format 3\x00..", "", "an SQLite database", "export it"),
    "a.bin": (bytes(range(256)), "", "binary data", "export it"),
    "cut.csv.gz": (gzip.compress(text_table(",").encode())[:-12], "", "damaged gzip data", "again"),
    "cut.zst": (packed(LINES.encode(), "zstd")[:-9], "", "damaged zstd data", "again"),
    "cut.parquet": (columnar("parquet")[:-9], "", "a damaged Parquet or Arrow file", "again"),
    "cut.json": (b'[{"question": "a"},\n{"question":', ", line 2", "malformed JSON", "fix"),
    "python.jsonl": (b"{'question': 'a'}\n", ", line 1", "as Python writes an object", "json.dumps"),
    "commas.jsonl": (b'{"q": "a"},\n{"q": "b"},\n', ", line 1", "no comma after it", "remove the commas"),
    "first line.json": (b'{"q": "b"\n{"q": "a"}\n{"q": "b"}\n', ", line 1", "malformed JSON", "fix"),
    "comma.json": (b'[{"q": "a"},\n{"q": "b"},\n]', ", line 3", "a comma before a closing bracket", "remove that"),
    "two lists.json": (b'{"easy": [{"q": "a"}], "hard": [{"q": "b"}]}', "", "2 lists of rows, 'easy', 'hard'", "own"),
    "no names.csv": (b"How many birds are on a fence?,2\nHow many on two?,4\n", ", row 1", "has a question", "add a"),
    "latin.csv": (
        "question,answer\nCafé?,yes\n".encode("cp1252"),
        ", line 2",
        "invalid UTF-8",
        "save the file as UTF-8",
    ),
    "ragged.csv": (b"q,a\nOne?,1\nWell, two?,2\n", ", row 3", "3 cells, but the first row has 2", "in double quotes"),
    "open quote.csv": (b'q,a\n"One?,1\nTwo?,2\n', ", row 2", "malformed table", "unpaired double quote"),
    "odd quote.csv": (b'q,a\n"One\nline?",1\n"x" y,2\nz,3\n', ", row 3 (line 4)", "malformed table", "write it twice"),
    "twice.csv": (b"answer,answer\na,b\n", ", row 1", "'answer'", "a name for each column"),
    "title.csv": (
        b"My questions\nq,a\nOne?,1\nTwo?,2\nSix?,6\n",
        ", line 1",
        "before line 2",
        "remove the lines above",
    ),
    "comments.csv": (
        b"# by me\n# in May\nq,a\nOne?,1\nTwo?,2\n",
        ", line 1",
        "before line 3",
        "remove the lines above",
    ),
    "title cell.csv": (b"My questions,,\nq,a,\nOne?,1,\n", ", row 1", "only one column, 'My questions', of 3", "above"),
    "pairs.json": (
        json.dumps({f"What is {i} + 1?": i + 1 for i in range(9)}).encode(),
        "",
        "an object of 9 values by their names",
        "as a row",
    ),
    "lists.json": (b'[["q", "a"], ["One?", 1], ["Two?", 2]]', "", "each of its 3 rows is a list", "as an object"),
    "lists.jsonl": (b'["q", "a"]\n["One?", 1]\n', "", "each of its 2 rows is a list", "as an object"),
    "twice over.jsonl": (json.dumps(json.dumps(COIN)).encode() + b"\n", ", line 1", "written twice over", "only once"),
    "a.feather": (b"FEA1\x00\x00\x00\x00", "", "a Feather file of version 1", "export it"),
    "nothing.jsonl": (b"\x1a", "", "contains no questions", "give the task's file"),
    "words.txt": (b"hello\nworld\n", "", "it begins with 'hello world'", "a table needs"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_data_is_told_with_its_place_and_its_cure(tmp_path: Path, name: str) -> None:
    content, place, what, cure = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_file(path)
    fault = caught.value.faults[0]
    assert (fault.place, what in fault.what, cure in fault.cure) == (f"{path}{place}", True, True), str(fault)


@given(st.one_of(st.binary(), st.sampled_from(sorted(SAME))), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(200))
def test_damaged_files_of_every_form_raise_nothing_else(
    tmp_path: Path, content: bytes | str, data: st.DataObject
) -> None:
    """A good file with a byte changed, cut off, or put in."""
    if isinstance(content, str):
        whole = bytearray(SAME[content])
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        content = bytes(whole[: data.draw(st.sampled_from([len(whole), at, at + 1]))])
    path = tmp_path / "own"
    path.write_bytes(content)
    try:
        assert all(isinstance(row.content, dict) for row in read_file(path))
    except DataError as error:
        assert all(fault.place.startswith(str(path)) for fault in error.faults)


def test_a_folder_is_its_files_in_order(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        jsonl(tmp_path / f"part-{number}.jsonl", {"question": str(number)})
    (tmp_path / "README.md").write_text("# Data, and more", encoding="utf-8")
    rows, notes = read_path(tmp_path)
    assert [row.content["question"] for row in rows] == ["1", "2", "10"] and "part-1.jsonl" in notes[0]
    (tmp_path / "part-3.csv").write_bytes(b"PK\x03\x04")
    (tmp_path / "part-4.csv").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        read_path(tmp_path)
    assert [fault.place for fault in caught.value.faults] == [str(tmp_path / f"part-{i}.csv") for i in (3, 4)]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(
        DataError, match="neither a file nor a folder, but a pipe or a device; write the data to a file"
    ):
        read_file(tmp_path / "pipe.jsonl")
