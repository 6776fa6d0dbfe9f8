"""Prompts are files: found by name or path, filled in as text, identified by their content."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.prompts.files import PromptError, fill, read_prompt
from reasoning.prompts.student_forms import student_form
from tests.reasoning.prompts.written import written


@given(st.text(), st.text())
def test_what_is_filled_in_is_text(value: str, other: str) -> None:
    assert fill("{question} \\frac{1}{2} {answer}", question=value, answer=other) == f"{value} \\frac{{1}}{{2}} {other}"
    assert fill("{question}", question="{answer}", answer="18") == "{answer}"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PromptError, match="known are chat, few_shot_cot"):
        student_form("reasonning")


def test_an_edited_prompt_has_another_id(tmp_path: Path) -> None:
    name = written(tmp_path, "prompt: 'Q: {question}'\ncompletion: ' {answer}'")
    before = read_prompt(name, "student").id
    written(tmp_path, "prompt: 'Ask: {question}'\ncompletion: ' {answer}'")
    assert before != read_prompt(name, "student").id and before.startswith("mine-")
