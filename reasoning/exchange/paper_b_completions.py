"""Paper B's completion data: what teachers and students answered, in one JSON file per model, method and task.

`{"metadata": {...}, "data": {"<sample_index>": [{...}, ...]}}`, at `B_<model>__C_<method>/D_<task>.json` (with
`__T_<train_key>` and `__E_<epoch>` for students). `sample_index` counts the questions of the task's data set from 0.

`metadata.prediction_template` says what a completion is:
- `zs_cot`, two requests: `reasoning_prompt` and `reasoning_completion`, then `prompt` (both again, and "Therefore, the
  answer is") and `completion`, in which the answer is. `reasoning_completion` is the rationale, untrimmed.
- `fs_cot`, one request: `completion` is the rationale and ends in "The answer is X.".
- `ft_cot_token` and `ft_cot_natural`: a fine-tuned student's " {rationale} --> {answer}" (or "... Therefore, the answer
  is {answer}"), without the END at which it was stopped.
- `ft_token`, `ft_natural`, `zs`: an answer without reasoning.

Owns: that shape, read and written. What is read and written again is the same file, keys unknown here included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from reasoning.exchange.located_json import Node, read_located
from reasoning.exchange.solutions import PublishedSolution, SolutionFile, excerpt, parted, text_fault
from reasoning.files.data_error import DataError, Fault
from reasoning.files.durable import new_file

_SHAPE = 'this format is {"metadata": {...}, "data": {"0": [{"question": ..., "completion": ...}]}}'
_TEXTS = ("question", "answer", "prompt", "completion", "finish_reason")
_REASONING_TEXTS = ("reasoning_prompt", "reasoning_completion", "reasoning_finish_reason")
ANSWER_TRIGGER = "Therefore, the answer is"


class CompletionTemplate(StrEnum):
    """What a file's completions are (its `prediction_template`)."""

    ZERO_SHOT_COT = "zs_cot"
    FEW_SHOT_COT = "fs_cot"
    FINE_TUNED_COT = "ft_cot_token"
    FINE_TUNED_COT_NATURAL = "ft_cot_natural"
    FINE_TUNED = "ft_token"
    FINE_TUNED_NATURAL = "ft_natural"
    ZERO_SHOT = "zs"

    @property
    def of_teacher(self) -> bool:
        """Whether it is what a prompted model reasons, and so a rationale to learn from."""
        return self in (CompletionTemplate.ZERO_SHOT_COT, CompletionTemplate.FEW_SHOT_COT)

    @property
    def reasons(self) -> bool:
        return self.of_teacher or self in (CompletionTemplate.FINE_TUNED_COT, CompletionTemplate.FINE_TUNED_COT_NATURAL)


@dataclass(frozen=True, slots=True)
class PublishedCompletion:
    """One completion, every key as in the file (None: the key is not there). `other` has all other keys."""

    sample_index: int
    completion_index: int
    question: str
    answer: str
    prompt: str | None = None
    completion: str | None = None
    finish_reason: str | None = None
    reasoning_prompt: str | None = None
    reasoning_completion: str | None = None
    reasoning_finish_reason: str | None = None
    other: Mapping[str, Any] = field(default_factory=dict)
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CompletionFile:
    """A whole file: its metadata unchanged, and its completions in order."""

    metadata: Mapping[str, Any]
    completions: tuple[PublishedCompletion, ...]
    path: Path = Path()
    faults: tuple[Fault, ...] = ()

    @property
    def model(self) -> str:
        return _said(self.metadata, "base_model")

    @property
    def task(self) -> str:
        return _said(self.metadata, "dataset_key")

    @property
    def template(self) -> CompletionTemplate | None:
        """None where the file gives none, or one that is unknown."""
        said = _said(self.metadata, "prediction_template") or _said(self.metadata, "completion_key")
        return next((template for template in CompletionTemplate if template == said), None)


def read_completions(path: Path) -> CompletionFile:
    """The completions of a file of paper B. Raises `DataError` for a damaged file and for one of another shape."""
    root = read_located(path, depth=3)
    parts = dict(root.members or ())
    metadata, data = parts.get("metadata"), parts.get("data")
    if metadata is None or metadata.members is None or data is None or data.members is None:
        raise DataError(f"{path}, line {root.line}", "it has no objects 'metadata' and 'data'", _SHAPE)
    found: list[PublishedCompletion | Fault] = []
    seen: dict[str, int] = {}
    for key, node in data.members:
        place = f"{path}, line {node.line}"
        if not (key.isascii() and key.isdecimal()) or node.elements is None:
            found.append(
                Fault(place, f"{excerpt(key)!r} with {node.kind} is not a sample index with a list of completions")
            )
        elif key in seen:
            found.append(Fault(place, f"the sample index {key} a second time (first on line {seen[key]})"))
        else:
            seen[key] = node.line
            found += [_completion(path, int(key), i, element) for i, element in enumerate(node.elements)]
    completions, faults = parted(found)
    return CompletionFile(metadata.plain(), completions, path, faults)


