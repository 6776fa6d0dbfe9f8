"""Before a teacher is asked, every student is loaded, taught, saved and loaded again in small."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.run.checks import student_trial
from pipelines.run.checks.student_trial import TrialFailed, try_student
from pipelines.run.preflight import check
from reasoning.recipe.tailored import parse_recipe
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.student import small_copy
from reasoning.student.checkpoint import save_student
from tests.pipelines.run.checking import LAPTOP, SMALL, checked, only
from tests.reasoning.student_families import ALL_FAMILIES, FAMILIES, QWEN_VL, Family
from tests.tiny_students import byte_tokenizer, tiny_llama, tiny_student


@pytest.mark.training
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_every_family_passes_its_trial(tmp_path: Path, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taught and asked, not left out for its size, and nothing is found wrong."""
    done = []
    for name in ("_one_step", "_sample"):
        step = getattr(student_trial, name)
        monkeypatch.setattr(student_trial, name, lambda *a, name=name, step=step: (step(*a), done.append(name))[0])
    try_student(str(family.saved(tmp_path / "student")), TrainingSection(max_tokens=64), ObjectiveSection())
    assert done == ["_one_step", "_sample"]


@pytest.mark.training
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_what_vllm_does_not_sample_is_said_with_the_cure(tmp_path: Path, family: Family) -> None:
    folder = family.saved(tmp_path / "student")
    if family.vllm:
        assert checked(f"{SMALL}learning: {{training: {{max_tokens: 256}}}}", folder)
        return
    fault = only(f"{SMALL}cluster: {{sampler: vllm}}", folder)
    assert fault.place == "cluster.sampler" and "vLLM does not sample" in fault.what and "transformers" in fault.cure
    assert checked(f"{SMALL}cluster: {{sampler: transformers}}", folder)


def _with(folder: Path, **files: Any) -> Path:
    """A tiny student whose files have other contents: keys of JSON that are put over its own."""
    student = tiny_student()
    save_student(student.model, student.tokenizer, folder)
    for name, keys in files.items():
        file = folder / f"{name}.json"
        old = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        new = {key: value for key, value in (old | keys).items() if value is not None}
        file.write_text(json.dumps(new), encoding="utf-8")
    return folder


def test_odd_decoding_passes_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    odd = {"temperature": 0.6, "top_k": 20, "num_beams": 1, "early_stopping": True, "length_penalty": 2.0}
    assert checked(SMALL, _with(tmp_path / "odd", generation_config=odd))
    fault = only(SMALL, _with(tmp_path / "beams", generation_config={"num_return_sequences": 4}))
    assert "generation_config.json is invalid" in fault.what and "Remove that value" in fault.cure


def test_code_of_its_own_is_refused_without_a_question(tmp_path: Path) -> None:
    folder = _with(tmp_path / "own", config={"model_type": "own", "auto_map": {"AutoModelForCausalLM": "own.Own"}})
    fault = only(SMALL, folder)
    assert "own" in fault.what and "transformers" in fault.cure


Keys = dict[str, Any]
_LONG = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 128}

