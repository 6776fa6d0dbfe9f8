"""Several places with a Batch API: what one does not take, the others are asked."""

import asyncio

import pytest

from actors.journal.actor import Journal
from actors.teacher.pool import TeacherPool
from reasoning.teacher.calls import FailureKind, Outcome, TeacherFailure, TeacherRequest, TeacherSettings
from serve.provider.faults import FaultArgs, FaultKind
from tests.actors.batch_api.batches import assert_answers, endpoint, provider, some, worker
from tests.actors.in_process import in_process

REFUSING = FaultArgs(
    weights={FaultKind.CONTEXT_TOO_LONG: 1.0, FaultKind.CONTENT_FILTER: 1.0, FaultKind.UNSUPPORTED: 1.0}
)


def ask_all(settings: TeacherSettings, journal: Journal, requests: list[TeacherRequest]) -> list[Outcome]:
    async def scenario() -> list[Outcome]:
        workers = [in_process(worker(settings, journal, number=n)) for n in range(len(settings.endpoints))]
        pool = TeacherPool(workers, [], None, settings)
        return list(await asyncio.wait_for(asyncio.gather(*(pool.ask(one) for one in requests)), 30))

    return asyncio.run(scenario())


def test_what_one_place_refuses_the_other_answers_and_each_is_paid_once(journal: Journal) -> None:
    requests = some(30)
    with (
        provider(batch_seconds=0.1, batch_fault_share=1.0, faults=REFUSING) as one,
        provider(batch_seconds=0.1) as other,
    ):
        both = TeacherSettings("offline", (endpoint(one, "one"), endpoint(other, "other")), max_cost=100.0, run="r")
        assert_answers(requests, ask_all(both, journal, requests))
        bill = one.stats().cost + other.stats().cost
        # With a cap, each place is asked one request at once: there `one` refuses nothing.
        assert (one.stats().answered, other.stats().answered) == (1, 29)
        assert other.stats().batch_lines == 28 and 4 < one.stats().batch_lines < 25
        assert journal.spending("r").reserved == 0 and journal.spending("r").settled == pytest.approx(bill, abs=1e-6)
        assert journal.open_batches("one") == journal.open_batches("other") == []


def test_when_both_refuse_it_fails_with_the_words_of_each_and_stays(journal: Journal) -> None:
    requests = some(6)
    filtered = FaultArgs(weights={FaultKind.CONTENT_FILTER: 1.0})
    too_long = FaultArgs(weights={FaultKind.CONTEXT_TOO_LONG: 1.0})
    with (
        provider(batch_seconds=0.1, batch_fault_share=1.0, faults=filtered) as one,
        provider(batch_seconds=0.1, batch_fault_share=1.0, faults=too_long) as other,
    ):
        both = TeacherSettings("offline", (endpoint(one, "one"), endpoint(other, "other")))
        outcomes = ask_all(both, journal, requests)
        assert {outcome.kind for outcome in outcomes if isinstance(outcome, TeacherFailure)} == {
            FailureKind.CONTENT_FILTER,
            FailureKind.CONTEXT_TOO_LONG,
        }
        words = [outcome.message for outcome in outcomes if isinstance(outcome, TeacherFailure)]
        assert len(words) == 6 and all("one: " in said and "other: " in said for said in words)
        ask_all(both, journal, requests)
        assert one.stats().batch_lines == other.stats().batch_lines == 6  # neither is asked again


def test_a_place_with_a_spent_quota_or_a_wrong_key_is_left_to_the_other(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = some(12)
    with provider(batch_seconds=0.1, quota_requests=2) as poor, provider(batch_seconds=0.1) as other:
        both = TeacherSettings("offline", (endpoint(poor, "poor"), endpoint(other, "other")))
        assert_answers(requests, ask_all(both, journal, requests))
        assert poor.stats().answered == 2
    others = some(8, first=100)
    with provider(batch_seconds=0.1, api_keys=("another",)) as closed, provider(batch_seconds=0.1) as other:
        both = TeacherSettings("offline", (endpoint(closed, "closed"), endpoint(other, "other")))
        assert_answers(others, ask_all(both, journal, others))
        alone = TeacherSettings("offline", (endpoint(closed, "closed"),))
        (failure,) = ask_all(alone, journal, some(1, first=200))
        assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.AUTHENTICATION
