"""A student that was set to packed attention is the student it was, and is the same when a layer is computed again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, MptConfig

from reasoning.recipe.training import ObjectiveSection
from reasoning.student.checkpoint import load_student, save_student
from reasoning.training.losses.table import terms_of
from reasoning.training.objectives import Objective
from reasoning.training.packed.attention import attend_as_before, attend_packed
from reasoning.training.prompt_sharing import set_to
from tests.reasoning.training.losses.plain_losses import BATCH, READINGS, VOCABULARY, gradients, tiny_model
from tests.tiny_students import tiny_llama, tiny_student

pytestmark = pytest.mark.training


def test_without_a_packed_row_it_is_the_attention_it_replaces() -> None:
    model = tiny_llama(40).eval()
    ids, seen = torch.tensor([[0, 5, 6, 7], [8, 9, 10, 11]]), torch.tensor([[0, 1, 1, 1], [1, 1, 1, 1]])

    def outputs() -> list[torch.Tensor]:
        asked = {"input_ids": ids, "attention_mask": seen}
        return [model(**asked).logits[seen.bool()], model.generate(**asked, max_new_tokens=5, do_sample=False)]

    before = outputs()
    assert attend_packed(model) and attend_packed(model)
    for mine, theirs in zip(outputs(), before, strict=True):
        torch.testing.assert_close(mine, theirs)
    attend_as_before(model)
    assert model.config._attn_implementation == "sdpa"


def test_a_student_is_saved_without_it(tmp_path: Path) -> None:
    student = tiny_student()
    assert attend_packed(student.model)
    save_student(student.model, student.tokenizer, tmp_path)
    assert "packed" not in (tmp_path / "config.json").read_text()
    again = load_student(str(tmp_path)).model.eval()
    assert again.config._attn_implementation == "sdpa"
    ids = torch.tensor([[81, 58, 32]])
    torch.testing.assert_close(again(input_ids=ids).logits, student.model.eval()(input_ids=ids).logits)


def test_a_student_with_attention_of_its_own_keeps_it() -> None:
    sizes = {"vocab_size": VOCABULARY, "d_model": 64, "n_heads": 2, "n_layers": 1}
    model = AutoModelForCausalLM.from_config(MptConfig(**sizes))
    assert not attend_packed(model)


@pytest.mark.parametrize("prompt_gradient", [True, False])
@pytest.mark.parametrize("how", ["packed", "packed, unread left out"])
def test_layers_that_are_computed_again_in_the_backward_pass_find_their_row(how: str, prompt_gradient: bool) -> None:
    """Two rows are under way before the first goes back, as where losses of several are added up."""
    section = ObjectiveSection(prompt_gradient=prompt_gradient)
    found = []
    for again in (False, True):
        model = tiny_model().train()
        assert set_to(model, READINGS[how])
        if again:
            model.gradient_checkpointing_enable()
        objective = Objective(model, terms_of(section), 0, READINGS[how])
        losses = [objective(tuple(part), objective.counts(BATCH))[0] for part in (BATCH[:1], BATCH[1:])]
        found.append(gradients(model, torch.stack(losses).sum()))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs)
