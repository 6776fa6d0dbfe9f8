"""Paper B's few-shot prompts: `few_shot_cot_prompts.json`, one text of worked examples per task.

`{"<task>": {"prompt": "Q: ...\\nA: ... The answer is X.\\nQ: ...", "sample_indices": [...], "comment": "..."}}`; the
demonstrations are those of chain-of-thought prompting (Wei et al., 2022).

Owns: taking such a text apart into demonstrations, and writing them in this project's form
(`reasoning.prompts.demonstrations`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

from reasoning.exchange.located_json import read_located
from reasoning.exchange.solutions import text_fault
from reasoning.files.data_error import DataError
from reasoning.files.durable import new_file
from reasoning.prompts.demonstrations import Demonstration

_SHAPE = 'this format is {"<task>": {"prompt": "Q: ...\\nA: ... The answer is X."}}'
_QUESTION = re.compile(r"^Q:", re.MULTILINE)
_ANSWER = re.compile(r"^A:", re.MULTILINE)
_FINAL = re.compile(r"\b(?:So|Therefore|Thus|Hence)?,?\s*\bthe answer is:?\s+", re.IGNORECASE)


def prompt_tasks(path: Path) -> list[str]:
    """The tasks that the file has prompts for. Raises `DataError`."""
    return list(_prompts(path))


def read_prompt_demonstrations(path: Path, task: str) -> list[Demonstration]:
    """The worked examples for `task`. Raises `DataError` when the file is damaged or has none, or when one of them is
    no `Q:` with an `A:` that ends in "the answer is X"."""
    prompts = _prompts(path)
    if task not in prompts:
        raise DataError(str(path), f"it has no prompt for {task}", f"it has {', '.join(prompts) or 'none'}")
    line, prompt = prompts[task]
    parts = _QUESTION.split(prompt)[1:]
    found = [
        _demonstration(part, f"{path}, line {line}, example {number} of {task}") for number, part in enumerate(parts, 1)
    ]
    if not found:
        raise DataError(f"{path}, line {line}", f"the prompt for {task} has no example that begins with 'Q:'", _SHAPE)
    return found


def write_demonstrations(path: Path, demonstrations: Sequence[Demonstration]) -> None:
    """Writes the YAML file that a recipe's `demonstrations` names."""
    text = yaml.safe_dump([asdict(one) for one in demonstrations], sort_keys=False, allow_unicode=True, width=120)
    with new_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _prompts(path: Path) -> dict[str, tuple[int, str]]:
    root = read_located(path, depth=2)
    if root.members is None:
        raise DataError(f"{path}, line {root.line}", f"it holds {root.kind}", _SHAPE)
    prompts = {}
    for task, node in root.members:
        value = dict(node.members or ()).get("prompt")
        what = "it has no text 'prompt'" if value is None else text_fault(value.value, "'prompt'")
        if value is None or what is not None:
            raise DataError(f"{path}, line {node.line}", f"{task}: {what}", _SHAPE)
        prompts[task] = (value.line, str(value.value))
    return prompts


def _demonstration(part: str, place: str) -> Demonstration:
    halves = _ANSWER.split(part, maxsplit=1)
    finals = list(_FINAL.finditer(halves[-1]))
    if len(halves) != 2 or not halves[0].strip() or not finals:
        raise DataError(place, "it is not a 'Q:' with an 'A:' that ends in 'the answer is X'", "fix that example")
    rationale, answer = halves[1][: finals[-1].start()], halves[1][finals[-1].end() :]
    return Demonstration(halves[0].strip(), rationale.strip(), answer.strip().rstrip(".").strip("() \n"))
