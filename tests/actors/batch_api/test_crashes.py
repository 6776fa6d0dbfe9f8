"""Batches whose worker, or provider, goes: nothing is paid twice, and what was handed over is taken over."""

import asyncio
import dataclasses
import time
from pathlib import Path

import pytest

from actors.batch_api import endpoint as batch_endpoint
from actors.batch_api import job as batch_job
from actors.batch_api.client import BatchClient, CallFailed
from actors.batch_api.remote import RemoteBatch
from actors.batch_api.worker import BatchWorker
from actors.journal.actor import Journal
from actors.starting import close_journal, start_journal, start_pool
from reasoning.teacher.calls import FailureKind, TeacherReply, TeacherSettings
from reasoning.teacher.prices import Price
from serve.provider.server import Provider
from tests.actors.batch_api.batches import (
    Outcome,
    Unrecorded,
    ask,
    assert_answers,
    assert_booked,
    crash,
    endpoint,
    is_waiting,
    provider,
    settings,
    some,
    until,
    worker,
)
from tests.actors.in_process import run


@pytest.mark.parametrize("method", ["batch_sent", "end", "batch_ended"])
def test_a_worker_that_dies_before_it_records_leaves_nothing_to_be_paid_twice(journal: Journal, method: str) -> None:
    requests = some(12)
    with provider() as there:
        half = Unrecorded(journal, method)

        async def died(_: BatchWorker) -> bool:
            return half.died

        crash(settings(there), half, requests, died)
        (left,) = journal.open_batches("offline")
        assert (left.remote_id is None) == (method == "batch_sent")
        assert_answers(requests, ask(settings(there), journal, requests))
        assert there.stats().batch_billed == there.stats().batch_lines == 12
        while journal.open_batches("offline"):  # with its requests in the journal, another has to make it look
            ask(settings(there), journal, some(1, first=100))
        assert_booked(journal, there)
        assert journal.sums().all.sendings == there.stats().batch_lines <= 13


def test_a_batch_that_is_waited_for_is_taken_over(journal: Journal) -> None:
    requests = some(12)
    with provider() as there:
        crash(settings(there), journal, requests, is_waiting)
        others = some(3, first=100)
        assert_answers(others, ask(settings(there), journal, others))  # it is settled, though nobody asks for it
        while journal.open_batches("offline"):
            ask(settings(there), journal, some(1, first=200))
        assert all(isinstance(one, TeacherReply) for one in journal.lookup([one.key for one in requests]))
        assert_answers(requests, ask(settings(there), journal, requests))
        assert 15 <= there.stats().batch_lines == there.stats().batch_billed == journal.sums().all.sendings <= 16
        assert_booked(journal, there)


def test_a_batch_that_was_never_handed_over_costs_nothing_and_is_asked_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploading = False

    async def hangs(*_: object) -> str:
        nonlocal uploading
        uploading = True
        await asyncio.Event().wait()
        return ""

    async def is_uploading(_: BatchWorker) -> bool:
        return uploading

    requests = some(6)
    with provider() as there:
        monkeypatch.setattr(BatchClient, "upload", hangs)
        crash(settings(there), journal, requests, is_uploading)
        monkeypatch.undo()
        assert len(journal.open_batches("offline")) == 1 and journal.spending().reserved > 0
        began = time.monotonic()
        assert_answers(requests, ask(settings(there), journal, requests, hand_over_s=0.2))
        assert time.monotonic() - began > 0.2  # a living maker might still have been at it
        assert there.stats().batch_billed == 6 and journal.open_batches("offline") == []
        assert_booked(journal, there)


