"""A GGUF file that no student can be made of is refused from its head, in a sentence with the file and the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reasoning.student.gguf.head import GgufError, read_head
from tests.reasoning.student.gguf.gguf_files import gguf_tokens, tiny_gguf_llama, write_gguf

pytestmark = pytest.mark.training
VOCABULARY = ("blk", "token_embd", "output")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", tiny_gguf_llama()).read_bytes()


def test_a_head_says_what_the_file_holds(tmp_path: Path, whole: bytes) -> None:
    (tmp_path / "tiny.gguf").write_bytes(whole)
    head, model = read_head(tmp_path / "tiny.gguf"), tiny_gguf_llama()
    assert head.architecture == "llama" and head.tokens == tuple(gguf_tokens()) and head.eos == 256
    assert head.numbers + head.output_numbers == sum(weight.numel() for weight in model.parameters())


def turned(content: bytes) -> bytes:
    return content[:4] + content[4:8][::-1] + content[8:]


@pytest.mark.parametrize(
    ("name", "change", "what", "cure"),
    [
        ("cut.gguf", lambda content: content[: len(content) // 2], "cut off or damaged", "Fetch the file again"),
        ("head.gguf", lambda content: content[:200], "cut off or damaged", "Fetch the file again"),
        ("four.gguf", lambda content: content[:4], "cut off or damaged", "Fetch the file again"),
        ("none.gguf", lambda content: b"", "is empty", "Fetch the file again"),
        ("lfs.gguf", lambda content: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull"),
        ("page.gguf", lambda content: b"<!doctype html><title>404", "a web page", "Fetch the file again"),
        ("zip.gguf", lambda content: b"PK\x03\x04" + content, "another kind of file", "Fetch the file again"),
        ("old.gguf", lambda content: content[:4] + b"\x01\0\0\0" + content[8:], "version 1", "Convert"),
        ("big.gguf", turned, "byte order", "little-endian"),
        ("m-00002-of-00003.gguf", lambda content: content, "part 2 of 3", "--merge m-00001-of-00003.gguf"),
        ("m-00001-of-00002.gguf", lambda content: content[:300], "part 1 of 2", "llama-gguf-split"),
        ("noise.gguf", lambda content: content[:24] + bytes(255 - byte for byte in content[24:]), "damaged", "Fetch"),
    ],
)
def test_files_that_are_not_whole(
    tmp_path: Path, whole: bytes, name: str, change: Callable[[bytes], bytes], what: str, cure: str
) -> None:
    file = tmp_path / name
    file.write_bytes(change(whole))
    refusal = refused(file)
    assert what in refusal.what and cure in refusal.cure


def refused(file: Path) -> GgufError:
    """Why `file` is refused, in a sentence with the file and the cure."""
    with pytest.raises(GgufError) as caught:
        read_head(file)
    assert str(file) in str(caught.value) and caught.value.cure in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "without", "what", "cure"),
    [
        ({"general.type": "adapter"}, (), "an adapter (LoRA)", "Merge"),
        ({"general.type": "mmproj"}, (), "the vision part of a model", "text part"),
        ({"general.type": "imatrix"}, (), "importances", "own file"),
        ({}, VOCABULARY, "a vocabulary alone", "model's own file"),
        ({}, ("tokenizer",), "no tokenizer", "with its tokenizer"),
        ({"split.count": 3, "split.no": 1}, (), "part 2 of 3", "llama-gguf-split"),
        ({"llama.rope.scaling.type": "yarn", "llama.rope.scaling.factor": 4.0}, (), "yarn", "Hugging Face format"),
        ({"tokenizer.ggml.pre": "tomorrow-bpe"}, (), "tomorrow-bpe", "Hugging Face format"),
    ],
)
def test_what_is_no_model_or_would_be_read_as_another(
    tmp_path: Path, fields: dict[str, object], without: tuple[str, ...], what: str, cure: str
) -> None:
    refusal = refused(write_gguf(tmp_path / "tiny.gguf", tiny_gguf_llama(), fields=fields, without=without))
    assert what in refusal.what and cure in refusal.cure


def test_the_positions_of_llama_3_are_refused_where_they_are_scaled(tmp_path: Path) -> None:
    """`transformers` leaves the factors out without a word, and computes with positions that are not scaled."""
    for factor, name in ((1.0, "plain.gguf"), (8.0, "scaled.gguf")):
        factors = np.full(16, factor, dtype=np.float32)
        write_gguf(tmp_path / name, tiny_gguf_llama(), tensors={"rope_freqs.weight": factors})
    assert read_head(tmp_path / "plain.gguf")
    refusal = refused(tmp_path / "scaled.gguf")
    assert "rope_freqs.weight" in refusal.what and "Hugging Face format" in refusal.cure


def test_a_kind_of_weights_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    numbers = {"blk.0.table.weight": np.zeros((4, 4), dtype=np.int32)}
    refusal = refused(write_gguf(tmp_path / "i32.gguf", tiny_gguf_llama(), tensors=numbers))
    assert "I32" in refusal.what and "Q8_0" in refusal.cure
