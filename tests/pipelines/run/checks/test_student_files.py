"""Folders and files as people have them that are no students: each is told for what it is, with its cure."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from reasoning.student.config import WEIGHTS_INDEX
from tests.pipelines.run.checking import SMALL, checked, only

# The files of a folder (a content of None: those of a whole student), what is said of it, and a word of the cure.
FOLDERS: list[tuple[str, dict[str, str], str, str]] = [
    (
        "adapter",
        {"adapter_config.json": "{}", "adapter_model.safetensors": ""},
        "an adapter (LoRA)",
        "merge_and_unload",
    ),
    ("llama.cpp", {"model-Q4_K_M.gguf": "GGUF", "README.md": ""}, "GGUF", "Hugging Face format"),
    ("gguf beside", {"config.json": "{}", "model.f16.gguf": "GGUF"}, "GGUF", "safetensors"),
    ("pickled", {"config.json": "{}", "tokenizer.json": "{}", "pytorch_model.bin": ""}, "pickled", "save_pretrained"),
    ("pickled shards", {"config.json": "{}", "pytorch_model-00001-of-00002.bin": ""}, "pickled", "save_pretrained"),
    ("checkpoint", {"consolidated.00.pth": "", "params.json": "{}"}, "own format", "config.json"),
    ("Mistral's own", {"consolidated.safetensors": "", "params.json": "{}"}, "own format", "config.json"),
    ("TensorFlow", {"config.json": "{}", "tf_model.h5": ""}, "not safetensors", "save_pretrained"),
    ("Flax", {"config.json": "{}", "flax_model.msgpack": ""}, "not safetensors", "save_pretrained"),
    ("ONNX", {"config.json": "{}", "model.onnx": ""}, "ONNX", "safetensors"),
    ("images", {"model_index.json": "{}"}, "images", "language model"),
    ("DeepSpeed", {"config.json": "{}", "zero_to_fp32.py": "", "latest": "step10"}, "DeepSpeed", "zero_to_fp32.py"),
    ("FSDP", {"config.json": "{}", "__0_0.distcp": ""}, "distributed", "accelerate merge-weights"),
    ("broken off", {"config.json": "{}", "model.safetensors.incomplete": ""}, "broken off", "again"),
]


@pytest.mark.parametrize(("kind", "files", "what", "cure"), FOLDERS, ids=[kind for kind, *_ in FOLDERS])
def test_a_folder_that_is_no_student(tmp_path: Path, kind: str, files: dict[str, str], what: str, cure: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    fault = only(SMALL, tmp_path)
    assert fault.place == "student.model" and what in fault.what and cure in fault.cure


# Put into a whole student's folder.
BESIDE: list[tuple[str, dict[str, str], str, str]] = [
    ("an adapter", {"adapter_config.json": "{}", "adapter_model.safetensors": ""}, "adapter", "merge_and_unload"),
    (
        "embeddings",
        {"modules.json": "[]", "config_sentence_transformers.json": "{}"},
        "writes no text",
        "language model",
    ),
    ("AutoGPTQ", {"quantize_config.json": '{"bits": 4}'}, "quantized", "unquantized"),
]


@pytest.mark.parametrize(("kind", "files", "what", "cure"), BESIDE, ids=[kind for kind, *_ in BESIDE])
def test_a_student_with_something_beside_it(
    tmp_path: Path, student: Path, kind: str, files: dict[str, str], what: str, cure: str
) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    fault = only(SMALL, folder)
    assert what in fault.what and cure in fault.cure


QUANTIZED: list[tuple[dict[str, object], str]] = [
    ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
    ({"quantization_config": {"quant_method": "awq"}}, "awq"),
    ({"quantization_config": {"load_in_4bit": True}}, "unnamed"),
    ({"quantization_config": {"quant_method": "fp8"}, "torch_dtype": "bfloat16"}, "fp8"),
    ({"quantization": {"group_size": 64, "bits": 4}}, "MLX"),
]


@pytest.mark.parametrize(("keys", "method"), QUANTIZED, ids=[method for _, method in QUANTIZED])
def test_quantized_weights(tmp_path: Path, student: Path, keys: dict[str, object], method: str) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    content = json.loads((folder / "config.json").read_text(encoding="utf-8")) | keys
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    fault = only(SMALL, folder)
    assert f"quantized ({method}" in fault.what.replace("an unnamed", "unnamed") and "unquantized" in fault.cure


def test_one_file_and_the_folder_above(tmp_path: Path, student: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\x80\x02")
    assert "not safetensors" in only(SMALL, tmp_path / "model.bin").what
    assert "folder that holds config.json" in only(SMALL, student / "model.safetensors").cure
    shutil.copytree(student, tmp_path / "run" / "checkpoint-500")
    fault = only(SMALL, tmp_path / "run")
    assert "one folder below" in fault.what and "checkpoint-500" in fault.cure
    shutil.copytree(student, tmp_path / "run" / "checkpoint-1000")
    fault = only(SMALL, tmp_path / "run")
    assert "2 students" in fault.what and "checkpoint-1000" in fault.cure
    shutil.copytree(student, tmp_path / "models--org--name" / "snapshots" / "4f2a")
    (tmp_path / "models--org--name" / "blobs").mkdir()
    assert "snapshots/4f2a" in only(SMALL, tmp_path / "models--org--name").cure


# One file of a whole student, its new content (None: a link to nothing), and a word of what is said.
BROKEN: list[tuple[str, str | None, str]] = [
    ("config.json", "// mine\n{}", "config.json is not a JSON object"),
    ("tokenizer.json", '{"version": "1.0"', "tokenizer.json is not a JSON object"),
    (
        "tokenizer_config.json",
        "version https://git-lfs.github.com/spec/v1\n",
        "tokenizer_config.json is a Git LFS pointer",
    ),
    ("tokenizer.model", "version https://git-lfs.github.com/spec/v1\n", "tokenizer.model is a Git LFS pointer"),
    ("generation_config.json", "", "generation_config.json is not a JSON object"),
    ("generation_config.json", "[]", "generation_config.json is not a JSON object"),
    ("model.safetensors", None, "model.safetensors is a link to a file that is not there"),
]


@pytest.mark.parametrize(("name", "content", "what"), BROKEN)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, student: Path, name: str, content: str | None, what: str
) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    (folder / name).unlink(missing_ok=True)
    if content is None:
        (folder / name).symlink_to(tmp_path / "blobs" / "gone")
    else:
        (folder / name).write_text(content, encoding="utf-8")
    fault = only(SMALL, folder)
    assert what in fault.what and ("again" in fault.cure or "cp -rL" in fault.cure)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["weights.safetensors"], "other names (weights.safetensors)"),
        (["model.fp16.safetensors"], "other names (model.fp16.safetensors)"),
        (["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"], "without model.safetensors.index"),
    ],
)
def test_weights_that_are_not_looked_for(tmp_path: Path, student: Path, names: list[str], what: str) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    for name in names:
        shutil.copy(folder / "model.safetensors", folder / name)
    (folder / "model.safetensors").unlink()
    assert what in only(SMALL, folder).what


def test_an_index_that_is_not_read(tmp_path: Path, student: Path) -> None:
    folder = shutil.copytree(student, tmp_path / "student")
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    index = {"weight_map": dict.fromkeys(load_file(folder / "weights.safetensors"), "weights.safetensors")}
    (folder / WEIGHTS_INDEX).write_text(json.dumps(index), encoding="utf-8")
    fault = only(SMALL, folder)
    assert "has no `metadata`" in fault.what and '"metadata": {}' in fault.cure
    (folder / WEIGHTS_INDEX).write_text(json.dumps(index | {"metadata": {}}), encoding="utf-8")
    assert checked(SMALL, folder)


@pytest.mark.parametrize("indexed", [False, True])
def test_weights_that_vllm_alone_would_read(tmp_path: Path, student: Path, indexed: bool) -> None:
    """Of a folder with one file it reads what an index names and, without one, whatever is there."""
    folder = shutil.copytree(student, tmp_path / "student")
    shutil.copy(folder / "model.safetensors", folder / "older.safetensors")
    if indexed:
        index = {"weight_map": {"lm_head.weight": "older.safetensors"}}
        (folder / WEIGHTS_INDEX).write_text(json.dumps(index), encoding="utf-8")
    fault = only(SMALL, folder)
    assert "older.safetensors, which vLLM reads too" in fault.what and "elsewhere" in fault.cure
    (folder / "older.safetensors").rename(folder / "consolidated.safetensors")  # Mistral's, of the same weights
    (folder / WEIGHTS_INDEX).unlink(missing_ok=True)
    assert checked(SMALL, folder)
