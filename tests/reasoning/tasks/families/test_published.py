"""The published files of three families are read and solved from their text alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reasoning.tasks.families import FAMILIES


def _examples(real_data: Path, name: str) -> list[dict]:
    return json.loads((real_data / "datasets" / f"{name}.json").read_text(encoding="utf-8"))["examples"]


def _solved(name: str, question: str) -> str:
    family = FAMILIES[name]
    rationale = family.rationale(question)
    assert family.first_wrong_step(question, f"{rationale.text}\nAnswer: {rationale.answer}") is None
    return rationale.answer


def test_every_published_coin_flip_is_solved(real_data: Path) -> None:
    examples = _examples(real_data, "coin_flip")
    assert len(examples) == 500
    assert all(_solved("coin_flip", example["question"]) == example["answer"] for example in examples)


def test_every_published_last_letter_question_is_solved_but_for_double_names(real_data: Path) -> None:
    """15 answers count a double name ("Jose Antonio") as one word; the text does not say so."""
    examples = _examples(real_data, "last_letter_concatenation")
    assert len(examples) == 500
    otherwise = [e for e in examples if _solved("last_letter_concatenation", e["question"]) != e["answer"]]
    assert len(otherwise) == 15
    family = FAMILIES["last_letter_concatenation"]
    assert all(len(family.parse(example["question"]).words) == 5 for example in otherwise)


@pytest.mark.parametrize("between", [" ", " \n"])
def test_every_published_shuffle_is_solved(between: str, real_data: Path) -> None:
    examples = _examples(real_data, "tracking_shuffled_objects")
    assert len(examples) == 750
    for example in examples:
        options = " ".join(f"({letter}) {text}" for letter, text in zip("ABC", example["target_scores"], strict=True))
        question = f"{example['input'].strip()}{between}Which choice is true ? Answer Choices: {options}"
        gold = "ABC"[list(example["target_scores"].values()).index(1)]
        assert _solved("tracking_shuffled_objects", question) == gold