# Students as people have them that are taken: the file, and keys that are put over its own (None: removed).
TAKEN: list[tuple[str, str, Keys]] = [
    ("beams in groups", "generation_config", {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 1.0}),
    ("temperature 0", "generation_config", {"do_sample": True, "temperature": 0.0}),
    ("several ends", "generation_config", {"eos_token_id": [256, 257]}),
    ("no end", "generation_config", {"eos_token_id": None}),
    ("forced tokens", "generation_config", {"forced_bos_token_id": 3, "suppress_tokens": [1], "bad_words_ids": [[3]]}),
    ("unknown keys", "generation_config", {"funny": [1, {"a": 2}], "transformers_version": "9.9.9"}),
    ("flash attention", "config", {"_attn_implementation": "flash_attention_2"}),
    ("no architecture", "config", {"architectures": None}),
    ("code for a known family", "config", {"auto_map": {"AutoModelForCausalLM": "modeling.Mine"}}),
    ("linear rope", "config", {"rope_scaling": {"type": "linear", "factor": 2.0}}),
    ("yarn", "config", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}}),
    ("long rope", "config", {"rope_parameters": _LONG | {"short_factor": [1.0] * 16, "long_factor": [2.0] * 16}}),
    ("ten million positions", "config", {"max_position_embeddings": 10_000_000}),
    ("padding before", "tokenizer_config", {"padding_side": "left", "truncation_side": "left"}),
    ("a length of its own", "tokenizer_config", {"model_max_length": 8}),
    ("padding is the end", "tokenizer_config", {"pad_token": "</s>"}),
    ("no padding", "tokenizer_config", {"pad_token": None}),
    ("end after each text", "tokenizer_config", {"add_eos_token": True}),
    ("a token of its own", "tokenizer_config", {"additional_special_tokens": ["<a>"]}),
    ("a class that is none", "tokenizer_config", {"tokenizer_class": "NonsenseTokenizer"}),
    ("truncating", "tokenizer", {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst",
                                                "stride": 0}}),
]  # fmt: skip


@pytest.mark.training
@pytest.mark.parametrize(("kind", "file", "keys"), TAKEN, ids=[kind for kind, *_ in TAKEN])
def test_an_odd_student_that_is_taken(tmp_path: Path, kind: str, file: str, keys: Keys) -> None:
    assert checked(SMALL, _with(tmp_path / "odd", **{file: keys}))


# Those that are refused: a word of what is said, and of the cure.
REFUSED: list[tuple[str, str, Keys, str, str]] = [
    ("end as text", "generation_config", {"eos_token_id": "</s>"}, "eos_token_id", "Remove that value"),
    ("unknown rope", "config", {"rope_parameters": {"rope_type": "mine", "rope_theta": 1e4}}, "'mine'", "Correct"),
    ("rope without factor", "config", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4}}, "factor", ""),
    ("rope of another head size", "config",
     {"rope_parameters": _LONG | {"short_factor": [1.0] * 3, "long_factor": [1.0] * 3}}, "config.json", "Correct"),
    ("positions as text", "config", {"max_position_embeddings": "512"}, "its config.json", "Correct that"),
    ("a truth as text", "config", {"tie_word_embeddings": "true"}, "its config.json", "Correct that"),
    ("types of fewer layers", "config", {"layer_types": ["full_attention"]}, "its config.json", "Correct that"),
    ("a tokenizer of another version", "tokenizer", {"version": "2.0"}, "its tokenizer.json", "fetch the file again"),
    ("no vocabulary", "tokenizer", {"model": {}}, "its tokenizer.json", "fetch the file again"),
    ("lost spaces", "tokenizer", {"pre_tokenizer": {"type": "Whitespace"}}, "the spaces are lost", "ByteLevel"),
    ("no positions", "config", {"max_position_embeddings": 0}, "0 positions", "Correct"),
    ("unknown activation", "config", {"hidden_act": "mine"}, "'mine'", "Correct"),
    ("an unknown type of numbers", "config", {"dtype": "bf16"}, "bf16", "Write bfloat16"),
    ("padding beyond the table", "config", {"pad_token_id": 32000}, "cannot be made", "Correct"),
    ("values that are no numbers", "config", {"rms_norm_eps": float("nan")}, "not finite numbers", "config.json"),
    ("more layers than weights", "config", {"num_hidden_layers": 3}, "no weights of layer 2", "again"),
    ("tied as told, untied in the files", "config", {"tie_word_embeddings": True}, "tie_word_embeddings", "false"),
    ("no type of model", "config", {"model_type": None}, "model_type", "Name it"),
    ("half a quantization", "config", {"quantization_config": {}}, "quantization_config", "Remove"),
    ("an end that is no token", "tokenizer_config", {"eos_token": "<|nowhere|>"}, "<|nowhere|>", "eos_token"),
    ("a class that reads otherwise", "tokenizer_config", {"tokenizer_class": "LlamaTokenizer"}, "LlamaTokenizer",
     "PreTrainedTokenizerFast"),
    ("code of its own", "tokenizer_config",
     {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}, "never run", "family"),
]  # fmt: skip


