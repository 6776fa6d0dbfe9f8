"""JSON and JSON Lines from outside: lines in bounded memory, and every fault with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reasoning.files.data_error import DataError
from reasoning.files.json_files import json_lines, json_values, kind_of_value, read_json, read_text


def file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = file(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": "\xe2\x80\xa8"}')
    found = [(line.number, line.place, line.value()) for line in json_lines(path)]
    assert found == [(1, f"{path}, line 1", {"a": 1}), (4, f"{path}, line 4", {"b": "\u2028"})]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"a"', "malformed JSON: Expecting ':' delimiter (column 5)"),
        (b'["\xff"]', "invalid UTF-8 (byte 2)"),
        (b"[" * 1000 * 100, "JSON that cannot be read"),
        (b"9" * 5000, "JSON that cannot be read"),
    ],
)
def test_a_fault_names_file_and_line_and_leaves_the_others_readable(tmp_path: Path, line: bytes, what: str) -> None:
    path = file(tmp_path, b"1\n" + line + b"\n3")
    first, second, third = json_lines(path, cure="mend it")
    assert (first.value(), third.value(), third.number) == (1, 3, 3)
    with pytest.raises(DataError) as caught:
        second.value()
    assert str(caught.value).startswith(f"{path}, line 2: {what}") and str(caught.value).endswith("mend it")


@pytest.mark.parametrize("length", [64, 65, 66, 128, 129, 130, 131, 1000])
def test_a_line_that_is_too_long_is_refused_and_hides_no_other(tmp_path: Path, length: int) -> None:
    path = file(tmp_path, f'"{"x" * (length - 2)}"\n2')
    first, second = json_lines(path, most_bytes=64)
    assert (second.number, second.value()) == (2, 2)
    assert len(first.raw) <= 65
    if length == 64:
        assert first.value() == "x" * 62
    else:
        with pytest.raises(DataError, match="line 1: a line of more than"):
            first.value()


def test_lines_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = file(tmp_path, "1\n" * 100_000)
    lines = json_lines(path)
    assert next(lines).value() == 1
    with path.open("r+b") as changed:
        changed.truncate(0)
    assert sum(1 for _ in lines) < 99_999


def test_not_a_number_is_read_as_python_writes_it_is_nothing_in_a_row_and_refused_elsewhere(tmp_path: Path) -> None:
    path = file(tmp_path, '{"a": NaN, "b": -Infinity}')
    (line,) = json_lines(path)
    assert str(line.value()["a"]) == "nan"
    assert line.value(strict=True) == json_values(path.read_bytes(), "")[0][1] == {"a": None, "b": None}
    with pytest.raises(DataError, match="NaN is not a valid number"):
        read_json(path)


@pytest.mark.parametrize("text", ["[1,\n]", '{"a": 1 ,\n }'])
def test_a_comma_too_many_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="line 2: malformed JSON: a comma before a closing bracket; remove that comma"):
        read_json(file(tmp_path, text))


def test_a_whole_file_is_refused_with_the_line_at_fault(tmp_path: Path) -> None:
    assert read_json(file(tmp_path, b'\xef\xbb\xbf{"a":\n[1]}')) == {"a": [1]}
    with pytest.raises(DataError, match="line 3: malformed JSON"):
        read_json(file(tmp_path, '{"a":\n1,\n"b"}'))
    with pytest.raises(DataError, match="line 2: invalid UTF-8"):
        read_text(file(tmp_path, b"a\n\xff"))


@pytest.mark.parametrize("read", [read_text, read_json, lambda path: list(json_lines(path))])
def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)


def test_every_kind_of_value_has_a_name() -> None:
    values = json.loads('[{}, [], "a", true, 1, 1.5, null]')
    named = ["an object", "a list", "a text", "true or false", "a number", "a number", "null"]
    assert [kind_of_value(value) for value in values] == named


NEARLY_JSON = st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b":", b",", b"1", b"\n", b"\\", b"\xff", b"a"]))


@given(st.one_of(st.binary(), NEARLY_JSON.map(b"".join)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_a_reader_raise_anything_else(tmp_path: Path, content: bytes) -> None:
    path = file(tmp_path, content)
    numbers = []
    for line in json_lines(path, most_bytes=8):
        numbers.append(line.number)
        try:
            line.value()
        except DataError as error:
            assert error.place == line.place
    assert numbers == sorted(set(numbers))
