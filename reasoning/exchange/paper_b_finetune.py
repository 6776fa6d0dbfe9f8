"""Paper B's fine-tuning data: what its students are trained on, for OpenAI's API (JSONL) and for its own trainer
(JSON).

- `P_openai/F_<key>.jsonl`: one `{"prompt": "{question} ###", "completion": " {rationale} --> {answer} END"}` a line,
  without a newline at the end.
- `P_decoder/F_<key>.json`, `P_encoder_decoder/F_<key>.json`: `{"sample_index": [...], "input": [...], "label": [...]}`;
  as above without END for a decoder, the bare question and "{rationale} --> {answer}" for an encoder-decoder.

The published files of its GPT-3 experiments separate by blank lines and do not trim ("{question}\\n\\n###\\n\\n" and
" {rationale}\\n\\n-->\\n\\n{answer} END"); its `ft_cot_natural` form asks "Q: {question}\\n\\nA: Let's think step by
step." and ends "Therefore the answer is {answer}". All of these are read; the forms above are written. `answer` is the
gold one: the rationales in these files passed that paper's filter.

Owns: these two shapes, read and written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from reasoning.exchange.located_json import Node, read_located
from reasoning.exchange.solutions import PublishedSolution, SolutionFile, excerpt, text_fault
from reasoning.files.data_error import DataError, Fault
from reasoning.files.durable import new_file
from reasoning.files.json_files import json_lines

_LINES = 'a line of this format is {"prompt": "... ###", "completion": " ... --> ... END"}'
_LISTS = 'this format is {"sample_index": [...], "input": [...], "label": [...]}, three lists of one length'

_SEPARATOR, _ARROW, _END = "###", "-->", "END"
_NATURAL_PROMPT = re.compile(r"^Q: (.+)\n\nA: Let's think step by step\.\s*$", re.DOTALL)
_NATURAL_ANSWER = re.compile(r"\n\nTherefore,? the answer is")
_STOP = re.compile(rf"\s+{_END}\s*$")


class Platform(StrEnum):
    """Whose trainer a file is for."""

    OPENAI = "openai"
    DECODER = "decoder"
    ENCODER_DECODER = "encoder_decoder"


@dataclass(frozen=True, slots=True)
class FineTuningSample:
    """One training sample in parts."""

    question: str
    rationale: str
    answer: str
    sample_index: int = 0


def read_finetune(path: Path) -> SolutionFile:
    """The rationales in a file of fine-tuning data. Samples without reasoning (that paper's fine-tuning on answers
    alone) are counted in a note. Raises `DataError` for a damaged file and for one of another shape."""
    found = list(_from_lines(path) if path.suffix == ".jsonl" else _from_lists(path))
    solutions: list[PublishedSolution] = []
    faults: list[Fault] = []
    bare = 0
    numbers: dict[str, int] = {}
    for row in found:
        if isinstance(row, Fault):
            faults.append(row)
            continue
        sample = _in_parts(row.prompt, row.completion)
        what = text_fault(sample.question, "question") or text_fault(sample.answer, "answer")
        if what is not None:
            faults.append(Fault(row.place, what))
        elif not sample.rationale.strip():
            bare += 1
        elif (what := text_fault(sample.rationale, "rationale")) is not None:
            faults.append(Fault(row.place, what))
        else:
            number = numbers[sample.question] = numbers.get(sample.question, -1) + 1
            solutions.append(
                PublishedSolution(
                    place=row.place,
                    question=sample.question,
                    rationale=sample.rationale,
                    answer_text=sample.answer,
                    gold=sample.answer,
                    sample_index=row.sample_index,
                    sample=number,
                )
            )
    notes = [f"{bare} samples are an answer without reasoning, and teach none."] if bare else []
    return SolutionFile(path, tuple(solutions), tuple(faults), tuple(notes))


def write_finetune(path: Path, samples: Sequence[FineTuningSample], platform: Platform) -> None:
    """Writes `samples` for a trainer, byte for byte as paper B's code does."""
    rows = [_in_form(sample, platform) for sample in samples]
    if platform is Platform.OPENAI:
        text = "\n".join(json.dumps({"prompt": prompt, "completion": completion}) for prompt, completion in rows)
    else:
        columns = {
            "sample_index": [sample.sample_index for sample in samples],
            "input": [prompt for prompt, _ in rows],
            "label": [completion for _, completion in rows],
        }
        text = json.dumps(columns, indent=4)
    with new_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _in_form(sample: FineTuningSample, platform: Platform) -> tuple[str, str]:
    question, taught = sample.question.strip(), f"{sample.rationale.strip()} {_ARROW} {sample.answer.strip()}"
    match platform:
        case Platform.OPENAI:
            return f"{question} {_SEPARATOR}", f" {taught} {_END}"
        case Platform.DECODER:
            return f"{question} {_SEPARATOR}", f" {taught}"
        case Platform.ENCODER_DECODER:
            return question, taught


def _in_parts(prompt: str, completion: str) -> FineTuningSample:
    """A sample taken apart. Without a separator before the answer, the whole completion is the answer."""
    natural = _NATURAL_PROMPT.match(prompt)
    question = natural[1] if natural else prompt.rstrip().removesuffix(_SEPARATOR)
    taught = _STOP.sub("", completion)
    rationale, arrow, answer = taught.rpartition(_ARROW)
    if natural and not arrow:
        places = list(_NATURAL_ANSWER.finditer(taught))
        if places:
            rationale, answer = taught[: places[-1].start()], taught[places[-1].end() :]
    return FineTuningSample(question.strip(), rationale.strip(), answer.strip())


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    prompt: str
    completion: str
    sample_index: int | None = None


def _from_lines(path: Path) -> Iterator[_Row | Fault]:
    for line in json_lines(path):
        place, row = line.place, line.value()
        if not isinstance(row, dict):
            raise DataError(place, f"a sample is an object, this is a {type(row).__name__}", _LINES)
        missing = [name for name in ("prompt", "completion") if not isinstance(row.get(name), str)]
        if missing:
            yield Fault(place, f"it has no text {missing[0]!r}")
        else:
            yield _Row(place, row["prompt"], row["completion"])


def _from_lists(path: Path) -> Iterator[_Row | Fault]:
    root = read_located(path, depth=2)
    columns = {key: node.elements for key, node in root.members or ()}
    inputs, labels, indices = (columns.get(name) for name in ("input", "label", "sample_index"))
    if inputs is None or labels is None or indices is None or not len(inputs) == len(labels) == len(indices):
        raise DataError(f"{path}, line {root.line}", "it has no such lists, or they differ in length", _LISTS)
    for prompt, label, index in zip(inputs, labels, indices, strict=True):
        yield _listed(path, prompt, label, index)


def _listed(path: Path, prompt: Node, label: Node, index: Node) -> _Row | Fault:
    place = f"{path}, line {label.line}"
    for name, node, wanted in (("input", prompt, str), ("label", label, str), ("sample_index", index, int)):
        value: Any = node.value
        if type(value) is not wanted:
            return Fault(place, f"its {name} is {node.kind} ({excerpt(repr(value))})")
    return _Row(place, prompt.value, label.value, index.value)
