"""Every script's digits and signs are plain ASCII; what is plain stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.grading.extraction.numerals import plain_numerals


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("４２", "42"),
        ("٤٢", "42"),
        ("४२", "42"),
        ("−5 – 3", "-5 - 3"),
        ("10³", "10^3"),
        ("10⁻³", "10^-3"),
        ("cm²", "cm"),
        ("3½", "3 1/2"),
        ("−¾", "-3/4"),
        ("1\u00a0000", "1 000"),
        ("4\u200b2", "42"),
        ("3·14", "3×14"),
        ("（Ａ）", "(A)"),
        ("1⁄2", "1/2"),
        ("plain 42", "plain 42"),
    ],
)
def test_what_is_the_same_to_a_reader(text: str, plain: str) -> None:
    assert plain_numerals(text) == plain


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert isinstance(plain_numerals(text), str)
