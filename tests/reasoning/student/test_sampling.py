"""What is asked of a sampler, and the words of its refusals after a trip through Ray, which pickles them."""

from __future__ import annotations

import pickle

import pytest

from reasoning.student.sampling import Sampling, StaleWeights, SyncFailed


def test_greedy_decoding_gives_one_sample() -> None:
    with pytest.raises(ValueError, match="one sample, not 3"):
        Sampling(samples=3)
    assert Sampling(samples=3, temperature=0.7).samples == 3


def test_stale_weights_name_both_versions() -> None:
    error = pickle.loads(pickle.dumps(StaleWeights("round-2", "round-1")))
    assert (error.asked, error.held) == ("round-2", "round-1")
    assert "'round-2'" in str(error) and "holds 'round-1'" in str(error)
    assert "sync it first" in str(StaleWeights("round-2", ""))


def test_a_failed_sync_names_version_checkpoint_and_reason() -> None:
    error = pickle.loads(pickle.dumps(SyncFailed("round-2", "/students/2", "the probe differs")))
    for part in ("round-2", "/students/2", "the probe differs"):
        assert part in str(error)
