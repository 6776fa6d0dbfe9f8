"""What a student thinks stays apart from what it says, whether its marks are special tokens or not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoning.grading.answers import judged_part
from reasoning.student.decoded_text import Decoder, cut_before
from reasoning.student.sampling import Sampling
from reasoning.student.vllm_engine import StudentEngine
from tests.tiny_students import byte_tokenizer

HARMONY = ["<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "<|constrain|>", "<|call|>"]

# Special tokens of a student, what it writes (its own special tokens as such), its text, and what of that is judged.
CASES: list[tuple[str, list[str], str, str, str]] = [
    ("Magistral", ["[THINK]", "[/THINK]", "[INST]"], "[THINK]41? No.[/THINK]42", "[THINK]41? No.[/THINK]42", "42"),
    ("opened by the template", ["[THINK]", "[/THINK]"], "41? No.[/THINK]42", "41? No.[/THINK]42", "42"),
    ("cut off", ["[THINK]", "[/THINK]"], "[THINK]41?", "[THINK]41?", ""),
    ("think", ["<think>", "</think>", "<|im_end|>"], "<think>41</think>42<|im_end|>", "<think>41</think>42", "42"),
    (
        "gpt-oss",
        HARMONY,
        "<|channel|>analysis<|message|>41?<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>",
        "<|channel|>analysis<|message|>41?<|end|><|start|>assistant<|channel|>final<|message|>42",
        "42",
    ),
    ("gpt-oss, cut off", HARMONY, "<|channel|>analysis<|message|>41", "<|channel|>analysis<|message|>41", ""),
    ("Gemma 4", ["<|channel>", "<channel|>", "<turn|>"], "<|channel>thought\n41<channel|>42<turn|>",
     "<|channel>thought\n41<channel|>42", "42"),
    ("without marks", ["<|im_start|>", "<|end|>"], "42<|end|><|im_start|>", "42", "42"),
    ("marks that are not written", ["[THINK]", "[/THINK]", "[INST]"], "42[INST]", "42", "42"),
]  # fmt: skip


def _tokenizer(special: list[str]) -> Any:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer


@pytest.mark.parametrize(("kind", "special", "said", "text", "judged"), CASES, ids=[kind for kind, *_ in CASES])
def test_marks_of_thinking_stay_in_the_text(kind: str, special: list[str], said: str, text: str, judged: str) -> None:
    tokenizer = _tokenizer(special)
    decoder = Decoder(tokenizer)
    assert decoder.text(tokenizer(said).input_ids, tokenizer("Question: 40 + 2?[THINK]").input_ids) == text
    assert judged_part(text) == judged


def test_a_tokenizer_without_marks_decodes_as_ever() -> None:
    tokenizer = _tokenizer(["<|im_start|>", "<|message|>", "<|end|>"])
    decoder = Decoder(tokenizer)
    assert not decoder.keeps_marks
    ids = tokenizer(" a<|end|> b</s>").input_ids
    assert decoder.text(ids) == tokenizer.decode(ids, skip_special_tokens=True) == " a b"


def test_a_text_is_cut_before_the_stop_that_was_complete_first() -> None:
    assert cut_before("one two three", ["three", "two"]) == "one "
    assert cut_before("abcd", ["bcd", "c"]) == "ab"
    assert cut_before("abcd", ["x"]) is None


def test_a_text_with_marks_is_cut_where_vllm_says_that_it_ends(tmp_path: Path) -> None:
    """At a stop string, at an end token, or not at all."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]", "<|im_end|>"]})
    tokenizer.save_pretrained(tmp_path)
    engine: Any = SimpleNamespace(model_config=SimpleNamespace(tokenizer=str(tmp_path)))
    student = StudentEngine(engine)
    asked: Any = SimpleNamespace(prompt_token_ids=tokenizer("Q?").input_ids)

    def text(said: str, finish: str, stop: str | int | None) -> str:
        one: Any = SimpleNamespace(text="", token_ids=tokenizer(said).input_ids, finish_reason=finish, stop_reason=stop)
        return student._text(asked, one, Sampling(stop=("\nQ", "Human")))

    assert text("[THINK]a[/THINK]42\nQ", "stop", "\nQ") == "[THINK]a[/THINK]42"
    assert text("[THINK]a[/THINK]42</s>", "stop", None) == "[THINK]a[/THINK]42"
    assert text("[THINK]a[/THINK]42<|im_end|>", "stop", 260) == "[THINK]a[/THINK]42"
    assert text("[THINK]a\nb", "length", None) == "[THINK]a\nb"
