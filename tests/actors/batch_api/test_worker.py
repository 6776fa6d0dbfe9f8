"""The Batch API behind the pool's interface, against a provider of it in a thread that can be told to fail."""

import asyncio
import dataclasses
import io
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import serve.provider.batch_api
from actors.batch_api.worker import BatchWorker
from actors.journal.actor import Journal
from actors.starting import start_pool
from reasoning.recipe.teacher import TeacherSection
from reasoning.teacher.calls import (
    BatchSettings,
    EndpointSettings,
    FailureKind,
    TeacherFailure,
    TeacherReply,
    TeacherSettings,
)
from reasoning.teacher.prices import Price
from serve.provider.chat_completion import ProviderError
from serve.provider.faults import FaultArgs, FaultKind
from tests.actors.batch_api.batches import (
    ask,
    assert_answers,
    assert_booked,
    is_waiting,
    provider,
    settings,
    some,
    until,
    worker,
)
from tests.actors.scripted_server import SECRET

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
    create = serve.provider.batch_api.BatchApi._create

    async def busy_at_first(self: serve.provider.batch_api.BatchApi, request: web.Request) -> web.Response:
        calls.append(time.monotonic())
        refusal = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
        return await create(self, request) if len(calls) > 1 else web.json_response(refusal, status=429, headers=hint)

    hint = {"Retry-After": "1"}
    monkeypatch.setattr(serve.provider.batch_api.BatchApi, "_create", busy_at_first)
    with provider(batch_seconds=0.05) as there:
        assert_answers(some(3), ask(settings(there), journal, some(3)))
        assert len(calls) == 2 and calls[1] - calls[0] >= 1.0 and journal.sums().all.sendings == 3


@pytest.mark.parametrize("path", ["_upload", "_create"])
def test_a_spent_quota_fails_the_requests_and_costs_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def refuse(*_: object) -> None:
        raise ProviderError(429, "You exceeded your current quota.", "insufficient_quota")

    monkeypatch.setattr(serve.provider.batch_api.BatchApi, path, refuse)
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    monkeypatch.setenv("TEACHER_KEY", SECRET)

    async def echo(*_: object) -> None:
        raise ProviderError(401, f"Incorrect API key provided: {SECRET}", "invalid_api_key")

    journal = Journal(tmp_path / "journal.sqlite")
    with provider(api_keys=("another",)) as there:
        refused = ask(settings(there, api_key_env="TEACHER_KEY"), journal, some(2))
        monkeypatch.setattr(serve.provider.batch_api.BatchApi, "_create", echo)
    with provider() as there:
        refused += ask(settings(there, api_key_env="TEACHER_KEY"), journal, some(2))
    assert all(isinstance(one, TeacherFailure) and one.kind is FailureKind.AUTHENTICATION for one in refused)
    journal.close()
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert "[key]" in repr(refused) and SECRET not in repr(refused) + logged.getvalue() and SECRET.encode() not in files


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
    invalid = serve.provider.batch_api.InvalidLine

    def too_many_tokens(number: int, _: str, message: str) -> Exception:
        return invalid(number, "token_limit_exceeded", f"Enqueued token limit reached: {message}")

    monkeypatch.setattr("serve.provider.batches.InvalidLine", too_many_tokens)
    with provider(batch_seconds=0.05, batch_most_lines=3) as there:
        monkeypatch.setattr(serve.provider.batch_api, "InvalidLine", invalid)
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
        assert "raise teacher.max_cost" in failed[0].message and there.stats().answered == 40 - len(failed)
        assert there.stats().answered - there.stats().batch_billed == 1  # asked at once, to see what requests cost
        assert_booked(journal, there)


# Crashes --------------------------------------------------------------------------------------------------------------


def test_a_mix_of_batches_and_single_calls_is_refused() -> None:
    batched = EndpointSettings("a", "http://127.0.0.1:1/v1", "m", batch=BatchSettings())
    plain = EndpointSettings("b", "http://127.0.0.1:1/v1", "m")
    with pytest.raises(ValueError, match="give batch settings to all endpoints or to none"):
        start_pool(TeacherSettings("t", (batched, plain)), None)
    with pytest.raises(ValueError, match="no batch settings"):
        BatchWorker(TeacherSettings("t", (plain,)), None)
    further = {"base_url": "https://api.example/v1"}
    with pytest.raises(ValueError, match="for all endpoints of a teacher or for none"):
        TeacherSection(kind="openai", model="m", batch={}, endpoints=(further,))
    TeacherSection(kind="openai", model="m", batch={}, endpoints=({**further, "batch": {}},))