def test_an_unreachable_provider_is_told_and_its_batch_is_fetched_later(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> RemoteBatch:
        raise CallFailed(FailureKind.TRANSPORT, "connection refused", refused=False)

    requests = some(4)
    with provider() as there:
        monkeypatch.setattr(BatchClient, "retrieve", down)
        outcomes = ask(settings(there, rate_limit_patience_s=0.2), journal, requests)
        assert {one.kind for one in outcomes} == {FailureKind.TRANSPORT}
        assert all("batch batch_00000002 goes on" in one.message for one in outcomes)  # type: ignore[union-attr]
        monkeypatch.undo()
        assert_answers(requests, ask(settings(there), journal, requests))
        assert there.stats().batch_lines == 4
        assert_booked(journal, there)


def test_a_batch_that_never_ends_is_told_and_waited_for(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day after the provider's own time for it, those who wait hear of it. The batch stays open."""
    monkeypatch.setattr(batch_job, "DAY_S", 0.2)
    monkeypatch.setattr(batch_endpoint, "_seconds", lambda _: 0.2)
    requests = some(3)
    with provider(batch_seconds=1.5) as there:
        outcomes = ask(settings(there), journal, requests)
        assert {one.kind for one in outcomes} == {FailureKind.TIMEOUT}
        assert "its status: in_progress" in outcomes[0].message  # type: ignore[union-attr]
        monkeypatch.undo()
        assert_answers(requests, ask(settings(there), journal, requests))
        assert there.stats().batch_lines == 3


def test_what_a_dead_worker_of_another_endpoint_sent_is_not_sent_again(journal: Journal) -> None:
    """The pool gives a dead worker's requests to the next one, which asks another endpoint."""
    requests = some(10)
    with provider(batch_seconds=0.4) as one, provider() as other:
        both = TeacherSettings("offline", (endpoint(one, "one"), endpoint(other, "other")))
        crash(both, journal, requests[:6], is_waiting, number=0)
        assert_answers(requests, ask(both, journal, requests, number=1))
        assert (one.stats().batch_lines, other.stats().batch_lines) == (6, 4)
        assert journal.open_batches("one") == journal.open_batches("other") == []
        assert journal.spending().settled == pytest.approx(one.stats().cost + other.stats().cost, abs=1e-7)


def test_two_living_runs_on_one_journal_send_a_request_once(tmp_path: Path) -> None:
    requests = some(12)

    async def scenario(mine: BatchWorker, theirs: BatchWorker) -> list[Outcome]:
        first = asyncio.gather(*(mine.ask(one) for one in requests[:8]))
        await asyncio.sleep(0.1)
        second = asyncio.gather(*(theirs.ask(one) for one in requests[4:]))
        return [*await first, *(await second)[4:]]

    journals = [Journal(tmp_path / "journal.sqlite") for _ in range(2)]
    with provider() as there:
        workers = [worker(settings(there, run=run), one) for run, one in zip("ab", journals, strict=True)]
        assert_answers(requests, asyncio.run(scenario(*workers)))
        assert there.stats().batch_lines == 12
        assert_booked(journals[0], there)
    for one in journals:
        one.close()


def test_the_batches_of_another_teacher_at_the_same_endpoint_are_left_to_it(journal: Journal) -> None:
    """Its model may have another price."""
    with provider() as there:
        dear = settings(there, price=Price(9000.0, 9000.0))
        dear = dataclasses.replace(dear, endpoints=(dataclasses.replace(dear.endpoints[0], model="dear"),))
        crash(dear, journal, some(3), is_waiting)
        assert_answers(some(2, first=10), ask(settings(there), journal, some(2, first=10)))
        assert len(journal.open_batches("offline")) == 1
        outcomes = ask(dear, journal, some(3))
        assert {one.kind for one in outcomes} == {FailureKind.NOT_FOUND}  # the provider has no such model
        assert journal.open_batches("offline") == []


@pytest.mark.slow
def test_a_pool_on_ray_spreads_over_endpoints_and_loses_nothing_with_a_worker(
    ray_cluster: None, tmp_path: Path
) -> None:
    """One of two workers is killed while its batch is under way: about ten seconds."""
    import ray

    requests = some(40)

    async def scenario(one: Provider, other: Provider) -> None:
        journal = start_journal(tmp_path / "journal.sqlite")
        both = TeacherSettings("offline", (endpoint(one, "one"), endpoint(other, "other")), run="run", max_cost=100.0)
        pool = start_pool(both, journal)
        asking = asyncio.gather(*(pool.ask(request) for request in requests))
        victim = pool._queues[0].worker

        async def is_waiting() -> bool:
            batches = await victim.batches.remote()
            return bool(batches) and batches[0].remote_id is not None

        await until(is_waiting)
        ray.kill(victim, no_restart=False)
        assert_answers(requests, await asking)
        progress = await pool.progress()
        assert progress.counts.answered == 40 and progress.spending.reserved == 0 and progress.open_circuits == ()
        assert progress.spending.settled == pytest.approx(one.stats().cost + other.stats().cost, abs=1e-6)
        assert min(one.stats().batch_lines, other.stats().batch_lines) > 5
        assert [place.billed - place.batch_billed for place in (one.stats(), other.stats())] == [1, 1]  # with a cap
        assert one.stats().billed + other.stats().billed == 40
        await pool.close()
        sums = await close_journal(journal)
        assert (sums.requests.answered, sums.all.sendings, sums.requests.sent_again) == (40, 40, 0)

    with provider(batch_seconds=2.0) as one, provider(batch_seconds=2.0) as other:
        run(scenario(one, other))
