"""The student that is made of a GGUF file computes what the model computed that the file was written from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from reasoning.files.gguf import student_folder
from reasoning.student.checkpoint import load_student, save_student
from reasoning.student.gguf.conversion import make_student
from reasoning.student.gguf.head import GgufError
from reasoning.student.loading import load_config
from tests.reasoning.student.gguf.gguf_files import tiny_gguf_llama, write_gguf

pytestmark = pytest.mark.training
TOKENS = torch.tensor([[72, 101, 258, 12, 40, 7, 9, 200]])


def made(file: Path) -> Path:
    folder = student_folder(file)
    assert make_student(file, folder)
    return folder


@pytest.mark.parametrize("tied", [False, True])
def test_a_student_of_a_file_computes_what_its_model_computes(tmp_path: Path, tied: bool) -> None:
    """Heads in the order of `transformers` again, tied embeddings tied; saved like any student when it was taught."""
    model = tiny_gguf_llama(tied=tied)
    folder = made(write_gguf(tmp_path / "tiny.gguf", model))
    student = load_student(str(folder))
    with torch.no_grad():
        torch.testing.assert_close(student.model(TOKENS).logits, model(TOKENS).logits)
    assert student.model.config.tie_word_embeddings is tied
    assert student.tokenizer("say a").input_ids[-1] == 258 and student.tokenizer.pad_token_id == 257
    save_student(student.model, student.tokenizer, tmp_path / "taught")
    assert (tmp_path / "taught" / "model.safetensors").is_file()
    assert sorted(tmp_path.glob(".*.part")) == []


@pytest.mark.parametrize(("kind", "within"), [("F16", 1e-3), ("BF16", 1e-2), ("Q8_0", 5e-2)])
def test_quantized_weights_are_unpacked(tmp_path: Path, kind: str, within: float) -> None:
    model = tiny_gguf_llama(initializer_range=0.05)
    student = load_student(str(made(write_gguf(tmp_path / "tiny.gguf", model, kind=kind))))
    with torch.no_grad():
        torch.testing.assert_close(student.model(TOKENS).logits, model(TOKENS).logits, atol=within, rtol=within)


def test_it_is_made_once_and_kept_in_float32(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama(), kind="BF16")
    folder = made(file)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert not make_student(file, folder)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert load_config(str(folder)).dtype == torch.float32


def test_what_lies_beside_the_file_has_no_part_in_the_student(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "T5Tokenizer", "eos_token": "a"}', "utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    student = load_student(str(made(write_gguf(tmp_path / "a file.gguf", tiny_gguf_llama()))))
    assert student.model.config.model_type == "llama" and student.tokenizer.eos_token == "</s>"


def test_of_two_that_want_it_one_makes_it_and_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama())
    folder = student_folder(file)
    left = folder.with_name(f".{folder.name}.0badcafe.part")
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    with ThreadPoolExecutor(2) as both:
        made_now = list(both.map(lambda _: make_student(file, folder), range(2)))
    assert sorted(made_now) == [False, True]
    assert not left.exists() and load_student(str(folder))


def test_weights_that_would_be_left_out_or_be_random_are_refused(tmp_path: Path) -> None:
    model = tiny_gguf_llama()
    bias = {"blk.0.attn_q.bias": torch.ones(64).numpy()}  # Llama has none, and `transformers` drops it in silence
    too_many = write_gguf(tmp_path / "bias.gguf", model, tensors=bias)
    with pytest.raises(GgufError, match="some would be left out"):
        made(too_many)
    too_few = write_gguf(tmp_path / "few.gguf", model, without=("blk.1.ffn_up",))
    with pytest.raises(GgufError, match="no weights for 1 of its parts") as caught:
        made(too_few)
    assert "few.gguf" in str(caught.value) and not student_folder(too_few).exists()
