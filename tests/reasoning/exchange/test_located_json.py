"""JSON with its lines: the same values as the standard library's, and every fault with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.exchange.located_json import read_located
from reasoning.files.data_error import DataError
from tests.inputs.json_values import json_values

VALUES = json_values(finite=True)


def file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@settings(deadline=None)
@given(value=VALUES, indent=st.sampled_from([None, 1, 4]), depth=st.integers(0, 4))
def test_it_reads_what_the_standard_library_reads(
    value: object, indent: int | None, depth: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = file(tmp_path_factory.mktemp("json"), json.dumps(value, indent=indent))
    assert read_located(path, depth).plain() == value


def test_every_node_knows_its_line(tmp_path: Path) -> None:
    root = read_located(file(tmp_path, json.dumps({"a": [1, {"deep": "x\n"}], "b": 2}, indent=4)), depth=2)
    assert root.members is not None
    (a, first), (b, second) = root.members
    assert (a, first.line, b, second.line) == ("a", 2, "b", 8)
    assert first.elements is not None
    assert [(node.line, node.value) for node in first.elements] == [(3, 1), (4, {"deep": "x\n"})]


def test_a_repeated_key_is_seen_twice(tmp_path: Path) -> None:
    root = read_located(file(tmp_path, '{"q": [1],\n "q": [2]}'), depth=1)
    assert [(key, node.line, node.value) for key, node in root.members or ()] == [("q", 1, [1]), ("q", 2, [2])]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert read_located(file(tmp_path, b"\xef\xbb\xbf[1]"), depth=0).plain() == [1]


@pytest.mark.parametrize(
    ("content", "place", "what"),
    [
        (b'{"a": ["x"],\n"b": ["\xff"]}', "line 2", "UTF-8"),
        ('{"a": ["x",\n"b": 3}', "line 2", "Expecting ','"),
        ('{"a": ["x"]\n', "line 2", "Expecting ',' or '}'"),
        ('{"a": ["x"]}\n}', "line 2", "Extra data"),
        ('{"a": [1],\n}', "line 2", "double quotes"),
        ('{"a"\n [1]}', "line 2", "Expecting ':'"),
        ("", "line 1", "Expecting value"),
        ('\n["half', "line 2", "Unterminated string"),
        ('["\t"]', "line 1", "control character"),
        ("[[\n" + "[" * 200_000, "line 2", "cannot be read"),
        ("[\n" + "9" * 10_000 + "]", "line 2", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(content: str | bytes, place: str, what: str, tmp_path: Path) -> None:
    path = file(tmp_path, content)
    with pytest.raises(DataError) as refused:
        read_located(path, depth=2)
    assert f"{path}, {place}: " in str(refused.value) and what in str(refused.value)


@settings(deadline=None)
@given(text=st.text(alphabet='{}[]",:\\ \nu12ntrue.e-'))
def test_whatever_the_text_only_a_data_error_leaves(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = file(tmp_path_factory.mktemp("json"), text)
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        with pytest.raises(DataError):
            read_located(path, depth=2)
    else:
        node = read_located(path, depth=2)
        assert json.dumps(node.plain()) == json.dumps(expected)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_located(tmp_path / "nowhere.json", depth=1)
