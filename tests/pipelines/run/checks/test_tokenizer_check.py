"""A teacher with logits has the student's tokenizer, or the run does not start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.run.checks.tokenizer_check import difference, tokenizer_faults
from reasoning.recipe.tailored import RecipeError, parse_recipe
from tests.tiny_students import byte_tokenizer

SERVED = "teacher: {kind: serve, model: 'TEACHER'}\nlearning: {objective: {loss: on_policy}}\n"


def swapped(tokenizer: Any, one: str, other: str) -> Any:
    """`tokenizer` with the ids of two tokens exchanged."""
    import json

    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    content = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = content["model"]["vocab"]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    backend = Tokenizer.from_str(json.dumps(content))
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", pad_token="<pad>")


def test_tokenizers_are_compared_by_what_they_make_of_texts() -> None:
    mine = byte_tokenizer()
    assert difference(mine, byte_tokenizer()) == "" == difference(mine, byte_tokenizer(pad=False))
    found = difference(mine, swapped(mine, "a", "b"))
    assert found.startswith("2 of 257 tokens, such as 'a' is ")
    other = byte_tokenizer()
    other.add_special_tokens({"additional_special_tokens": ["<tool>"]})
    assert "'<tool>' is unknown for the one and 258 for the other" in difference(mine, other)
    ends = byte_tokenizer()
    ends.eos_token = "a"
    assert "a text ends in '</s>' for the one and in 'a' for the other" in difference(mine, ends)
    splits = byte_tokenizer()
    from tokenizers import normalizers

    splits.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert "into different tokens" in difference(mine, splits)


def test_a_run_with_another_tokenizer_is_refused_before_anything_starts(tmp_path: Path) -> None:
    for name, tokenizer in (("student", byte_tokenizer()), ("other", swapped(byte_tokenizer(), "a", "b"))):
        tokenizer.save_pretrained(tmp_path / name)
    text = f"{SERVED}student: {{model: '{tmp_path / 'student'}'}}\n"
    same = parse_recipe(text.replace("TEACHER", str(tmp_path / "student")), "r")
    assert list(tokenizer_faults(same, None)) == []
    (fault,) = tokenizer_faults(parse_recipe(text.replace("TEACHER", str(tmp_path / "other")), "r"), None)
    assert fault.place == "teacher.model" and "token by token, and their tokenizers differ: 2 of" in fault.what
    (fault,) = tokenizer_faults(parse_recipe(text.replace("TEACHER", str(tmp_path / "nothing")), "r"), None)
    assert "cannot be read" in fault.what and "student's family" in fault.cure


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        ("{kind: offline}", "needs a teacher whose logits can be had: teacher.kind: serve.*it is offline"),
        ("{kind: openai, model: m, base_url: 'http://a/v1'}", "it is openai"),
        ("{kind: recorded, recorded: a.jsonl}", "it is recorded"),
        ("{kind: serve, model: m, endpoints: [{base_url: 'http://a/v1'}]}", "it is serve and has endpoints elsewhere"),
    ],
)
def test_a_teacher_without_logits_is_refused_with_what_is_needed(teacher: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        parse_recipe(f"teacher: {teacher}\nlearning: {{objective: {{loss: on_policy}}}}", "mine.yaml")


def test_round_0_has_no_attempts_to_learn_from() -> None:
    with pytest.raises(RecipeError, match="language_weight above 0"):
        parse_recipe(SERVED.replace("on_policy", "on_policy, language_weight: 0"), "mine.yaml")
    assert parse_recipe(SERVED.replace("}\nl", ", first: {kind: offline}}\nl"), "mine.yaml").teacher.first is not None
