"""What is asked of a sampler and drawn for a row, when a row ends, and words of refusals after a trip through Ray."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoning.student.decoding import Draw, Ending, Request, SampleRow, draw, logits_processors, rows_of
from reasoning.student.sampling import Sampling, StaleWeights, SyncFailed


def request(samples: int = 1, limit: int = 3, seed: int | None = 7) -> Request:
    return Request("so", (1, 2), Sampling(samples=samples, temperature=0.7, seed=seed, max_new_tokens=limit), limit)


@given(
    st.lists(st.floats(-30, 30, width=32) | st.just(-torch.inf), min_size=2, max_size=40),
    st.floats(0, 1, exclude_max=True, width=32),
)
@settings(deadline=None)
def test_a_token_that_is_ruled_out_is_never_drawn(scores: list[float], uniform: float) -> None:
    scores[len(scores) // 2] = max(scores[len(scores) // 2], 0.0)  # one at least is possible
    drawn = draw(torch.tensor([scores]), torch.tensor([[uniform]])).item()
    assert scores[drawn] > -torch.inf


def test_a_request_has_one_row_a_sample_side_by_side() -> None:
    rows = rows_of([request(2), request(1)])
    assert [row.sample for row in rows] == [0, 1, 0]


def test_the_draws_of_a_row_depend_on_its_seed_and_number_and_not_on_its_company() -> None:
    scores = torch.zeros(1, 1000)
    cpu, tokens = torch.device("cpu"), torch.ones(1, 2, dtype=torch.long)

    def first(rows: list[SampleRow], index: int) -> int:
        drawing = Draw(rows, 2, cpu)
        drawn = drawing(tokens.expand(len(rows), -1), scores.expand(len(rows), -1))
        return int(drawn.argmax(dim=1)[index])

    rows = rows_of([request(3)])
    assert [first([row], 0) for row in rows] == [first(rows, index) for index in range(3)]
    assert len({first([row], 0) for row in rows}) == 3
    assert first([rows[0]], 0) != first([SampleRow(request(3, seed=8), 0)], 0)


def test_greedy_decoding_draws_nothing() -> None:
    greedy, cpu = Sampling(), torch.device("cpu")
    row = SampleRow(Request("so", (1, 2), greedy, 3), 0)
    assert len(logits_processors(greedy, Draw([row], 2, cpu))) == 0
    assert len(logits_processors(Sampling(temperature=0.7, top_p=0.9), Draw([row], 2, cpu))) == 3


def test_rows_end_with_an_end_token_at_a_stop_or_at_their_limit_and_once() -> None:
    rows = [SampleRow(request(limit=limit), 0) for limit in (3, 3, 2, 3)]
    said = torch.tensor([[1, 2, 9, 5, 5], [1, 2, 4, 6, 4], [1, 2, 4, 4, 4], [1, 2, 4, 4, 4]])
    ending = Ending(rows, 2, [9], lambda row, tokens: 6 in tokens, torch.device("cpu"))
    ended = [ending(said[:, :width]).tolist() for width in (3, 4, 5)]
    assert ended == [[True, False, False, False], [True, True, True, False], [True] * 4]
    assert ending.leave(said).tolist() == []
    assert ending.made() == [[9], [4, 6], [4, 4], [4, 4, 4]]


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
