"""Each use of `transformers` beyond its documented interface still holds; a failure names what an upgrade moved."""

from __future__ import annotations

import torch
from transformers import DynamicCache
from transformers.models.auto import modeling_auto

from reasoning.training.transformers_internals import detached_cache, has_code_of, loads_as_student
from tests.tiny_students import tiny_llama


def test_a_cache_has_layers_with_keys_and_values() -> None:
    output = tiny_llama(40).eval()(input_ids=torch.tensor([[5, 6, 7]]), use_cache=True)
    layers = getattr(output.past_key_values, "layers", None)
    assert layers, "transformers: Cache.layers has moved; reasoning.training.transformers_internals reads it"
    for layer in layers:
        assert layer.keys.shape == layer.values.shape == (1, 1, 3, 32), "transformers: the shape of layer.keys moved"


def test_a_cache_is_made_of_pairs_of_keys_and_values() -> None:
    pair = (torch.ones(1, 1, 3, 4), torch.zeros(1, 1, 3, 4))
    cache = DynamicCache([pair, pair])
    assert cache.get_seq_length() == 3, "transformers: DynamicCache no longer takes pairs of keys and values"


def test_a_detached_cache_continues_as_the_whole_prompt_does() -> None:
    model = tiny_llama(40).eval()
    prompts = torch.tensor([[5, 6, 7], [8, 9, 10], [11, 12, 13]])
    whole = model(input_ids=torch.cat([prompts, torch.full((3, 1), 14)], dim=1), use_cache=False).logits[[2, 0], -1]
    read = model(input_ids=torch.cat([prompts, torch.full((3, 2), 30)], dim=1), use_cache=True)
    cache = detached_cache(read.past_key_values, torch.tensor([2, 0]), 3)
    assert not any(layer.keys.requires_grad or layer.values.requires_grad for layer in cache.layers)
    after = model(input_ids=torch.full((2, 1), 14), past_key_values=cache, use_cache=True).logits[:, -1]
    torch.testing.assert_close(after, whole, rtol=0, atol=1e-4)


def test_the_tables_of_loadable_models_are_where_they_were() -> None:
    for name in ("MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"):
        assert hasattr(modeling_auto, name), f"transformers: {name} has moved out of modeling_auto"
    assert loads_as_student("llama", encoder_decoder=False)
    assert loads_as_student("t5", encoder_decoder=True)
    assert not loads_as_student("t5", encoder_decoder=False)
    assert not loads_as_student("no-such-model", encoder_decoder=True)


def test_a_models_code_is_in_a_folder_of_its_name() -> None:
    assert has_code_of("llama") and has_code_of("gpt_neox"), "transformers: models/NAME is no longer a folder"
    assert not has_code_of("no-such-model") and not has_code_of("")
