"""What the language-model loss of a batch is divided by."""

from __future__ import annotations

import pytest

from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.samples import Sample

SAMPLE = Sample((5, 6, 7), (8, 1))
WITHOUT_PROMPT = Sample((), (8, 9, 1))


@pytest.mark.parametrize(
    ("sample", "counts_prompt", "encoder_decoder", "count"),
    [
        (SAMPLE, True, False, 4),  # the first token of a sequence is not predicted
        (SAMPLE, False, False, 2),
        (SAMPLE, True, True, 2),
        (SAMPLE, False, True, 2),
        (WITHOUT_PROMPT, True, False, 2),
        (WITHOUT_PROMPT, False, False, 2),
        (WITHOUT_PROMPT, False, True, 3),  # a decoder of its own starts with a start token
    ],
)
def test_it_counts_the_tokens_that_are_predicted(
    sample: Sample, counts_prompt: bool, encoder_decoder: bool, count: int
) -> None:
    term = LanguageModel(0.5, counts_prompt=counts_prompt)
    assert term.count(sample, encoder_decoder=encoder_decoder) == count


def test_what_weighs_nothing_wants_no_gradient() -> None:
    wanted = [LanguageModel(0.0, counts_prompt=False, weight=weight).needs.cross_entropy for weight in (0.0, 1.0)]
    assert [weights.trained for weights in wanted if weights is not None] == [False, True]
