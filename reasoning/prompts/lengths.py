"""How many tokens questions have in a student's form: counted as trainers and samplers count them, and only where it
matters.

Owns: a bound that needs no tokenizer, and the counting of very many prompts.

Invariants
- What is told of a prompt is on the right side of every limit that was asked about. Near one it is the exact number.
- A long form (few-shot examples, a chat template) is read once, not again with every question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Marks
from reasoning.prompts.student_forms import StudentForm

AROUND = 16  # tokens that a tokenizer may put around a text, or make more or less where two texts meet
_SHARE = 0.02  # of a prompt's tokens: so far from a limit its parts are counted apart
_SHORT = 64  # tokens of a form: so few are read with every question
_AT_ONCE = 4096  # questions
_SAME_LENGTH = frozenset(  # steps of a tokenizer that leave an ASCII text as long as it is, or shorten it
    (
        *("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents"),
        *("ByteLevel", "Split", "Digits", "Whitespace", "WhitespaceSplit", "BertPreTokenizer"),
    )
)


@dataclass(frozen=True, slots=True)
class Bound:
    """How many tokens a tokenizer makes of a text at most, told by its length: a token stands for a character at least,
    or for a byte. `marks`: it may put a mark before each word. `normalizes`: of what is not ASCII it may make more."""

    marks: bool = True
    normalizes: bool = True

    @classmethod
    def of(cls, tokenizer: Mapping[str, Any] | None) -> Bound:
        """That of a tokenizer as its tokenizer.json describes it; None: of any."""
        if tokenizer is None:
            return cls()
        normalizer, splitter = tokenizer.get("normalizer"), tokenizer.get("pre_tokenizer")
        return cls(not all(map(_keeps_length, _parts(normalizer, splitter))), normalizer is not None)

    def tokens(self, text: str) -> int | None:
        """None where only the tokenizer can tell."""
        if self.marks or self.normalizes:
            return (2 if self.marks else 1) * len(text) + AROUND if text.isascii() else None
        return len(text.encode("utf-8", "surrogatepass")) + AROUND


def _parts(*steps: Any) -> Iterator[Any]:
    for step in steps:
        inner = step.get("normalizers") or step.get("pretokenizers") if isinstance(step, Mapping) else None
        if inner:
            yield from _parts(*inner)
        elif step is not None:
            yield step


def _keeps_length(step: Any) -> bool:
    if not isinstance(step, Mapping) or step.get("add_prefix_space"):
        return False
    return step.get("type") in _SAME_LENGTH


class PromptLengths:
    """The lengths of prompts in `form`, by the tokenizer of `encoder`. `own`: tokens of the form's own words."""

    def __init__(self, encoder: Encoder, form: StudentForm) -> None:
        self._encoder, self._form = encoder, form
        backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
        self._bound = Bound.of(json.loads(backend.to_str()) if backend is not None else None)
        self.own = self.exact("")

    def exact(self, question: str) -> int:
        return self._exact([question])[0]

    def counted(self, questions: Sequence[str], limits: Sequence[int]) -> list[int]:
        """For each question its prompt's tokens, or as good a number: above the same of `limits`."""
        counts = [self._short(question, min(limits, default=0)) for question in questions]
        left = [index for index, count in enumerate(counts) if count is None]
        for start in range(0, len(left), _AT_ONCE):
            batch = left[start : start + _AT_ONCE]
            found = self._count([questions[index] for index in batch], limits)
            for index, count in zip(batch, found, strict=True):
                counts[index] = count
        return [count or 0 for count in counts]

    def _short(self, question: str, limit: int) -> int | None:
        """No fewer tokens than the prompt has, where those are within `limit`."""
        most = self._bound.tokens(question)
        bound = None if most is None else self.own + most + AROUND
        return bound if bound is not None and bound <= limit else None

    def _count(self, questions: Sequence[str], limits: Sequence[int]) -> list[int]:
        if self.own <= _SHORT:
            return self._exact(questions)
        alone = self._encoder.prompts(
            [question.strip() for question in questions], [Marks(opening=False)] * len(questions)
        )
        counts = [self.own + len(tokens) for tokens in alone]
        near = [index for index, count in enumerate(counts) if any(_near(count, limit) for limit in limits)]
        for index, count in zip(near, self._exact([questions[index] for index in near]), strict=True):
            counts[index] = count
        return counts

    def _exact(self, questions: Sequence[str]) -> list[int]:
        prompts = [self._form.prompt(question) for question in questions]
        marks = [self._form.marks(question) for question in questions]
        return [len(tokens) for tokens in self._encoder.prompts(prompts, marks)]


def _near(count: int, limit: int) -> bool:
    return abs(count - limit) <= AROUND + _SHARE * count
