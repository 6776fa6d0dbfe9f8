"""What a student lacks is said in a sentence, whatever a library raised. (More: preflight's test_student_trial.)"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from reasoning.student.loading import load_tokenizer
from reasoning.student.requirements import (
    StudentError,
    readable,
    reading_fault,
    require_decoder,
    require_ends,
    rows_needed,
)
from tests.tiny_students import byte_tokenizer


@pytest.mark.parametrize("error", [Exception("Unk token `<unk>`\nnot found"), OSError(""), RecursionError("too deep")])
def test_whatever_a_library_raises_is_a_student_error(error: Exception) -> None:
    with pytest.raises(StudentError, match="org/name: cannot be loaded as a student: ") as caught, readable("org/name"):
        raise error
    assert "\n" not in str(caught.value) and str(caught.value).endswith("safetensors weights")


def _named(folder: Path, **keys: object) -> str:
    byte_tokenizer().save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return str(folder)


@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "Qwen2Tokenizer", "GPT2Tokenizer"])
def test_a_class_that_reads_as_the_file_says_is_taken(tmp_path: Path, name: str) -> None:
    source = _named(tmp_path, tokenizer_class=name, model_max_length=4)
    assert not reading_fault(source, load_tokenizer(source))


def test_a_class_that_loses_text_is_refused(tmp_path: Path) -> None:
    source = _named(tmp_path, tokenizer_class="LlamaTokenizerFast")
    with pytest.raises(StudentError, match=r"LlamaTokenizer.*loses some.*PreTrainedTokenizerFast"):
        reading_fault(source, load_tokenizer(source))


def test_a_class_that_parts_text_otherwise_is_noted(tmp_path: Path) -> None:
    """No text is lost, so it may be meant: the numbers of this tokenizer are single digits, its class's are not."""
    source = _named(tmp_path)
    other = byte_tokenizer()
    other.add_tokens(["12345"])
    assert "reads text differently" in reading_fault(source, other)


def test_a_tokenizer_that_gives_back_tokens_instead_of_text_is_refused() -> None:
    whole, bare = byte_tokenizer(), byte_tokenizer()
    require_decoder("s", whole)
    bare.backend_tokenizer.decoder = None
    with pytest.raises(StudentError, match=r"gives back .*answer.* decoder"):
        require_decoder("s", bare)


def test_a_tokenizer_that_knows_no_plain_words_is_refused() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "The": 2, "answer": 3, "is": 4, ".": 5}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")
    with pytest.raises(StudentError, match=r"does not know the words of 'The answer is 42\.' \(<unk>\)"):
        require_decoder("s", tokenizer)


def test_ends_are_numbers_of_tokens() -> None:
    for ends in (None, 3, [3, 4], ()):
        require_ends("s", SimpleNamespace(eos_token_id=ends))
    with pytest.raises(StudentError, match="eos_token_id '</s>'"):
        require_ends("s", SimpleNamespace(eos_token_id=[3, "</s>"]))


def test_rows_are_counted_to_the_last_token() -> None:
    assert rows_needed(byte_tokenizer()) == 258
