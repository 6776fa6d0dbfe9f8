"""Four ways to read a student, one result: decoders of several kinds, encoder-decoders, and what is read how often."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPTNeoXConfig,
    MambaConfig,
    MistralConfig,
    OPTConfig,
    Qwen3Config,
)

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.table import terms_of
from reasoning.training.objectives import Objective
from reasoning.training.prompt_sharing import can_share_prompts
from tests.reasoning.training.losses.plain_losses import (
    APART,
    BATCH,
    SHARED,
    VOCABULARY,
    assert_as_plain,
    triplet_count,
)
from tests.tiny_students import tiny_llama
from tests.tiny_t5 import tiny_t5

pytestmark = pytest.mark.training

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
    assert can_share_prompts(model, 64, prompt_gradient=False)
    assert_as_plain(model, BATCH, ObjectiveSection(), SHARED)
    if config.model_type in ("qwen3", "mistral"):  # the others' keys and values come out of one module
        assert_as_plain(model, BATCH, ObjectiveSection(prompt_gradient=False), SHARED)


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
        assert not can_share_prompts(model, 64, prompt_gradient=False)
        assert_as_plain(model, BATCH, ObjectiveSection(), APART)


def test_any_encoder_decoder_gives_the_plain_losses() -> None:
    torch.manual_seed(1)
    config = BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, dropout=0.0,
        decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64, init_std=0.2,
        pad_token_id=0, bos_token_id=2, eos_token_id=1, decoder_start_token_id=1,
    )  # fmt: skip
    assert_as_plain(BartForConditionalGeneration(config).double(), BATCH, ObjectiveSection(), APART)


@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_every_prompt_is_read_once(encoder_decoder: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny_t5(VOCABULARY) if encoder_decoder else tiny_llama(VOCABULARY)
    reader = model.get_encoder() if encoder_decoder else model
    shapes: list[tuple[int, ...]] = []
    forward = reader.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(reader, "forward", watched)
    for prompt_gradient in (True, False):
        section = ObjectiveSection(prompt_gradient=prompt_gradient)
        Objective(model, terms_of(section), 0, SHARED)(tuple(BATCH), (1, triplet_count(BATCH)))
    if encoder_decoder:
        assert shapes == [(4, 4)] * 2
    else:  # of widths: prompt and anchor, positive, negative; prompt and anchor, then the triplets' completions
        assert shapes == [(4, 9 + 5 + 4), (4, 9), (2, 3 + 5 + 4)]
