"""What is no student, or cannot be sampled or taught here, is told from its files before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from actors.ray_api.machines.capacity import Capacity
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import parse_recipe
from reasoning.student.checkpoint import save_student
from reasoning.student.vllm_internals import refused_in_float16
from tests.pipelines.run.checking import LAPTOP, SMALL, checked, faults, only
from tests.tiny_students import byte_tokenizer, tiny_llama
from tests.tiny_t5 import tiny_t5_student


def test_folders_that_hold_no_student(tmp_path: Path, student: Path) -> None:
    found = faults(SMALL, tmp_path)
    assert [fault.place for fault in found] == ["student.model"] * 3
    assert all(part in " ".join(fault.what for fault in found) for part in ("config.json", "tokenizer", "safetensors"))
    fault = only(SMALL, tmp_path / "a" / "b" / "c")
    assert "no folder" in fault.what and "hub id" in fault.cure


def changed(student: Path, folder: Path, **config: object) -> Path:
    shutil.copytree(student, folder, dirs_exist_ok=True)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8")) | config
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_head_size_that_crashes_on_cpu(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    save_student(tiny_llama(len(tokenizer), head_dim=16), tokenizer, tmp_path / "small")
    small = tmp_path / "small"
    fault = only(SMALL, small)
    assert "size 16" in fault.what and "32, 64" in fault.what and "sampler_gpus" in fault.cure
    assert checked(f"{SMALL}cluster: {{sampler_gpus: 1}}", small, Capacity.of_one({"CPU": 2.0, "GPU": 1.0}))
    assert checked(f"{SMALL}cluster: {{sampler: transformers}}", small)


def test_what_is_no_student(tmp_path: Path, student: Path) -> None:
    own = changed(student, tmp_path, model_type="mine", architectures=["MineForCausalLM"], is_encoder_decoder=False)
    fault = only(SMALL, own)
    assert "MineForCausalLM" in fault.what and "newer" in fault.what and "docs/students.md" in fault.cure
    ears = {"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"], "is_encoder_decoder": True}
    assert (
        "WhisperForConditionalGeneration"
        in only(SMALL, changed(student, tmp_path, **ears, decoder_start_token_id=1)).what
    )


@pytest.mark.parametrize("name", ["LlamaModel", "LlamaForSequenceClassification", "InternLM2ForRewardModel"])
def test_what_writes_no_text(tmp_path: Path, student: Path, name: str) -> None:
    """vLLM would start it as a model of embeddings or scores."""
    fault = only(SMALL, changed(student, tmp_path, architectures=[name]))
    assert f"is a {name}" in fault.what and "no text" in fault.what and "architectures" in fault.cure
    assert checked(SMALL, changed(student, tmp_path, architectures=["LlamaForCausalLM", name]))


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("said", ["bf16", "auto", "torch.bfloat16", {"": "float32"}, 16])
def test_a_dtype_that_torch_does_not_call_so(tmp_path: Path, student: Path, key: str, said: object) -> None:
    fault = only(SMALL, changed(student, tmp_path, **{"dtype": None, key: said}))
    assert f"the {key} {json.dumps(said)}" in fault.what and "Write bfloat16, float16 or float32" in fault.cure


def test_float16_that_vllm_does_not_compute_a_family_in(tmp_path: Path, student: Path) -> None:
    folder = changed(student, tmp_path, model_type="gemma2", architectures=["Gemma2ForCausalLM"])
    with pytest.raises(PreflightError) as caught:
        check(parse_recipe(f"{SMALL}student: {{model: '{folder}', dtype: float16}}", "mine.yaml"), "mine.yaml", LAPTOP)
    (fault,) = caught.value.faults
    assert fault.place == "student.dtype" and "gemma2 in float16" in fault.what and "bfloat16" in fault.cure
    assert checked(SMALL, student) and "llama" not in refused_in_float16()


def test_no_layers_are_not_what_the_weights_have(tmp_path: Path, student: Path) -> None:
    fault = only(SMALL, changed(student, tmp_path, num_hidden_layers=0))
    assert "would be left out: config.json has 0 layers" in fault.what


def test_an_encoder_decoder_is_sampled_with_transformers_alone(tmp_path: Path) -> None:
    """Its heads may have any size, its positions need not end, and it must name the token its answers start from."""
    made = tiny_t5_student(d_kv=16)
    save_student(made.model, made.tokenizer, tmp_path / "t5")
    folder = changed(tmp_path / "t5", tmp_path / "sized", n_positions=128)
    assert checked(SMALL, folder)
    assert checked(f"{SMALL}cluster: {{sampler: transformers}}", folder)
    fault = only(f"{SMALL}cluster: {{sampler: vllm}}", folder)
    assert fault.place == "cluster.sampler" and "(t5)" in fault.what and "transformers" in fault.cure
    gpus = Capacity.of_one({"CPU": 4.0, "GPU": 4.0})
    assert checked(f"{SMALL}cluster: {{sampler_gpus: 1}}", folder, gpus)
    assert only(f"{SMALL}cluster: {{sampler_gpus: 2}}", folder, gpus).place == "cluster.sampler_gpus"
    startless = changed(folder, tmp_path / "startless", decoder_start_token_id=None)
    assert "decoder_start_token_id" in only(SMALL, startless).what


def test_weights_that_are_a_pointer_or_cut_off(tmp_path: Path, student: Path) -> None:
    folder = changed(student, tmp_path)
    whole = (folder / "model.safetensors").read_bytes()
    for content in (b"version https://git-lfs.github.com/spec/v1\n", whole[: len(whole) // 2]):
        (folder / "model.safetensors").write_bytes(content)
        fault = only(SMALL, folder)
        assert "model.safetensors" in fault.what and "git lfs pull" in fault.cure
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    assert "model-00001-of-00002.safetensors" in only(SMALL, folder).what


def test_more_tokens_than_positions(student: Path) -> None:
    fault = only(f"{SMALL}learning: {{training: {{max_tokens: 513}}}}", student)
    assert fault.place == "learning.training.max_tokens" and "512" in fault.what


# What people write for a student's name, and a word of the cure.
NAMES = [
    ("https://huggingface.co/Qwen/Qwen3-0.6B", "id alone: Qwen/Qwen3-0.6B"),
    ("https://huggingface.co/Qwen/Qwen3-0.6B/tree/main", "id alone: Qwen/Qwen3-0.6B"),
    ("hf.co/Qwen/Qwen3-0.6B", "id alone: Qwen/Qwen3-0.6B"),
    ("hf://Qwen/Qwen3-0.6B", "id alone: Qwen/Qwen3-0.6B"),
    ("Qwen/Qwen3-0.6B@main", "hf download Qwen/Qwen3-0.6B --revision main"),
    ("s3://bucket/model", "folder that every node sees"),
    ("llama3.2:1b", "Ollama"),
    ("./models/mine", "a folder in Hugging Face format"),
    ("C:\\models\\mine", "a folder in Hugging Face format"),
    ("Qwen 3", "a folder in Hugging Face format"),
    ("", "a folder in Hugging Face format"),
]


@pytest.mark.parametrize(("name", "cure"), NAMES)
def test_a_name_that_is_no_student_s(name: str, cure: str) -> None:
    fault = _named(name)
    assert fault.place == "student.model" and cure in fault.cure


def _named(name: str) -> PreflightFault:
    with pytest.raises(PreflightError) as caught:
        check(parse_recipe(f"{SMALL}student: {{model: '{name}'}}", "mine.yaml"), "mine.yaml", LAPTOP)
    (fault,) = caught.value.faults
    return fault


def test_a_folder_is_found_from_where_the_command_runs_and_from_home(
    student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer's worker runs in a folder of its own, so it is told the whole path."""
    shutil.copytree(student, tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("models/mine", "./models/mine/", "~/models/mine"):
        recipe = parse_recipe(f"{SMALL}student: {{model: '{name}'}}", "mine.yaml")
        assert recipe.student.source == str(tmp_path / "models" / "mine") and recipe.student.model == name
        assert check(recipe, "mine.yaml", LAPTOP).prompts


def test_a_hub_student_without_a_hub(student: Path) -> None:
    """Offline, as the whole test session is; the library says so at once."""
    with pytest.raises(PreflightError, match=r"student\.model: nobody/nothing is not a local folder"):
        check(parse_recipe(f"{SMALL}student: {{model: nobody/nothing}}", "mine.yaml"), "mine.yaml", LAPTOP)


def test_layers_for_adapters_that_there_are_not_are_told_before_the_teacher_is_asked() -> None:
    """Of either training, and of the embedded student, too (a trial takes seconds)."""
    recipe = parse_recipe(f"{SMALL}learning: {{first_training: {{lora: {{targets: [c_attn]}}}}}}", "mine.yaml")
    with pytest.raises(
        PreflightError, match=r"student\.model: .*: c_attn is no layer .* This model \(llama\) has .*q_proj"
    ):
        check(recipe, "mine.yaml", LAPTOP, probe=False, ask=False)
