"""Logits made of hidden states are the student's own, whatever it does to them; or the student is not read this way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reasoning.student.loading import new_model
from reasoning.training.output_head import OutputHead, decoder_of, has_output_head
from tests.reasoning.student_families import FAMILIES, llama_sizes
from tests.tiny_students import tiny_llama

pytestmark = pytest.mark.training

# Each way in which a family makes its logits otherwise than by one matrix.
OTHERWISE = [
    ("LlamaConfig", {"tie_word_embeddings": True}),
    ("Gemma2Config", {"head_dim": 32, "final_logit_softcapping": 3.0}),
    ("GraniteConfig", {"logits_scaling": 8.0}),
    ("CohereConfig", {"logit_scale": 0.25}),
    ("PhiConfig", {"num_key_value_heads": 2}),  # a bias
]


@pytest.mark.parametrize(("name", "keys"), OTHERWISE, ids=lambda value: value if isinstance(value, str) else "")
def test_scales_caps_and_biases_are_in_the_logits(name: str, keys: dict[str, Any]) -> None:
    import transformers

    torch.manual_seed(0)
    model = new_model(getattr(transformers, name)(**llama_sizes(**keys))).eval()
    assert has_output_head(model)
    ids = torch.tensor([[5, 6, 7, 8]])
    ours = OutputHead(model)(decoder_of(model)(input_ids=ids).last_hidden_state)
    torch.testing.assert_close(ours, model(input_ids=ids).logits)


def test_logits_that_a_student_changes_in_a_way_of_its_own_are_left_to_it() -> None:
    class Louder(nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, **options: Any) -> Any:
            output = self.model(**options)
            output.logits = output.logits * 1.5
            return output

        def __getattr__(self, name: str) -> Any:
            return super().__getattr__(name) if name == "model" else getattr(self.model, name)

    model = tiny_llama(40)
    assert has_output_head(model)
    assert not has_output_head(Louder(model))


def test_a_family_that_does_more_than_is_known_is_seen_by_the_trial() -> None:
    """Llama 4 (text) has no part that ends with the hidden states."""
    model = next(family for family in FAMILIES if family.name == "Llama 4 (text)").student().model
    assert not has_output_head(model)


def test_the_trial_leaves_the_student_as_it_was() -> None:
    model = tiny_llama(40).train()
    weights: list[Tensor] = [weight.clone() for weight in model.parameters()]
    assert has_output_head(model) and model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(model.parameters(), weights, strict=True))