def write_completions(path: Path, metadata: Mapping[str, Any], completions: Sequence[PublishedCompletion]) -> None:
    """Writes a completion file, byte for byte as paper B's `json.dump(..., indent=4)` does."""
    data: dict[int, list[dict[str, Any]]] = {}
    for one in completions:
        entry: dict[str, Any] = {
            "sample_index": one.sample_index,
            "completion_index": one.completion_index,
            "question": one.question,
            "answer": one.answer,
        }
        written = (*_REASONING_TEXTS, "prompt", "completion", "finish_reason")
        entry |= {name: getattr(one, name) for name in written if getattr(one, name) is not None}
        data.setdefault(one.sample_index, []).append(entry | dict(one.other))
    with new_file(path) as part, part.open("w", encoding="utf-8") as file:
        json.dump({"metadata": dict(metadata), "data": data}, file, indent=4)


def solutions_of(file: CompletionFile) -> SolutionFile:
    """The rationales in a teacher's completions. Raises `DataError` for a file of another kind: a student's attempts,
    or answers without reasoning."""
    template = file.template
    if template is None or not template.of_teacher:
        said = _said(file.metadata, "prediction_template") or "none"
        what = f"its prediction_template is {said!r}, so its completions are not a teacher's rationales"
        raise DataError(str(file.path), what, "give a file of zs_cot or fs_cot; a student's are read as attempts")
    read = _two_step if template is CompletionTemplate.ZERO_SHOT_COT else _one_step
    solutions, faults = parted(read(one, file.model) for one in file.completions)
    return SolutionFile(file.path, solutions, (*file.faults, *faults))


def _two_step(one: PublishedCompletion, model: str) -> PublishedSolution | Fault:
    what = text_fault(one.reasoning_completion, "'reasoning_completion'") or text_fault(one.completion, "'completion'")
    if what is not None:
        return Fault(one.place, f"{what} (sample {one.sample_index})")
    before, _, last = (one.prompt or "").rpartition("\n")
    trigger = last if before and last.startswith("Therefore") else ANSWER_TRIGGER
    return _solution(one, model, "zs_cot", one.reasoning_completion, one.completion, trigger)


def _one_step(one: PublishedCompletion, model: str) -> PublishedSolution | Fault:
    what = text_fault(one.completion, "'completion'")
    if what is not None:
        return Fault(one.place, f"{what} (sample {one.sample_index})")
    return _solution(one, model, "fs_cot", one.completion, "", "")


def _solution(
    one: PublishedCompletion, model: str, prompt: str, rationale: str | None, answer_text: str | None, trigger: str
) -> PublishedSolution:
    return PublishedSolution(
        place=one.place,
        question=one.question,
        rationale=rationale or "",
        answer_text=answer_text or "",
        answer_trigger=trigger,
        gold=one.answer,
        sample_index=one.sample_index,
        sample=one.completion_index,
        model=model,
        prompt=prompt,
        complete="length" not in (one.reasoning_finish_reason, one.finish_reason if prompt == "fs_cot" else None),
    )


def _completion(path: Path, sample_index: int, position: int, node: Node) -> PublishedCompletion | Fault:
    place, entry = f"{path}, line {node.line}", node.value
    if not isinstance(entry, dict):
        return Fault(place, f"a completion is an object, this is {node.kind}")
    what = text_fault(entry.get("question"), "'question'") or text_fault(entry.get("answer"), "'answer'")
    wrong = [name for name in (*_TEXTS, *_REASONING_TEXTS) if not isinstance(entry.get(name), str | None)]
    stated = entry.get("sample_index", sample_index)
    index = entry.get("completion_index", position)
    if what is None and wrong:
        what = f"its {wrong[0]!r} is not a text"
    if what is None and stated != sample_index:
        what = f"it says sample_index {stated!r} and stands under {sample_index}"
    if what is None and not (type(index) is int and index >= 0):
        what = f"its completion_index is {index!r}"
    if what is not None:
        return Fault(place, f"{what} (sample {sample_index})")
    known = {"sample_index", "completion_index", *_TEXTS, *_REASONING_TEXTS}
    texts: dict[str, Any] = {name: entry.get(name) for name in (*_TEXTS, *_REASONING_TEXTS)}
    other = {name: value for name, value in entry.items() if name not in known}
    return PublishedCompletion(sample_index, index, **texts, other=other, place=place)


def _said(metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""
