"""Lists of answers, however they are written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.kinds.alternatives import alternatives, written_list


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Paris", ["Paris"]),
        (5, [5]),
        (["a", ["b", {"text": "c"}], ""], ["a", "b", "c"]),
        ({"text": ["a"], "answer_start": [1]}, ["a"]),
        ({"Yes": 1, "No": 0}, [{"Yes": 1, "No": 0}]),
        ({"text": 1, "value": 0}, [{"text": 1, "value": 0}]),
        ("[a, b]", ["[a, b]"]),
    ],
)
def test_the_answers_that_a_value_states(value: Any, found: list[Any]) -> None:
    assert alternatives(value) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['it\\'s', \"b\"]", ["it's", "b"]),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),
        ("['a' 'b', 'c']", None),
        ("[1, 2]", [1, 2]),
        ("[]", None),
        ("[x]", None),
        ("[__import__('os')]", None),
        ("[" * 9999 + "]", None),
    ],
)
def test_a_list_that_a_text_writes_out(text: str, found: list[Any] | None) -> None:
    assert written_list(text) == found


@given(st.text(st.sampled_from("[]{}'\",ab \n\\1(:"), max_size=20))
def test_any_text_is_a_list_or_none(text: str) -> None:
    found = written_list(f"[{text}]")
    assert found is None or isinstance(found, list)
