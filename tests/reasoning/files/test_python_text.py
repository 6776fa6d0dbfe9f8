"""Lists and objects as Python and NumPy print them, and what is none of these."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.files.python_text import python_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['a', 'b']", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("[-1 2\n 3]", [-1, 2, 3]),
        ("{'a': None, 'b': [True]}", {"a": None, "b": [True]}),
        ("[{'a': 1}\n {'a': 2}]", [{"a": 1}, {"a": 2}]),
        ("array(['x', 'y'], dtype=object)", ["x", "y"]),
        ("array([1, 2], dtype=int32)", [1, 2]),
        ("array([['a','b'],['c','d']], dtype='<U1')", [["a", "b"], ["c", "d"]]),
        ("{'text': array(['x',\n       'y'], dtype=object), 'n': array([3])}", {"text": ["x", "y"], "n": [3]}),
        ("[array(['a'], dtype=object) array(['b'], dtype=object)]", [["a"], ["b"]]),
        ("[{'say': 'it\\'s [1 2] {x}...'}\n {'say': \"'\"}]", [{"say": "it's [1 2] {x}..."}, {"say": "'"}]),
    ],
)
def test_what_is_printed_is_read(text: str, value: Any) -> None:
    assert python_value(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "5", "array(5)", "{1, 2}", "[1 2", "['a' ... 'b']", "[nan]", "[x for x in y]", "[1+2]"),
        *("[__import__('os')]", "{'a': f'x'}", "[datetime.date(2024, 1, 1)]", "{'a'", "array(", "[" * 10_000),
    ],
)
def test_other_text_is_none_and_is_not_run(text: str) -> None:
    assert python_value(text) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=4), JSON, max_size=3))
def test_what_python_prints_comes_back(value: Any) -> None:
    assert python_value(repr(value)) == value
