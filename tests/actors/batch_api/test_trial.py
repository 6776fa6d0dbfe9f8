"""What requests cost at a place is found out before a whole batch of them is there."""

from __future__ import annotations

import pytest

from actors.journal.actor import Journal
from reasoning.teacher.calls import FailureKind, TeacherFailure, TeacherReply
from serve.provider.faults import FaultArgs, FaultKind
from serve.provider.server import Provider
from tests.actors.batch_api.batches import ask, assert_answers, assert_booked, provider, settings, some

THOUGHT = 400  # tokens that each answer is billed for beyond max_tokens, which is 64


def live(there: Provider) -> int:
    """How many of its answers were asked for at once."""
    return there.stats().answered - there.stats().batch_billed


def test_without_a_cap_nothing_is_asked_at_once(journal: Journal) -> None:
    with provider(batch_seconds=0.05, thinking_tokens=THOUGHT) as there:
        assert_answers(some(5), ask(settings(there), journal, some(5)))
        assert live(there) == 0 and there.stats().batch_billed == 5


def test_one_reply_is_enough_where_it_costs_no_more_than_its_worst_case(journal: Journal) -> None:
    with provider(batch_seconds=0.05) as there:
        assert_answers(some(12), ask(settings(there, max_cost=100.0, run="r"), journal, some(12)))
        assert live(there) == 1 and there.stats().batch_billed == 11
        assert_booked(journal, there)


@pytest.mark.parametrize("cap", [5.5, 20.0])
def test_a_first_batch_passes_no_cap_where_thinking_is_billed_beyond_max_tokens(journal: Journal, cap: float) -> None:
    """A request's worst case is $0.18 at the batch price, and it costs $0.43: all would be permitted as one batch."""
    with provider(batch_seconds=0.05, thinking_tokens=THOUGHT) as there:
        outcomes = ask(settings(there, max_cost=cap, run="r"), journal, some(16))
        assert there.stats().cost <= cap
        answered = [one for one in outcomes if isinstance(one, TeacherReply)]
        assert {one.kind for one in outcomes if isinstance(one, TeacherFailure)} <= {FailureKind.BUDGET}
        assert len(answered) == there.stats().answered > 0 and (len(answered) == 16) == (cap == 20.0)
        assert live(there) <= 8
        assert_booked(journal, there)


def test_a_place_that_answers_nothing_at_once_gets_a_first_batch_of_one(journal: Journal) -> None:
    """As a deployment that is for batches alone."""
    down = FaultArgs(share=1.0, weights={FaultKind.SERVER_ERROR: 1.0})
    with provider(batch_seconds=0.05, thinking_tokens=THOUGHT, faults=down) as there:
        outcomes = ask(settings(there, max_cost=6.0, run="r"), journal, some(20))
        assert there.stats().cost <= 6.0 and there.stats().answered == there.stats().batch_billed > 5
        assert {one.kind for one in outcomes if isinstance(one, TeacherFailure)} == {FailureKind.BUDGET}
        assert_booked(journal, there)
