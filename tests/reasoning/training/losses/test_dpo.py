"""The preference of `dpo`: its formula, who counts, and which way it trains."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.dpo import Preference, dpo, preference_losses
from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.step_dpo import step_dpo
from reasoning.training.losses.term import Pairs
from reasoning.training.samples import Pair, Sample


@pytest.mark.parametrize(
    ("right", "wrong", "known", "beta", "loss"),
    [
        (-3.0, -5.0, (-3.0, -5.0), 0.1, math.log(2.0)),  # as before the training
        (-2.0, -5.0, (-3.0, -5.0), 1.0, math.log1p(math.exp(-1.0))),
        (-3.0, -5.0, (-3.0, -4.0), 0.5, math.log1p(math.exp(-0.5))),
        (-3.0, -4.0, (-3.0, -5.0), 0.5, math.log1p(math.exp(0.5))),
        (-3.0, -900.0, (-3.0, -5.0), 1.0, 0.0),
    ],
)
def test_the_formula(right: float, wrong: float, known: tuple[float, float], beta: float, loss: float) -> None:
    found = preference_losses(torch.tensor([[right, wrong]]), torch.tensor([known]), beta)
    assert found.tolist() == pytest.approx([loss], abs=1e-6)


def test_pairs_count_and_nothing_else() -> None:
    term = Preference(0.5, 0.1, Pairs())
    counted = [Sample((5,), (8, 1), pair=Pair((8, 1), (9, 1))), Sample((5,), (8, 1), (9, 1), (7, 1))]
    assert [term.count(sample, encoder_decoder=False) for sample in counted] == [1, 0]


def test_its_terms_are_weighted_by_the_recipe() -> None:
    terms = dpo(ObjectiveSection(loss="dpo", language_weight=0.0, contrastive_weight=2.0, beta=0.3))
    assert terms == (LanguageModel(0.0, counts_prompt=False, weight=0.0), Preference(2.0, 0.3, Pairs("whole")))


def test_step_dpo_prefers_steps() -> None:
    language, steps = step_dpo(ObjectiveSection(loss="step_dpo", beta=0.5))
    other, whole = dpo(ObjectiveSection(loss="dpo", beta=0.5))
    assert language == other
    assert isinstance(whole, Preference)
    assert steps == replace(whole, pairs=Pairs("step"))
