"""Prompts are counted as the run counts them: on the right side of every limit, whatever the tokenizer."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from reasoning.prompts import lengths
from reasoning.prompts.encoding import Encoder
from reasoning.prompts.frame import Frame, Marks
from reasoning.prompts.lengths import Bound, PromptLengths
from reasoning.prompts.student_forms import StudentForm
from tests.reasoning.prompts.test_encoding import made
from tests.tiny_students import byte_tokenizer

PIECES = ("apples ", " 37", "1,024", "\n", "</s>", " a" * 9, "aaaa", "!!!", "  ", "\t", "don't ", "\u591a", "\u00e9")


def form_of(shown: str) -> StudentForm:
    return StudentForm("f", Frame.around(f"{shown}Q: ", "\nA:", shown=shown), " {rationale} {answer}")


def text_of(draw: random.Random, most: int) -> str:
    return "".join(draw.choice(PIECES) for _ in range(draw.randrange(most)))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("kind", ["fast", "slow", "always", "first"])
def test_every_prompt_is_on_the_right_side_of_every_limit(
    kind: str, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of short forms and of long ones, which are not read with every question."""
    monkeypatch.setattr(lengths, "_AT_ONCE", 5)
    encoder, draw = Encoder(made(kind), encoder_decoder=apart), random.Random(f"{kind} {apart}")
    for most_shown in (1, 1, 60, 200):
        measured = PromptLengths(encoder, form_of(text_of(draw, most_shown)))
        questions = [text_of(draw, 60) for _ in range(12)]
        exact = [measured.exact(question) for question in questions]
        limits = [draw.choice(exact) + draw.randrange(-3, 4) for _ in range(3)]
        counted = measured.counted(questions, limits)
        for limit in limits:
            assert [count > limit for count in counted] == [count > limit for count in exact]


def test_far_from_all_limits_a_long_form_is_not_read_again_with_every_question() -> None:
    class Counting(Encoder):
        read = 0

        def prompts(self, texts: Any, marks: Any) -> list[list[int]]:
            self.read += sum(map(len, texts))
            return super().prompts(texts, marks)

    encoder = Counting(byte_tokenizer())
    measured = PromptLengths(encoder, form_of("x" * 5000))
    questions = ["How many apples are left? " * 10 + str(number) for number in range(100)]
    counts = measured.counted(questions, [1000, 9000])
    assert encoder.read < 100 * 300 + 2 * 5100
    assert counts == [measured.exact(question) for question in questions]
    encoder.read = 0
    assert max(measured.counted(questions, [9000])) <= 9000 and encoder.read == 0  # by their characters alone


@pytest.mark.parametrize("kind", ["fast", "slow", "always", "first"])
def test_no_tokenizer_makes_more_tokens_than_its_bound(kind: str) -> None:
    tokenizer, draw = made(kind), random.Random(kind)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    bound = Bound.of(json.loads(backend.to_str()) if backend is not None else None)
    assert (
        bound == (Bound(marks=False, normalizes=False) if kind == "fast" else bound) and (kind == "fast") != bound.marks
    )
    for _ in range(50):
        text = text_of(draw, 60)
        most, any_most = bound.tokens(text), Bound().tokens(text)
        assert (most is not None) == (text.isascii() or kind == "fast") and (any_most is not None) == text.isascii()
        for at_most in filter(None, (most, any_most)):
            assert len(Encoder(tokenizer).prompt(text, Marks())) <= at_most


@pytest.mark.parametrize(
    ("steps", "bound"),
    [
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, Bound(True, False)),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]}},
            Bound(False, False),
        ),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "Metaspace"}]}},
            Bound(True, False),
        ),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Prepend"}]}},
            Bound(True, True),
        ),
        ({"normalizer": {"type": "Replace", "pattern": "a", "content": "aaa"}}, Bound(True, True)),
        ({"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel"}}, Bound(False, True)),
        ({"normalizer": None, "pre_tokenizer": None}, Bound(False, False)),
        (None, Bound(True, True)),
    ],
)
def test_what_a_tokenizer_adds_is_read_in_its_file(steps: dict[str, Any] | None, bound: Bound) -> None:
    assert Bound.of(steps) == bound
