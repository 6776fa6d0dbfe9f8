"""The tokenizer of a GGUF file reads text as the file says, and each token has the number that it has there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.files.gguf import student_folder
from reasoning.student.gguf.conversion import make_student
from reasoning.student.gguf.head import GgufError
from reasoning.student.loading import load_tokenizer
from tests.reasoning.student.gguf.gguf_files import gguf_tokens, tiny_gguf_llama, write_gguf

pytestmark = pytest.mark.training
MERGES = ["Ġ a", "1 2"]


def tokenizer_of(folder: Path, tokens: list[str] | None = None, **fields: object) -> object:
    tokens = [*gguf_tokens(), "12"] if tokens is None else tokens
    told = {"tokenizer.ggml.merges": MERGES, **{f"tokenizer.ggml.{name}": value for name, value in fields.items()}}
    model = tiny_gguf_llama(vocab_size=len(tokens))
    file = write_gguf(folder / "tiny.gguf", model, tokens=tokens, fields=told)
    made = student_folder(file)
    make_student(file, made)
    return load_tokenizer(str(made))


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        ({}, [], []),
        ({"add_bos_token": True, "bos_token_id": 256}, [256], []),
        ({"add_eos_token": True}, [], [256]),
        ({"add_bos_token": True, "add_eos_token": True, "bos_token_id": 257}, [257], [256]),
    ],
)
def test_what_stands_around_a_text_is_what_the_file_says(
    tmp_path: Path, fields: dict[str, object], before: list[int], after: list[int]
) -> None:
    tokenizer = tokenizer_of(tmp_path, **fields)
    bare = tokenizer("go a", add_special_tokens=False).input_ids  # type: ignore[operator]
    assert bare[-1] == 258
    assert tokenizer("go a").input_ids == [*before, *bare, *after]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("splitting", "pieces"), [("gpt-2", ["12"]), ("smollm", ["1", "2"]), ("starcoder", ["1", "2"])]
)
def test_digits_are_split_as_the_file_says(tmp_path: Path, splitting: str, pieces: list[str]) -> None:
    """`transformers` reads a splitting that it does not know as GPT-2's, without a word."""
    tokenizer = tokenizer_of(tmp_path, pre=splitting)
    assert tokenizer("12").tokens() == pieces  # type: ignore[operator]


@pytest.mark.parametrize(
    ("tokens", "fields", "said"),
    [
        ([*gguf_tokens(), "12", "a"], {}, "has a tokenizer that is not read as it is"),  # one token twice
        ([*gguf_tokens(), "12"], {"eos_token_id": 9999}, "GGUF"),
    ],
)
def test_numbers_that_are_not_the_files_are_refused(
    tmp_path: Path, tokens: list[str], fields: dict[str, object], said: str
) -> None:
    with pytest.raises(GgufError, match=said) as caught:
        tokenizer_of(tmp_path, tokens, **fields)
    assert "tiny.gguf" in str(caught.value)
    assert not list(tmp_path.glob("tiny-*"))
