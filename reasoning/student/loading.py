"""Every call that reads a model, configuration or tokenizer from a folder or the hub goes through here.

Owns: the arguments of those calls, and which attention a student computes with.

Invariants
- No code that comes with a model is run, and nobody is asked whether it may be: `trust_remote_code=False` is said
  each time, since a call that leaves it out waits for an answer on standard input.
- Weights are read from safetensors only: nothing is unpickled.
- Training, probe and sampler compute the same function: attention that the fast implementation would leave out a part
  of is computed by the plain one.
"""

from __future__ import annotations

from typing import Any

# Attention scores that are capped (Gemma 2): PyTorch's fused attention has no place for it, and `sdpa` of
# `transformers` leaves it out without a word. vLLM caps them.
CAPPED_ATTENTION = "attn_logit_softcapping"


def load_config(source: str, gguf_file: str | None = None) -> Any:
    """The configuration at `source`, a folder or hub id, or in a GGUF file there. Raises what `transformers` raises:
    `OSError`, `ValueError`."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, trust_remote_code=False, gguf_file=gguf_file)
    for part in (config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", {}))):
        if part is not None:
            part._attn_implementation = None  # a file may name one that only another machine has (flash_attention_2)
    return config


def load_tokenizer(source: str, gguf_file: str | None = None) -> Any:
    """The tokenizer at `source`, or in a GGUF file there. Raises `OSError`, `ValueError`, `ImportError`.

    Not Mistral's own class (`tekken.json`): it has no chat template and reads a special token's spelling as text."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source, trust_remote_code=False, gguf_file=gguf_file, mistral_format=False)


def load_model(source: str, config: Any, dtype: Any, gguf_file: str | None = None) -> tuple[Any, list[str], list[str]]:
    """The model at `source`, or in a GGUF file there, unpacked, on the CPU, with weights of `dtype` ("auto": its own),
    the names of the weights that its files do not have, or not in the shape of `config`, which are then random, and of
    those in its files that it has no place for, which are left out. Raises `OSError`, `ValueError`, `RuntimeError`."""
    packed = {}
    if gguf_file is not None:
        from transformers import GgufConfig

        packed = {"gguf_file": gguf_file, "quantization_config": GgufConfig(dequantize=True)}
    model, read = model_class(config).from_pretrained(
        source,
        config=config,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation=attention_of(config),
        ignore_mismatched_sizes=True,  # told by name below
        output_loading_info=True,
        **packed,
    )
    missing = {*read["missing_keys"], *(str(name) for name, *_ in read["mismatched_keys"])}
    return model, sorted(missing), sorted(read["unexpected_keys"])


def new_model(config: Any) -> Any:
    """A model of `config` with random weights."""
    return model_class(config).from_config(config, trust_remote_code=False, attn_implementation=attention_of(config))


def model_class(config: Any) -> Any:
    """The class that loads a student: of decoders, of encoder-decoders, or of decoders that also see and that the
    first one does not know (Mistral 3)."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM

    if getattr(config, "is_encoder_decoder", False):
        return AutoModelForSeq2SeqLM
    return AutoModelForImageTextToText if sees_alone(config.model_type) else AutoModelForCausalLM


def sees_alone(model_type: str) -> bool:
    """Whether models of `model_type` are known to `AutoModelForImageTextToText` and not to `AutoModelForCausalLM`."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    )

    return model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.keys() - MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()


def attention_of(config: Any) -> str | None:
    """The attention implementation that a student of `config` needs: `eager` or, where any is right, None."""
    parts = [config, *(getattr(config, name, None) for name in getattr(config, "sub_configs", {}))]
    return "eager" if any(getattr(part, CAPPED_ATTENTION, None) is not None for part in parts) else None
