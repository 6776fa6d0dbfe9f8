"""Paper B's few-shot prompts become demonstrations that this project's prompts can show."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.exchange.paper_b_prompts import prompt_tasks, read_prompt_demonstrations, write_demonstrations
from reasoning.files.data_error import DataError
from reasoning.prompts.demonstrations import Demonstration, read_demonstrations
from tests.reasoning.exchange.samples import write

EGGS = (
    "Q: A hen lays 2 eggs a day.\nHow many in 9 days?\nA: 2 x 9 = 18. So the answer is 18 of 1 hen. The answer is 18."
)
LETTERS = "Q: Which is it?\nChoices: (A) one, (B) two.\nA: Two is more. So the answer is (B)."
PROMPTS = {
    "gsm8k": {"prompt": f"{EGGS}\n{LETTERS}", "sample_indices": [], "comment": "adapted"},
    "aqua": {"prompt": LETTERS},
}


def test_a_prompt_is_taken_apart_into_its_examples(tmp_path: Path) -> None:
    path = write(tmp_path / "few_shot_cot_prompts.json", PROMPTS)
    assert prompt_tasks(path) == ["gsm8k", "aqua"]
    eggs, letters = read_prompt_demonstrations(path, "gsm8k")
    assert eggs.question == "A hen lays 2 eggs a day.\nHow many in 9 days?"
    assert (eggs.rationale, eggs.answer) == ("2 x 9 = 18. So the answer is 18 of 1 hen.", "18")
    assert (letters.rationale, letters.answer) == ("Two is more.", "B")


def test_they_are_written_in_the_form_that_a_recipe_names(tmp_path: Path) -> None:
    found = read_prompt_demonstrations(write(tmp_path / "p.json", PROMPTS), "aqua")
    write_demonstrations(tmp_path / "demos.yaml", [*found, Demonstration("Und “ö”?", "Ja: ö.", "no")])
    assert read_demonstrations(tmp_path / "demos.yaml") == (*found, Demonstration("Und “ö”?", "Ja: ö.", "no"))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "p.json", PROMPTS)
    with pytest.raises(DataError, match="no prompt for svamp; it has gsm8k, aqua"):
        read_prompt_demonstrations(path, "svamp")
    with pytest.raises(DataError, match=r"line 3, example 1 of gsm8k: .*'the answer is X'"):
        read_prompt_demonstrations(write(path, {"gsm8k": {"prompt": "Q: Why?\nA: Because."}}), "gsm8k")
    with pytest.raises(DataError, match="line 2: gsm8k: it has no text 'prompt'"):
        read_prompt_demonstrations(write(path, {"gsm8k": {"comment": "none"}}), "gsm8k")
    with pytest.raises(DataError, match="no example that begins with 'Q:'"):
        read_prompt_demonstrations(write(path, {"gsm8k": {"prompt": "Hello."}}), "gsm8k")
