"""The Batch API behind the pool's interface, against a provider of it in a thread that can be told to fail."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from aiohttp import web

import serve.batch_api
from actors import batch_endpoint, batch_flight
from actors.batch_client import BatchClient, CallFailed
from actors.batch_files import Page, RemoteBatch, fitting, input_line, read_input
from actors.batch_worker import BatchWorker
from actors.journal import Journal
from actors.teacher import close_journal, start_journal, start_pool
from reasoning.prices import Price, dollars
from reasoning.teacher_calls import (
    BatchSettings,
    EndpointSettings,
    FailureKind,
    TeacherFailure,
    TeacherReply,
    TeacherRequest,
    TeacherSettings,
)
from reasoning.teacher_sections import EndpointSection
from serve.chat_completion import ApiRefusal
from serve.faults import FaultArgs, FaultKind
from serve.provider import Provider
from serve.provider_args import ProviderArgs
from tests.actors.in_process import Handle
from tests.actors.scripted_server import SECRET
from tests.actors.test_teacher import run_on_ray

MODEL = "faulty-teacher"
OF_THE_TEACHER = ("attempts", "rate_limit_patience_s", "max_cost", "run")
Outcome = TeacherReply | TeacherFailure


def provider(**knobs: Any) -> Provider:
    return Provider(
        ProviderArgs(
            **{"teacher": "echo", "batch_seconds": 0.2, "input_price": 1000.0, "output_price": 2000.0, **knobs}
        )
    )


def endpoint(at: Provider, name: str = "offline", **more: Any) -> EndpointSettings:
    batch = BatchSettings(linger_s=0.05, poll_s=0.05, **({"max_requests": n} if (n := more.pop("most", None)) else {}))
    price = more.pop("price", Price(1000.0, 2000.0, 0.5))
    return EndpointSettings(name, at.base_url, MODEL, price=price, batch=batch, timeout_s=5.0, **more)


def settings(at: Provider, **more: Any) -> TeacherSettings:
    of_teacher = {"attempts": 4, **{key: more.pop(key) for key in OF_THE_TEACHER if key in more}}
    return TeacherSettings("offline", (endpoint(at, **more),), **of_teacher)


def some(count: int, first: int = 0) -> list[TeacherRequest]:
    texts = [f"question number {number}" for number in range(first, first + count)]
    return [TeacherRequest("offline", "m", (("user", text),), 0.7, 64) for text in texts]


def worker(with_settings: TeacherSettings, journal: Any, **more: Any) -> BatchWorker:
    return BatchWorker(with_settings, Handle(journal), **{"backoff_s": 0.01, "hand_over_s": 5.0, **more})


def ask(with_settings: TeacherSettings, journal: Any, requests: Sequence[TeacherRequest], **more: Any) -> list[Outcome]:
    async def scenario() -> list[Outcome]:
        asker = worker(with_settings, journal, **more)
        return await asyncio.wait_for(asyncio.gather(*(asker.ask(one) for one in requests)), 20)

    return asyncio.run(scenario())


def crash(
    with_settings: TeacherSettings,
    journal: Any,
    requests: Sequence[TeacherRequest],
    when: Callable[[BatchWorker], Awaitable[bool]],
    **more: Any,
) -> None:
    """Asks until `when`, then drops the worker with everything it was doing."""

    async def scenario() -> None:
        asker = worker(with_settings, journal, **more)
        await asker.submit(requests)
        await until(lambda: when(asker))

    asyncio.run(scenario())


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await true():
                return
            await asyncio.sleep(0.01)


async def is_waiting(asker: BatchWorker) -> bool:
    batches = await asker.batches()
    return bool(batches) and all(batch.remote_id is not None for batch in batches)


def assert_answers(requests: Sequence[TeacherRequest], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(requests, outcomes, strict=True):
        assert isinstance(outcome, TeacherReply), outcome
        assert (outcome.key, outcome.text) == (request.key, f"Answer to {request.messages[0][1]}")


def assert_booked(journal: Journal, at: Provider) -> None:
    """The journal's account is the provider's bill, to within a nanodollar a line."""
    spending, bill = journal.spending(), at.stats()
    assert spending.reserved == 0 and 0 <= spending.settled - bill.cost <= dollars(bill.batch_lines)


# What it is for -------------------------------------------------------------------------------------------------------


def test_everything_is_answered_and_journaled_at_half_the_price(journal: Journal) -> None:
    requests = some(25)
    with provider() as there:
        replies = ask(settings(there, most=10), journal, [*requests, *requests])
        assert_answers(requests * 2, replies)
        stats = there.stats()
        assert (stats.arrived, stats.batch_lines, stats.batch_billed, stats.answered_more_than_once) == (0, 25, 25, 0)
        assert stats.batch_cost == pytest.approx(
            Price(1000, 2000, 1).cost(stats.prompt_tokens, stats.completion_tokens) / 2e9
        )
        assert_booked(journal, there)
        assert journal.open_batches("offline") == []
    again = ask(settings(there), journal, requests)  # nobody is there any more, and nobody is needed
    assert all(isinstance(reply, TeacherReply) and reply.from_journal for reply in again)


def test_a_batch_goes_when_no_more_requests_come_and_is_shown_while_it_is_waited_for(journal: Journal) -> None:
    async def scenario(asker: BatchWorker) -> None:
        first, second = some(7)[:5], some(7)[5:]
        before = time.time()
        await asker.submit(first)
        await asyncio.sleep(0.02)
        await asker.submit(second)
        await until(lambda: is_waiting(asker))
        (batch,) = await asker.batches()
        assert batch.remote_id == "batch_00000002" and batch.total == 7 and before <= batch.since <= time.time()
        assert (batch.status, batch.completed, batch.failed) in [("validating", 0, 0), ("in_progress", 0, 0)]
        assert await asker.drain(5.0) == 7  # what is at the provider stays there
        came: list[Any] = []
        while len(came) < 7:
            came += await asker.collect()
        assert {one.key for one in came} == {one.key for one in some(7)} and await asker.batches() == ()

    with provider(batch_seconds=0.4) as there:
        asyncio.run(scenario(worker(settings(there), journal)))
        assert there.stats().batch_billed == 7


# What goes wrong at the provider --------------------------------------------------------------------------------------


def test_what_expired_or_failed_for_now_goes_into_the_next_batch_and_nothing_else(journal: Journal) -> None:
    kinds = dict.fromkeys((FaultKind.SERVER_ERROR, FaultKind.RATE_LIMITED, FaultKind.DROPPED), 1.0)
    faults = FaultArgs(weights={**kinds, FaultKind.MALFORMED: 1.0, FaultKind.EMPTY: 1.0}, first_arrivals=1)
    with provider(batch_seconds=0.1, batch_expire_share=0.3, batch_fault_share=0.5, faults=faults) as there:
        requests = some(60)
        assert_answers(requests, ask(settings(there), journal, requests))
        stats = there.stats()
        assert stats.answered == 60 and stats.answered_more_than_once == 0 and stats.sent_more_than_once > 5
        assert set(stats.faults) == {*kinds, FaultKind.MALFORMED, FaultKind.EMPTY}
        spending = journal.spending()  # lost lines may have been paid for, and are booked so
        assert spending.reserved == 0 and spending.settled >= stats.cost
        assert journal.sums().requests.refused == journal.sums().requests.sent_again == 0


def test_expiry_is_no_attempt_while_something_is_answered(journal: Journal) -> None:
    with provider(batch_seconds=0.05, batch_expire_share=0.5) as there:
        requests = some(30)
        outcomes = ask(settings(there, attempts=1), journal, requests)
        answered = [one for one in outcomes if isinstance(one, TeacherReply)]
        assert there.stats().batch_billed == len(answered) >= 25  # one attempt alone would have left about 15
        assert all(one.kind is FailureKind.TIMEOUT for one in outcomes if isinstance(one, TeacherFailure))
        assert_booked(journal, there)


def test_lines_that_never_succeed_fail_after_their_attempts_and_final_failures_are_kept(journal: Journal) -> None:
    faults = FaultArgs(weights={FaultKind.SERVER_ERROR: 1.0})
    with provider(batch_seconds=0.05, batch_fault_share=1.0, faults=faults) as there:
        (failure,) = ask(settings(there, attempts=3), journal, some(1))
        assert isinstance(failure, TeacherFailure)
        assert (failure.kind, failure.attempts, there.stats().batch_lines) == (FailureKind.SERVER, 3, 3)
    faults = FaultArgs(weights={FaultKind.CONTEXT_TOO_LONG: 1.0, FaultKind.CONTENT_FILTER: 1.0})
    with provider(batch_seconds=0.05, batch_fault_share=1.0, faults=faults) as there:
        requests = some(8, first=100)
        outcomes = ask(settings(there), journal, requests)
        assert {one.kind for one in outcomes} == {FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER}
        assert ask(settings(there), journal, requests) == outcomes and there.stats().batch_lines == 8
        assert_booked(journal, there)


@pytest.mark.parametrize("seed", range(3))
def test_calls_that_fail_before_or_after_they_were_carried_out_make_no_second_batch(
    journal: Journal, seed: int
) -> None:
    with provider(batch_seconds=0.05, batch_call_fault_share=0.35, seed=seed) as there:
        requests = some(20)
        assert_answers(requests, ask(settings(there, most=5), journal, requests))
        assert there.stats().batch_billed == there.stats().batch_lines == 20
        assert_booked(journal, there)


def test_a_provider_that_says_when_to_come_back_is_left_alone_until_then(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []
    create = serve.batch_api.BatchApi._create

    async def busy_at_first(self: serve.batch_api.BatchApi, request: web.Request) -> web.Response:
        calls.append(time.monotonic())
        refusal = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
        return await create(self, request) if len(calls) > 1 else web.json_response(refusal, status=429, headers=hint)

    hint = {"Retry-After": "1"}
    monkeypatch.setattr(serve.batch_api.BatchApi, "_create", busy_at_first)
    with provider(batch_seconds=0.05) as there:
        assert_answers(some(3), ask(settings(there), journal, some(3)))
        assert len(calls) == 2 and calls[1] - calls[0] >= 1.0 and journal.sums().all.sendings == 3


@pytest.mark.parametrize("path", ["_upload", "_create"])
def test_a_spent_quota_fails_the_requests_and_costs_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def refuse(*_: object) -> None:
        raise ApiRefusal(429, "You exceeded your current quota.", "insufficient_quota")

    monkeypatch.setattr(serve.batch_api.BatchApi, path, refuse)
    with provider() as there:
        outcomes = ask(settings(there), journal, some(5))
        assert {one.kind for one in outcomes} == {FailureKind.QUOTA} and there.stats().batch_lines == 0
        assert_booked(journal, there)
        assert journal.open_batches("offline") == []
        monkeypatch.undo()
    with provider() as there:
        assert_answers(some(5), ask(settings(there), journal, some(5)))


def test_a_quota_that_ends_in_the_middle_fails_the_rest(journal: Journal) -> None:
    with provider(quota_requests=3) as there:
        outcomes = ask(settings(there), journal, some(5))
        assert sorted(type(one).__name__ for one in outcomes) == ["TeacherFailure"] * 2 + ["TeacherReply"] * 3
        assert {one.kind for one in outcomes if isinstance(one, TeacherFailure)} == {FailureKind.QUOTA}
        assert_booked(journal, there)


def test_a_refused_key_is_told_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TEACHER_KEY", SECRET)

    async def echo(*_: object) -> None:
        raise ApiRefusal(401, f"Incorrect API key provided: {SECRET}", "invalid_api_key")

    journal = Journal(tmp_path / "journal.sqlite")
    with provider(api_keys=("another",)) as there:
        refused = ask(settings(there, api_key_env="TEACHER_KEY"), journal, some(2))
        monkeypatch.setattr(serve.batch_api.BatchApi, "_create", echo)
    with provider() as there:
        refused += ask(settings(there, api_key_env="TEACHER_KEY"), journal, some(2))
    assert all(isinstance(one, TeacherFailure) and one.kind is FailureKind.AUTHENTICATION for one in refused)
    journal.close()
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert "[key]" in repr(refused) and SECRET not in repr(refused) + caplog.text and SECRET.encode() not in files


def test_a_batch_that_is_not_valid_fails_its_requests_with_the_providers_words(journal: Journal) -> None:
    with provider(batch_most_lines=2) as there:
        outcomes = ask(settings(there), journal, some(3))
        assert {one.kind for one in outcomes} == {FailureKind.BAD_REQUEST}
        assert all("more than 2 requests" in one.message for one in outcomes if isinstance(one, TeacherFailure))
        assert_booked(journal, there)
        assert_answers(some(3), ask(settings(there, most=2), journal, some(3)))  # mended, and asked again


def test_a_provider_that_takes_less_at_a_time_gets_smaller_batches(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    invalid = serve.batch_api.InvalidLine

    def too_many_tokens(number: int, _: str, message: str) -> Exception:
        return invalid(number, "token_limit_exceeded", f"Enqueued token limit reached: {message}")

    monkeypatch.setattr("serve.batches.InvalidLine", too_many_tokens)
    with provider(batch_seconds=0.05, batch_most_lines=3) as there:
        monkeypatch.setattr(serve.batch_api, "InvalidLine", invalid)
        assert_answers(some(20), ask(settings(there), journal, some(20)))
        assert there.stats().batch_billed == 20
        assert_booked(journal, there)


def test_half_a_character_fails_its_request_alone(journal: Journal) -> None:
    broken = dataclasses.replace(some(1)[0], messages=(("user", "\ud800"),))
    with provider() as there:
        failure, reply = ask(settings(there), journal, [broken, some(1)[0]])
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.BAD_REQUEST
    assert isinstance(reply, TeacherReply)


# Money ----------------------------------------------------------------------------------------------------------------


def test_the_cap_is_held_against_the_batch_price_and_never_passed(journal: Journal) -> None:
    """A request's worst case is about $0.18 at the batch price, what it costs about $0.01: they go a few at a time, as
    what is under way turns out cheaper."""
    with provider(batch_seconds=0.05) as there:
        requests = some(20)
        outcomes = ask(settings(there, max_cost=0.9, run="run"), journal, requests)
        assert_answers(requests, outcomes)
        assert there.stats().cost <= 0.9
        assert_booked(journal, there)
        outcomes = ask(settings(there, max_cost=there.stats().cost + 0.25, run="run"), journal, some(20, first=100))
        failed = [one for one in outcomes if isinstance(one, TeacherFailure)]
        assert 0 < len(failed) < 20 and {one.kind for one in failed} == {FailureKind.BUDGET}
        assert "raise teacher.max_cost" in failed[0].message and there.stats().batch_billed == 40 - len(failed)
        assert_booked(journal, there)


# Crashes --------------------------------------------------------------------------------------------------------------


class Unrecorded:
    """A journal whose writer dies just before it records what `method` would."""

    def __init__(self, journal: Journal, method: str) -> None:
        self._journal = journal
        self._method = method
        self.died = False

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._journal, name)

        async def dies(*_: object) -> None:
            self.died = True
            await asyncio.Event().wait()

        return dies


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
    monkeypatch.setattr(batch_flight, "DAY_S", 0.2)
    monkeypatch.setattr(batch_endpoint, "_seconds", lambda _: 0.2)
    requests = some(3)
    with provider(batch_seconds=3.0) as there:
        outcomes = ask(settings(there), journal, requests)
        assert {one.kind for one in outcomes} == {FailureKind.TIMEOUT}
        assert "its status: in_progress" in outcomes[0].message  # type: ignore[union-attr]
        monkeypatch.undo()
        assert_answers(requests, ask(settings(there), journal, requests))
        assert there.stats().batch_lines == 3


def test_a_list_that_does_not_turn_its_pages_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def page(*_: object) -> Page:
        nonlocal looks
        looks += 1
        return Page.model_validate({"data": [{"id": "other", "status": "completed"}], "has_more": True})

    async def scenario(there: Provider) -> RemoteBatch | None:
        client = BatchClient(endpoint(there), backoff_s=0.01)
        monkeypatch.setattr(client, "_read", page)
        monkeypatch.setattr(client, "_client", MagicMock())
        return await client.find("mine", time.time())

    with provider() as there:
        assert asyncio.run(scenario(there)) is None and looks == 2


@pytest.mark.parametrize(
    "odd", [{"request_counts": {"total": None}}, {"errors": []}, {"errors": {"data": [{"code": 7}]}}]
)
def test_what_is_only_for_show_keeps_no_batch_from_being_read(odd: dict[str, object]) -> None:
    batch = RemoteBatch.model_validate({"id": "b", "status": "completed", "output_file_id": "f", **odd})
    assert batch.ended and batch.counts.total == 0 and batch.words == "the provider does not say why"


def test_what_a_dead_worker_of_another_endpoint_sent_is_not_sent_again(journal: Journal) -> None:
    """The pool gives a dead worker's requests to the next one, which asks another endpoint."""
    requests = some(10)
    with provider(batch_seconds=0.4) as one, provider() as other:
        both = TeacherSettings("offline", (endpoint(one, "one"), endpoint(other, "other")))
        crash(both, journal, requests[:6], is_waiting, mine=0)
        assert_answers(requests, ask(both, journal, requests, mine=1))
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


