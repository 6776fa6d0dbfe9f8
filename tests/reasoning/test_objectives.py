"""The losses are those of the method, computed here again in the plainest way: float64, one sequence at a time, no
padding, no mask, no shared prompt."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    Qwen3Config,
)

from reasoning.batches import Sample
from reasoning.objectives import Objective, can_share_prompts, predicted_tokens, representation
from reasoning.recipe import ObjectiveSection
from tests.tiny_students import tiny_llama

VOCABULARY = 40
ids = st.integers(1, VOCABULARY - 1)
completions = st.lists(ids, min_size=1, max_size=9).map(tuple)
samples = st.builds(
    Sample, st.lists(ids, min_size=1, max_size=7).map(tuple), completions, st.none() | completions,
    st.none() | completions,
)  # fmt: skip
sections = st.builds(
    ObjectiveSection, prompt_weight=st.sampled_from([0.0, 0.1, 1.0]), contrastive_weight=st.sampled_from([0.0, 0.5, 2]),
    margin=st.sampled_from([0.0, 0.3, 1.0]), representation=st.sampled_from(["last", "mean"]),
)  # fmt: skip


def _model(**changes: Any) -> LlamaForCausalLM:
    return tiny_llama(VOCABULARY, eos_token_id=1, **changes).double()


def _hidden_and_logits(model: Any, tokens: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    output = model(input_ids=torch.tensor([tokens]), output_hidden_states=True, use_cache=False)
    return output.hidden_states[-1][0], output.logits[0]


def _plain_losses(model: Any, batch: list[Sample], section: ObjectiveSection) -> list[torch.Tensor]:
    """Total, language-model and triplet loss by METHOD.md's formulas."""
    language, predicted, triplets = torch.zeros((), dtype=torch.float64), 0, []
    for sample in batch:
        tokens = sample.prompt + sample.anchor
        _, logits = _hidden_and_logits(model, tokens)
        for place in range(1, len(tokens)):
            weight = section.prompt_weight if place < len(sample.prompt) else 1.0
            language = language - weight * torch.log_softmax(logits[place - 1], dim=-1)[tokens[place]]
        predicted += len(tokens) - 1
        if sample.positive is None or sample.negative is None:
            continue
        vectors = []
        for completion in (sample.anchor, sample.positive, sample.negative):
            hidden = _hidden_and_logits(model, sample.prompt + completion)[0][len(sample.prompt) :]
            vectors.append(hidden[-1] if section.representation == "last" else hidden.mean(dim=0))
        pull, push = (functional.cosine_similarity(vectors[0], other, dim=0) for other in vectors[1:])
        triplets.append(torch.clamp(push - pull + section.margin, min=0.0))
    language = language / predicted if predicted else language
    contrast = sum(triplets) / len(triplets) if triplets and section.contrastive_weight else torch.zeros(())
    return [language + section.contrastive_weight * contrast, language, contrast]


def _gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _assert_as_plain(model: Any, batch: list[Sample], section: ObjectiveSection, *, shared: bool, pad: int = 0) -> None:
    model.eval()
    objective = Objective(model, section, pad, shares_prompt=shared)
    ours = objective(tuple(batch), predicted_tokens(batch), sum(s.is_triplet for s in batch))
    plain = _plain_losses(model, batch, section)
    for mine, theirs in zip(ours, plain, strict=True):
        assert math.isclose(mine.item(), theirs.item(), rel_tol=0, abs_tol=1e-6)
    if plain[0].requires_grad:
        for mine, theirs in zip(_gradients(model, ours[0]), _gradients(model, plain[0]), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.lists(samples, min_size=1, max_size=5), sections, st.booleans(), st.integers(0, 3))
def test_losses_and_gradients_equal_the_plain_computation(
    batch: list[Sample], section: ObjectiveSection, shared: bool, pad: int
) -> None:
    _assert_as_plain(_model(), batch, section, shared=shared, pad=pad)


