"""The triplet loss: its formula, who counts, and what it trains."""

from __future__ import annotations

import math

import pytest
import torch

from reasoning.recipe.training import ObjectiveSection
from reasoning.training.losses.table import terms_of
from reasoning.training.losses.term import Representations
from reasoning.training.losses.triplet import Triplet, triplet, triplet_losses
from reasoning.training.objectives import Objective
from reasoning.training.samples import Sample
from tests.reasoning.training.losses.plain_losses import SHARED, VOCABULARY
from tests.tiny_students import tiny_llama
from tests.tiny_t5 import tiny_t5


def test_it_is_the_hinge_of_two_cosines() -> None:
    anchor = torch.tensor([[2.0, 0.0]] * 3)
    positive = torch.tensor([[1.0, 1.0], [5.0, 0.0], [0.0, 1.0]])
    negative = torch.tensor([[0.0, 3.0], [-1.0, 0.0], [1.0, 0.0]])
    found = triplet_losses(anchor, positive, negative, margin=1.0).tolist()
    for mine, expected in zip(found, [1.0 - math.sqrt(0.5), 0.0, 2.0], strict=True):
        assert math.isclose(mine, expected, abs_tol=1e-6)


def test_triplets_count_and_nothing_else() -> None:
    term = Triplet(0.5, 1.0, Representations())
    counted = [Sample((5,), (8, 1), (9, 1), (7, 1)), Sample((5,), (8, 1), None, (7, 1)), Sample((5,), (8, 1), (9, 1))]
    assert [term.count(sample, encoder_decoder=False) for sample in counted] == [1, 0, 0]


def test_without_a_weight_there_is_no_term() -> None:
    assert triplet(ObjectiveSection(contrastive_weight=0.0)) == ()
    (term,) = triplet(ObjectiveSection(contrastive_weight=2.0, margin=0.3, representation="mean"))
    assert (term.weight, term.margin, term.representations.kind) == (2.0, 0.3, "mean")


@pytest.mark.parametrize("encoder_decoder", [False, True])
def test_without_prompt_gradient_the_triplet_loss_trains_no_prompt(encoder_decoder: bool) -> None:
    """The prompt's tokens occur nowhere else, so that their embeddings' gradients are those through the prompt."""
    sample = Sample((30, 31, 32), (8, 9, 1), (10, 1), (11, 12, 1))
    model = (tiny_t5(VOCABULARY, tied=False) if encoder_decoder else tiny_llama(VOCABULARY)).double()
    for trains in (True, False):
        section = ObjectiveSection(loss="contrastive", prompt_gradient=trains)
        objective = Objective(model, terms_of(section), 0, SHARED)
        gradient = torch.autograd.grad(objective((sample,), (3, 1))[0], model.get_input_embeddings().weight)[0]
        assert bool(gradient[30:33].abs().sum() > 0) == trains
        assert gradient[[8, 9, 10, 11, 12]].abs().sum() > 0
