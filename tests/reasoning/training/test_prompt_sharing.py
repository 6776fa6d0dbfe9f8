"""Which families share prompts: all that compute the same either way, and none that do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from reasoning.recipe.training import ObjectiveSection
from reasoning.student.loading import new_model
from reasoning.training.losses.term import Needs, Representations, TokenWeights
from reasoning.training.output_head import has_output_head
from reasoning.training.packed.last_layer import leaves_out_unread
from reasoning.training.prompt_sharing import can_pack, can_share_prompts, how_to_read, layer_types, windows
from tests.reasoning.student_families import ENCODER_DECODERS, FAMILIES, Family, llama_sizes
from tests.reasoning.training.losses.plain_losses import BATCH, PACKED, READINGS, SHARED, assert_as_plain

pytestmark = pytest.mark.training

ATTENTION_OF_THEIR_OWN = {"Gemma 2", "GPT-J", "Falcon"}  # not `sdpa`, or not by the registry of `transformers`
FEED_FORWARD_OF_THEIR_OWN = {"OPT"}  # two modules of the layer, not one
TRIPLETS = Needs(TokenWeights(0.0), Representations())
DECODERS = [family for family in FAMILIES if family.name not in ENCODER_DECODERS]


@pytest.mark.parametrize("family", DECODERS, ids=lambda family: family.name)
def test_a_family_shares_prompts_where_that_is_exact(family: Family) -> None:
    model = family.student().model
    assert can_share_prompts(model, 512) == family.shares
    assert can_share_prompts(model, 512, prompt_gradient=False) == family.shares
    packs = family.shares and family.name not in ATTENTION_OF_THEIR_OWN
    assert can_pack(model, 512) == packs
    assert leaves_out_unread(model) == (packs and family.name not in FEED_FORWARD_OF_THEIR_OWN)
    if family.shares:
        if hasattr(model, "set_experts_implementation"):
            model.set_experts_implementation("eager")  # the fast one knows no float64
        for reading in (SHARED, how_to_read(model, 512, 64, TRIPLETS)) if packs else (SHARED,):
            assert_as_plain(model.double(), BATCH, ObjectiveSection(), reading)
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


def test_a_student_is_read_the_fastest_way_that_it_allows() -> None:
    llama = new_model(transformers.LlamaConfig(**llama_sizes()))
    assert how_to_read(llama, 64, 64, TRIPLETS) == READINGS["packed, unread left out"]
    assert how_to_read(llama, 64, 64, Needs(TokenWeights(0.1))) == READINGS["packed, unread left out"]
    opt = new_model(transformers.OPTConfig(vocab_size=99, hidden_size=64, num_attention_heads=2, num_hidden_layers=2))
    assert how_to_read(opt, 64, 64, TRIPLETS) == PACKED
    gemma = new_model(transformers.Gemma2Config(**llama_sizes(head_dim=32, sliding_window=1024)))
    assert how_to_read(gemma, 64, 64, TRIPLETS) == READINGS["shared, from hidden states"]
    assert how_to_read(gemma, 64, 64, Needs(TokenWeights(0.1))) == READINGS["apart, from hidden states"]
    window = new_model(transformers.MistralConfig(**llama_sizes(sliding_window=50)))
    assert how_to_read(window, 64, 64, TRIPLETS) == READINGS["apart, from hidden states"]
    assert window.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", ["Llama", "Qwen3", "Mixtral", "Mistral 0.1", "Qwen3.5 (text)"])
def test_a_student_in_half_precision_is_told_apart_too(name: str) -> None:
    family = next(family for family in FAMILIES if family.name == name)
    model = family.student().model.bfloat16()
    assert has_output_head(model)
    assert can_pack(model, 512) == family.shares


@pytest.mark.parametrize("longest", [4, 8, 10, 12, 16, 24, 25])
@pytest.mark.parametrize("prompt_gradient", [True, False])
def test_a_student_packs_however_short_its_examples_are(longest: int, prompt_gradient: bool) -> None:
    llama = new_model(transformers.LlamaConfig(**llama_sizes()))
    assert can_pack(llama, 64, prompt_gradient=prompt_gradient, longest=longest)
    assert leaves_out_unread(llama)


def test_a_student_that_does_not_pack_keeps_its_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window under a name that nobody knows, longer than the short trial and shorter than the long one."""
    model = new_model(transformers.MistralConfig(**llama_sizes(sliding_window=50)))
    monkeypatch.setattr("reasoning.training.prompt_sharing.windows", lambda _: iter(()))
    assert not can_pack(model, 100)
    assert model.config._attn_implementation == "sdpa"


def test_the_language_model_loss_does_not_drown_an_error_of_the_triplets() -> None:
    """MPT's: the losses' totals agree to a thousandth, and the gradients are off by a tenth and more."""
    model = next(family for family in FAMILIES if family.name == "MPT").student().model
    for parameter in model.parameters():
        parameter.data *= 0.3  # a student whose logits are nearly level
    assert not can_share_prompts(model, 64)