@pytest.mark.training
@pytest.mark.parametrize(("kind", "file", "keys", "what", "cure"), REFUSED, ids=[kind for kind, *_ in REFUSED])
def test_an_odd_student_that_is_refused(tmp_path: Path, kind: str, file: str, keys: Keys, what: str, cure: str) -> None:
    fault = only(SMALL, _with(tmp_path / "odd", **{file: keys}))
    assert what in fault.what and cure in fault.cure, fault


@pytest.mark.training
def test_an_encoder_is_no_student(tmp_path: Path) -> None:
    """BERT loads as a decoder, and its loss falls to nothing, since each token sees the next."""
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    BertForMaskedLM(BertConfig(vocab_size=258, **sizes)).save_pretrained(tmp_path / "bert")
    byte_tokenizer().save_pretrained(tmp_path / "bert")
    fault = only(f"{SMALL}cluster: {{sampler: transformers}}", tmp_path / "bert")
    assert "encoder" in fault.what and "decoder" in fault.cure


@pytest.mark.training
def test_a_family_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    """RoBERTa, even as a decoder, counts its positions by a token for padding."""
    from transformers import RobertaConfig, RobertaForCausalLM

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    config = RobertaConfig(vocab_size=258, pad_token_id=None, is_decoder=True, **sizes)
    student = tiny_student()
    save_student(RobertaForCausalLM(config), student.tokenizer, tmp_path / "roberta")
    fault = only(f"{SMALL}cluster: {{sampler: transformers}}", tmp_path / "roberta")
    assert "cannot be asked here" in fault.what and "another family" in fault.cure


@pytest.mark.parametrize(("name", "content"), [
    ("generation_config.json", b'{"a":' * 3000 + b"1" + b"}" * 3000),
    ("generation_config.json", b"[]"),
    ("special_tokens_map.json", b"\xff\xfe"),
    ("chat_template.jinja", b"{{ messages }}\xff\xfe"),
])  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = _with(tmp_path / "student")
    (folder / name).write_bytes(content)
    fault = only(SMALL, folder)
    assert name in fault.what and "again" in fault.cure, fault


@pytest.mark.training
def test_a_family_that_cannot_be_sampled_is_refused(tmp_path: Path) -> None:
    fault = only(f"{SMALL}cluster: {{sampler: transformers}}", QWEN_VL.saved(tmp_path / "student"))
    assert "cannot be sampled here" in fault.what and "another family" in fault.cure


@pytest.mark.training
def test_a_weight_that_is_no_number_is_found_in_any_layer(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    model = tiny_llama(len(tokenizer), num_hidden_layers=4)
    model.model.layers[3].mlp.up_proj.weight.data[1, 2] = float("nan")
    save_student(model, tokenizer, tmp_path / "student")
    fault = only(SMALL, tmp_path / "student")
    assert "model.layers.3.mlp.up_proj.weight" in fault.what and "merged" in fault.cure


def test_what_is_too_wide_to_be_tried_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_copy, "MOST_PARAMETERS", 1000)
    monkeypatch.setattr(small_copy, "WIDE_PARAMETERS", 1000)
    (note,) = [note for note in checked(SMALL, _with(tmp_path / "wide")).notes if "student.model" in note]
    assert "was not taught in small beforehand" in note and "million" in note


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    student = tiny_student()
    student.tokenizer.add_tokens(["<call>"])
    save_student(student.model, student.tokenizer, tmp_path / "student")
    fault = only(SMALL, tmp_path / "student")
    assert "<call>" in fault.what and "258 rows" in fault.what and "student.grow_embeddings: true" in fault.cure
    grown = f"{SMALL}student: {{model: '{tmp_path / 'student'}', grow_embeddings: true}}"
    assert check(parse_recipe(grown, "mine.yaml"), "mine.yaml", LAPTOP).prompts


