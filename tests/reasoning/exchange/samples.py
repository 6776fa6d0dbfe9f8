"""Small tasks, and files in the exact shape of the papers' own, for the tests of import and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reasoning.records import AnswerKind, Problem, Split

MONEY = Problem("gsm8k", "Ann has $3 and earns 1,000 more.\nHow much is it?", "1003", AnswerKind.NUMBER, Split.TRAIN)
EGGS = Problem("gsm8k", "A hen lays 2 eggs a day. How many in 9 days?", "18", AnswerKind.NUMBER, Split.TRAIN)
TESTED = Problem("gsm8k", "What is 1 + 1?", "2", AnswerKind.NUMBER, Split.TEST)
NUMBERS = [MONEY, EGGS, TESTED]

INK = Problem(
    "commonsense_qa",
    "What absorbs ink? Answer Choices: (A) shirt pocket (B) inkwell (C) blotter",
    "C",
    AnswerKind.CHOICE,
    Split.TRAIN,
    ("shirt pocket", "inkwell", "blotter"),
)
CABLE = Problem(
    "commonsense_qa",
    "What needs cable? Answer Choices: (A) radio shack (B) television (C) desk",
    "B",
    AnswerKind.CHOICE,
    Split.TRAIN,
    ("radio shack", "television", "desk"),
)
CHOICES = [INK, CABLE]

COIN = Problem("coin_flip", "A coin is heads up. Al flips it. Is it heads up?", "no", AnswerKind.YES_NO, Split.TRAIN)


def write(path: Path, content: Any) -> Path:
    """As both repositories write JSON: four spaces deep, other alphabets escaped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path


def completion(index: int, question: str, answer: str, reasoning: str, said: str, **other: Any) -> dict[str, Any]:
    """One completion of zero-shot chain of thought, in paper B's keys and order."""
    asked = f"Q: {question}\nA: Let's think step by step."
    return {
        "sample_index": index,
        "completion_index": 0,
        "question": question,
        "answer": answer,
        "reasoning_prompt": asked,
        "reasoning_completion": reasoning,
        "reasoning_finish_reason": "stop",
        "prompt": f"{asked}{reasoning.strip()}\nTherefore, the answer is",
        "completion": said,
        "finish_reason": "stop",
        **other,
    }


def completion_file(path: Path, samples: dict[int, list[dict[str, Any]]], **metadata: Any) -> Path:
    """A completion file of paper B's default teacher."""
    head = {
        "base_model": "text-davinci-002",
        "dataset_key": "gsm8k",
        "completion_key": "zs_cot",
        "finetune_key": None,
        "train_key": None,
        "epoch": None,
        "prediction_template": "zs_cot",
        "reasoning_temperature": 0,
        "reasoning_max_tokens": 128,
    }
    return write(path, {"metadata": head | metadata, "data": samples})
