"""Worked examples stand before the question, or their file is refused with its fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.prompts.files import PromptError
from reasoning.prompts.student_forms import student_form
from tests.reasoning.prompts.written import written


def test_demonstrations_stand_before_the_question(tmp_path: Path) -> None:
    shown = Path(written(tmp_path, "- {question: 'One?', rationale: It is one., answer: '1'}\n", "shown.yaml"))
    form = student_form("few_shot_cot", shown)
    assert form.prompt("Two?") == "Q: One?\nA: It is one. The answer is 1.\n\nQ: Two?\nA:"
    with pytest.raises(PromptError, match=r"student\.demonstrations"):
        student_form("few_shot_cot")
    with pytest.raises(PromptError, match=r"0\.answer"):
        student_form("few_shot_cot", Path(written(tmp_path, "- {question: 'One?'}", "bad.yaml")))
