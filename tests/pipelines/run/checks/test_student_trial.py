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
from reasoning.recipe.training import ObjectiveSection, TrainingSection
from reasoning.student.checkpoint import save_student
from tests.pipelines.run.checking import SMALL, checked, only
from tests.reasoning.student.families import ALL_FAMILIES, FAMILIES, Family
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
        assert checked(f"{SMALL}learning: {{training: {{max_tokens: 64}}}}", folder)
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
        file.write_text(json.dumps(old | keys), encoding="utf-8")
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


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    student = tiny_student()
    student.tokenizer.add_tokens(["<call>"])
    save_student(student.model, student.tokenizer, tmp_path / "student")
    fault = only(SMALL, tmp_path / "student")
    assert "<call>" in fault.what and "258 rows" in fault.what and "resize_token_embeddings(259)" in fault.cure


def test_weights_that_are_missing_or_of_another_shape(tmp_path: Path) -> None:
    folder = _with(tmp_path / "part")
    weights = load_file(folder / "model.safetensors")
    save_file({name: w for name, w in weights.items() if "lm_head" not in name}, folder / "model.safetensors")
    fault = only(SMALL, folder)
    assert "lm_head.weight" in fault.what and "random" in fault.what and "again" in fault.cure
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
