"""The student is read once for all terms of a loss, so they must agree on what is read."""

from __future__ import annotations

import pytest

from reasoning.training.losses.language_model import LanguageModel
from reasoning.training.losses.term import Needs, Representations, TokenWeights, merged
from reasoning.training.losses.triplet import Triplet


def test_needs_are_put_together() -> None:
    terms = (LanguageModel(0.1, counts_prompt=True), Triplet(0.5, 1.0, Representations("mean")))
    assert merged(terms) == Needs(TokenWeights(0.1), Representations("mean"))
    assert merged(terms[:1]).representations is None


def test_terms_that_disagree_are_refused() -> None:
    terms = [Triplet(0.5, 1.0, Representations(kind)) for kind in ("last", "mean")]
    with pytest.raises(ValueError, match=r"need different things of one reading: .*'last'.*'mean'"):
        merged(terms)