BATCH = [
    Sample((5, 6, 7), (8, 9, 1), (10, 1), (11, 12, 13, 1)),
    Sample((5,), (8, 1), (9, 14, 15, 16, 1), (17, 1)),
    Sample((20, 21, 22, 23), (24, 25, 26, 27, 1), None, (28, 1)),
    Sample((20, 21), (24, 1), (29, 1), None),
]
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "initializer_range": 0.2,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": None,
}
DECODERS = [
    Qwen3Config(**SMALL, intermediate_size=96, num_key_value_heads=1, head_dim=32, tie_word_embeddings=True),
    MistralConfig(**SMALL, intermediate_size=96, num_key_value_heads=1, sliding_window=None),
    OPTConfig(**SMALL, ffn_dim=96, word_embed_proj_dim=64, dropout=0.0),
    GPT2Config(**SMALL, n_positions=64, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0),
    GPTNeoXConfig(**SMALL, intermediate_size=96),
]


@pytest.mark.parametrize("config", DECODERS, ids=lambda config: config.model_type)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_any_decoder_shares_prompts_and_gives_the_plain_losses(config: Any, attention: str) -> None:
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).double()
    assert can_share_prompts(model, 64)
    _assert_as_plain(model, BATCH, ObjectiveSection(), shared=True)


def test_decoders_that_cannot_share_prompts_are_told_apart_and_still_right() -> None:
    torch.manual_seed(1)
    windowed = AutoModelForCausalLM.from_config(
        MistralConfig(**SMALL, intermediate_size=96, num_key_value_heads=1, sliding_window=4)
    ).double()
    recurrent = AutoModelForCausalLM.from_config(
        MambaConfig(**{k: SMALL[k] for k in ("vocab_size", "hidden_size", "num_hidden_layers")}, state_size=4)
    ).double()
    for model in (windowed, recurrent):
        assert not can_share_prompts(model, 64)
        _assert_as_plain(model, BATCH, ObjectiveSection(), shared=False)


def test_no_triplet_is_computed_when_none_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model()
    widths: list[int] = []
    forward = model.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        widths.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", watched)
    alone = max(sample.length for sample in BATCH)
    for section, batch in [
        (ObjectiveSection(contrastive_weight=0.0), BATCH),
        (ObjectiveSection(), [s for s in BATCH if not s.is_triplet]),
    ]:
        objective = Objective(model, section, 0, shares_prompt=True)
        objective(tuple(batch), predicted_tokens(batch), sum(s.is_triplet for s in batch))
    assert widths == [alone, alone]


@pytest.mark.parametrize("kind", ["last", "mean"])
def test_a_representation_of_nothing_is_finite(kind: Any) -> None:
    vectors = representation(torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), kind)
    assert vectors.shape == (2, 4)
    assert torch.isfinite(vectors).all()


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    model = _model().eval()
    objective = Objective(model, ObjectiveSection(), 0, shares_prompt=True)
    counts = predicted_tokens(BATCH), sum(s.is_triplet for s in BATCH)
    whole = objective(tuple(BATCH), *counts)
    parts = [objective((sample,), *counts) for sample in BATCH]
    for index in range(3):
        assert math.isclose(whole[index].item(), sum(part[index].item() for part in parts), abs_tol=1e-9)


def test_bfloat16_passes_give_float32_losses_close_to_the_exact_ones() -> None:
    model = _model().float().eval()
    counts = predicted_tokens(BATCH), sum(s.is_triplet for s in BATCH)
    for shared in (True, False):
        objective = Objective(model, ObjectiveSection(), 0, shares_prompt=shared)
        exact = objective(tuple(BATCH), *counts)
        with torch.autocast("cpu", torch.bfloat16):
            rough = objective(tuple(BATCH), *counts)
        assert rough[0].dtype == torch.float32
        for mine, theirs in zip(rough, exact, strict=True):
            assert math.isclose(mine.item(), theirs.item(), rel_tol=0.03)
