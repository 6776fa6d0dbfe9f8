"""Which families share prompts: all that compute the same either way, and none that do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from reasoning.recipe.training import ObjectiveSection
from reasoning.student.loading import new_model
from reasoning.training.prompt_sharing import can_share_prompts, layer_types, windows
from tests.reasoning.student_families import ENCODER_DECODERS, FAMILIES, Family, llama_sizes
from tests.reasoning.training.plain_losses import BATCH, assert_as_plain

pytestmark = pytest.mark.training

DECODERS = [family for family in FAMILIES if family.name not in ENCODER_DECODERS]


@pytest.mark.parametrize("family", DECODERS, ids=lambda family: family.name)
def test_a_family_shares_prompts_where_that_is_exact(family: Family) -> None:
    model = family.student().model
    assert can_share_prompts(model, 512) == family.shares
    assert can_share_prompts(model, 512, prompt_gradient=False) == family.shares
    if family.shares:
        if hasattr(model, "set_experts_implementation"):
            model.set_experts_implementation("eager")  # the fast one knows no float64
        assert_as_plain(model.double(), BATCH, ObjectiveSection(), shared=True)
    assert all(weight.grad is None for weight in model.parameters())  # the trial leaves nothing behind


# Windows under other names than `sliding_window`, each seen at 64 tokens and no window at 16.
WINDOWS = [
    ("MistralConfig", {"sliding_window": 32}),
    ("GPTNeoConfig", {"window_size": 32}),
    ("Llama4TextConfig", {"attention_chunk_size": 32}),
    (
        "Gemma3TextConfig",
        {"sliding_window": 32, "num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]},
    ),
    ("ModernBertDecoderConfig", {"local_attention": 32}),
]


@pytest.mark.parametrize(("name", "keys"), WINDOWS, ids=lambda value: value if isinstance(value, str) else "")
def test_windows_are_read_under_every_name(name: str, keys: dict[str, Any]) -> None:
    config = getattr(transformers, name)(**keys)
    assert min(windows(config)) in (32, 16)  # ModernBERT's is on either side


def test_what_is_no_window_is_none() -> None:
    config = transformers.Qwen2Config(use_sliding_window=False, sliding_window=32, max_window_layers=1)
    assert list(windows(config)) == []
    assert set(layer_types(config)) == {"full_attention"}


def test_a_window_under_a_name_that_nobody_knows_is_seen_in_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mistral's, were it called something else: at 24 tokens it does not matter, at 100 it does."""
    torch.manual_seed(0)
    model = new_model(transformers.MistralConfig(**llama_sizes(sliding_window=50)))
    monkeypatch.setattr("reasoning.training.prompt_sharing.windows", lambda _: iter(()))
    assert can_share_prompts(model, 24)
    assert not can_share_prompts(model, 100)


def test_the_language_model_loss_does_not_drown_an_error_of_the_triplets() -> None:
    """MPT's: the losses' totals agree to a thousandth, and the gradients are off by a tenth and more."""
    model = next(family for family in FAMILIES if family.name == "MPT").student().model
    for parameter in model.parameters():
        parameter.data *= 0.3  # a student whose logits are nearly level
    assert not can_share_prompts(model, 64)