def test_weights_that_have_no_place_in_the_student_are_not_left_out(tmp_path: Path) -> None:
    """Granite's code models have biases that an older Llama had none for; zeros, as quantizers add them, do nothing."""
    folder = _with(tmp_path / "biased")
    weights = load_file(folder / "model.safetensors")
    names = [name.replace(".weight", ".bias") for name in weights if "_proj" in name]
    zeros = {name: torch.zeros(weights[name.replace(".bias", ".weight")].shape[0]) for name in names}
    masks = {"model.layers.0.attention.bias": torch.ones(1, 1, 4, 4)}
    save_file(weights | zeros | masks, folder / "model.safetensors")
    assert checked(SMALL, folder)
    zeros[names[-1]] += 0.1
    head = {"v_head.summary.weight": torch.ones(1, 64)}  # of TRL's models with a value head
    save_file(weights | zeros | head, folder / "model.safetensors")
    fault = only(SMALL, folder)
    assert (
        f"2 of the weights in its files ({names[-1]}, v_head.summary.weight)" in fault.what
        and "attention_bias" in fault.cure
    )


def test_an_end_within_a_text_is_said(tmp_path: Path) -> None:
    """As LlamaConfig has it by default (2), whatever the tokenizer."""
    folder = _with(tmp_path / "two", config={"eos_token_id": 2})
    (folder / "generation_config.json").unlink()
    (note,) = [note for note in checked(SMALL, folder).notes if "student.model" in note]
    assert "ends an answer at '#'" in note and "end is </s>" in note


def test_weights_that_are_missing_or_of_another_shape(tmp_path: Path) -> None:
    folder = _with(tmp_path / "part")
    weights = load_file(folder / "model.safetensors")
    save_file({name: w for name, w in weights.items() if "lm_head" not in name}, folder / "model.safetensors")
    fault = only(SMALL, folder)
    assert "lm_head.weight" in fault.what and "random" in fault.what and "again" in fault.cure
    assert "tie_word_embeddings: true" in fault.cure
    assert "shape" in only(SMALL, _with(tmp_path / "wide", config={"intermediate_size": 128})).what


def test_a_tokenizer_without_an_end(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    save_student(tiny_llama(len(tokenizer)), tokenizer, tmp_path / "endless")
    fault = only(SMALL, tmp_path / "endless")
    assert "end-of-sequence" in fault.what and "eos_token" in fault.cure


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_a_student_in_half_precision_shards_and_ties(tmp_path: Path, key: str) -> None:
    tokenizer = byte_tokenizer(pad=False)
    model = tiny_llama(len(tokenizer), tied=True, num_hidden_layers=3).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "student", max_shard_size="100KB")
    tokenizer.save_pretrained(tmp_path / "student")
    file = tmp_path / "student" / "config.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content[key] = content.pop("dtype")
    file.write_text(json.dumps(content), encoding="utf-8")
    assert len(list((tmp_path / "student").glob("model-*.safetensors"))) > 1
    assert checked(SMALL, tmp_path / "student")


def test_a_training_that_the_student_cannot_do_is_said_before_it_is_paid_for(tmp_path: Path) -> None:
    windowed = next(family for family in FAMILIES if family.name == "Mistral 0.1").saved(tmp_path / "student")
    training = "learning: {training: {max_tokens: 512}, objective: {prompt_gradient: false}}"
    fault = only(f"{SMALL}{training}", windowed)
    assert "prompt_gradient" in fault.what and "Leave prompt_gradient on" in fault.what + fault.cure


def test_a_process_that_dies_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch here the trial is another process's, which may be killed for its memory."""
    folder = str(_with(tmp_path / "student"))
    monkeypatch.delitem(sys.modules, "torch")
    dead = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: dead)
    with pytest.raises(TrialFailed, match=r"process that tried to teach it ended: exit code -9.*smaller student"):
        try_student(folder, TrainingSection(), ObjectiveSection())
    shutil.rmtree(folder)