# On Ray ---------------------------------------------------------------------------------------------------------------


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
        victim = pool._lines[0].worker

        async def is_waiting() -> bool:
            batches = await victim.batches.remote()
            return bool(batches) and batches[0].remote_id is not None

        await until(is_waiting)
        ray.kill(victim, no_restart=False)
        assert_answers(requests, await asking)
        progress = await pool.progress()
        assert progress.counts.answered == 40 and progress.spending.reserved == 0 and progress.closed == ()
        assert progress.spending.settled == pytest.approx(one.stats().cost + other.stats().cost, abs=1e-6)
        assert min(one.stats().batch_lines, other.stats().batch_lines) > 5
        assert one.stats().batch_billed + other.stats().batch_billed == 40
        await pool.close()
        sums = await close_journal(journal)
        assert (sums.requests.answered, sums.all.sendings, sums.requests.sent_again) == (40, 40, 0)

    with provider(batch_seconds=2.0) as one, provider(batch_seconds=2.0) as other:
        run_on_ray(scenario(one, other))


def test_a_mix_of_batches_and_single_calls_is_refused() -> None:
    batched = EndpointSettings("a", "http://127.0.0.1:1/v1", "m", batch=BatchSettings())
    plain = EndpointSettings("b", "http://127.0.0.1:1/v1", "m")
    with pytest.raises(ValueError, match="either all of its endpoints"):
        start_pool(TeacherSettings("t", (batched, plain)), None)
    with pytest.raises(ValueError, match="no batch settings"):
        BatchWorker(TeacherSettings("t", (plain,)), None)
    further = {"base_url": "https://api.example/v1"}
    with pytest.raises(ValueError, match="for all places of a teacher or for none"):
        EndpointSection(kind="openai", model="m", batch={}, endpoints=(further,))
    EndpointSection(kind="openai", model="m", batch={}, endpoints=({**further, "batch": {}},))


# Files ----------------------------------------------------------------------------------------------------------------


def test_files_are_cut_where_the_provider_takes_no_more() -> None:
    lines = [(number, b"x" * size) for number, size in enumerate([4, 4, 4, 20, 1, 9, 1])]
    parts = [[number for number, _ in part] for part in fitting(lines, most_bytes=10)]
    assert parts == [[0, 1], [2], [3], [4, 5], [6]]
    assert list(fitting([], most_bytes=10)) == []


def test_an_input_file_is_read_as_far_as_it_can_be() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Grüße"}], "temperature": 0.7, "max_tokens": 64}
    content = input_line("k", body) + b"null\n{}\n" + b'{"custom_id": "l", "body": {"messages": 3}}\n[[[\n\xff\n'
    assert read_input(content, "offline") == {"k": TeacherRequest("offline", "m", (("user", "Grüße"),), 0.0, 64)}
