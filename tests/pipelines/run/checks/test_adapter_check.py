"""Rows of embeddings that adapters do not train are told before the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import parse_recipe
from reasoning.student.checkpoint import save_student
from tests.pipelines.run.checking import LAPTOP, SMALL
from tests.tiny_students import byte_tokenizer, tiny_llama

pytestmark = pytest.mark.training
LORA = "learning: {first_training: {lora: {rank: 2}}}"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def base_model(folder: Path, rows: int, *, template: str | None = None, end: str | None = None) -> Path:
    """A student with tokens of a chat that its model was not trained on; `end`: the one that its files name."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    model = tiny_llama(rows)
    if end is not None:
        model.generation_config.eos_token_id = [256, tokenizer.convert_tokens_to_ids(end)]
    save_student(model, tokenizer, folder)
    return folder


def test_rows_that_adapters_would_leave_alike_are_refused(tmp_path: Path) -> None:
    folder = base_model(tmp_path / "base", 258)
    grown = f"{SMALL}student: {{model: '{folder}', grow_embeddings: true}}\n"
    with pytest.raises(PreflightError, match=r"student\.grow_embeddings: 2 tokens have no row .* Leave lora out"):
        check(parse_recipe(grown + LORA, "mine.yaml"), "mine.yaml", LAPTOP)
    later = grown + "learning: {training: {lora: {rank: 2}}}"  # the first training fills them
    assert check(parse_recipe(later, "mine.yaml"), "mine.yaml", LAPTOP)


def test_an_end_that_a_base_model_does_not_know_is_said(tmp_path: Path) -> None:
    """As of Qwen2.5 and Llama 3: their base models have the token, and no row of it that was trained."""
    asked = f"{SMALL}student: {{model: '%s', prompt: chat}}\n"

    def notes(folder: Path, learning: str = LORA) -> list[str]:
        recipe = parse_recipe(asked % folder + learning, "mine.yaml")
        return [note for note in check(recipe, "mine.yaml", LAPTOP).notes if "<|im_end|>" in note]

    base = base_model(tmp_path / "base", 260, template=TEMPLATE)
    (note,) = notes(base)
    assert "answers may not end" in note and "instruct model" in note
    assert not notes(base, "")  # all weights are trained
    assert not notes(base_model(tmp_path / "instruct", 260, template=TEMPLATE, end="<|im_end|>"))
