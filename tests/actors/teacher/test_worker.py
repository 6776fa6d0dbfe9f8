"""Workers and pool against a real HTTP server on the loopback that can be told to fail."""

import asyncio
import collections
import dataclasses
import io
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from actors.endpoint.api_keys import AuthenticationRefused
from actors.endpoint.probe import probe_endpoint
from actors.journal.actor import Journal
from actors.limits.actor import RateLimiter
from actors.starting import close_journal, start_journal, start_pool, strictest_of, workers_for
from actors.teacher.pool import PoolCounts, TeacherPool, WorkersLost
from actors.teacher.worker import TeacherWorker
from reasoning.teacher.calls import (
    EndpointSettings,
    FailureKind,
    TeacherFailure,
    TeacherReply,
    TeacherRequest,
    TeacherSettings,
)
from tests.actors.in_process import in_process, run
from tests.actors.scripted_server import SECRET, Fault, Server, body, cut_off, dropped, error, hanging, said, trickling

OF_THE_TEACHER = ("attempts", "rate_limit_patience_s", "max_cost", "run")


async def not_routed(_: web.Request) -> web.Response:
    """What Ray Serve's proxy says before it knows its applications."""
    return web.Response(status=404, text="Path '/v1' not found. Ping http://.../-/routes for available routes.")


def settings(server: Server, **more: Any) -> TeacherSettings:
    """A teacher at one endpoint."""
    of_teacher = {"attempts": 3, **{key: more.pop(key) for key in OF_THE_TEACHER if key in more}}
    endpoint = EndpointSettings("offline", server.base_url, "m", **{"timeout_s": 5.0, **more})
    return TeacherSettings("offline", (endpoint,), **of_teacher)


def request(text: str = "2 + 2?", sample: int = 0) -> TeacherRequest:
    return TeacherRequest("offline", "m", (("user", text),), 0.7, 64, sample)


def ask(
    with_settings: TeacherSettings, journal: Journal, *requests: TeacherRequest
) -> list[TeacherReply | TeacherFailure]:
    """All requests at once through one worker of this process."""

    async def scenario() -> list[TeacherReply | TeacherFailure]:
        limiters = [in_process(RateLimiter(endpoint)) for endpoint in with_settings.endpoints]
        worker = TeacherWorker(with_settings, in_process(journal), *limiters, backoff_s=0.01)
        try:
            return await asyncio.gather(*(worker.ask(one) for one in requests))
        finally:
            await worker.close()

    return asyncio.run(scenario())


def test_a_reply_is_read_whole_journaled_and_never_asked_for_again(server: Server, journal: Journal) -> None:
    (reply,) = ask(settings(server, send_seed=True), journal, request(sample=4))
    assert reply == TeacherReply(request(sample=4).key, "Answer to 2 + 2?", "stop", 5, 3, "m-1")
    assert journal.lookup([request(sample=4).key])[0] == dataclasses.replace(reply, from_journal=True)
    (again,) = ask(settings(server), journal, request(sample=4))
    assert again.from_journal and again.text == reply.text and len(server.sent) == 1
    assert server.sent[0] == {
        "model": "m",
        "messages": [{"role": "user", "content": "2 + 2?"}],
        "temperature": 0.7,
        "max_tokens": 64,
        "seed": 4,
    }


def test_an_endpoint_that_takes_no_seed_is_sent_none(server: Server, journal: Journal) -> None:
    ask(settings(server), journal, request(sample=1), request(sample=2))
    assert len(server.sent) == 2 and not any("seed" in sent for sent in server.sent)


def test_the_same_request_at_once_is_sent_once(server: Server, journal: Journal) -> None:
    server.latency_s = 0.1
    replies = ask(settings(server), journal, *[request()] * 20)
    assert len(server.sent) == 1 and len({reply.text for reply in replies}) == 1
    assert journal.sums().requests.refused == 0


@pytest.mark.parametrize(
    "fault",
    [
        error(500),
        error(503, retry_after_ms="20"),
        error(529),
        *(error(status) for status in (424, 425, 408, 498, 499, 520, 524, 598)),
        body('{"error": {"message": "try later", "type": "overloaded_error"}, "choices": []}'),
        said("Half of", "insufficient_system_resource"),
        said("Half of", "abort"),
        body(b'data: {"choices": [{"delta": {"content": ""}}]}\n\ndata: {"error": "gone"}\n\n'),
        not_routed,
        body("[" * 5000),
        body('{"error": {"message": "slow down", "code": 429}}'),
        body('{"error": "no more is said"}'),
        error(409),
        error(429, retry_after_ms="20"),
        dropped,
        cut_off,
        body("{not json"),
        body("<html>busy</html>", "text/html"),
        body('{"choices": []}'),
        body('{"choices": [{"message": null}]}'),
        body("null"),
        body(b"\xff\xfe\x00"),
        said(""),
        said(None),
        said(" \n "),
    ],
)
def test_a_passing_fault_is_got_over(server: Server, journal: Journal, fault: Fault) -> None:
    server.faults.append(fault)
    (reply,) = ask(settings(server), journal, request())
    assert isinstance(reply, TeacherReply) and len(server.sent) == 2
    sums = journal.sums()
    assert (sums.requests.answered, sums.requests.sent_more_than_once, sums.requests.sent_again) == (1, 1, 0)


@pytest.mark.parametrize(
    ("fault", "kind", "sends"),
    [
        (error(500), FailureKind.SERVER, 3),
        (dropped, FailureKind.TRANSPORT, 3),
        (body("{not json"), FailureKind.MALFORMED, 3),
        (said(""), FailureKind.EMPTY, 3),
        (error(429, "insufficient_quota"), FailureKind.QUOTA, 1),
        (error(402), FailureKind.QUOTA, 1),
        (error(401), FailureKind.AUTHENTICATION, 1),
        (error(403), FailureKind.AUTHENTICATION, 1),
        (error(404, "model_not_found"), FailureKind.NOT_FOUND, 1),
        (error(403, None, "your input was flagged: moderation is required"), FailureKind.CONTENT_FILTER, 1),
        (error(307, Location="https://elsewhere.example/v1"), FailureKind.NOT_FOUND, 1),
        (error(400, None, "cannot take: \ud83d"), FailureKind.BAD_REQUEST, 1),
        (body('{"error": {"message": "overloaded upstream", "code": 502}}'), FailureKind.SERVER, 3),
        (body('{"error": {"message": "no credits are left", "code": 402}}'), FailureKind.QUOTA, 1),
        (error(400, "context_length_exceeded"), FailureKind.CONTEXT_TOO_LONG, 1),
        (error(400, None, "This model's maximum context length is 512 tokens"), FailureKind.CONTEXT_TOO_LONG, 1),
        (error(400, "content_filter"), FailureKind.CONTENT_FILTER, 1),
        (said("Half of", "content_filter"), FailureKind.CONTENT_FILTER, 1),
        (error(400, None, "unknown parameter: seed"), FailureKind.BAD_REQUEST, 1),
        (error(422), FailureKind.BAD_REQUEST, 1),
    ],
)
def test_a_lasting_fault_is_a_typed_failure_after_as_many_attempts_as_make_sense(
    server: Server, journal: Journal, fault: Fault, kind: FailureKind, sends: int
) -> None:
    server.faults.extend([fault] * 10)
    (failure,) = ask(settings(server), journal, request())
    assert isinstance(failure, TeacherFailure) and failure.key == request().key
    assert (failure.kind, failure.attempts, len(server.sent)) == (kind, sends, sends)
    assert journal.sums().requests.failed == {kind: 1}
    server.faults.clear()
    (later,) = ask(settings(server), journal, request())  # the next run
    assert later == failure if kind.final else isinstance(later, TeacherReply)


@pytest.mark.parametrize("fault", [hanging, trickling])
def test_a_server_that_stalls_or_trickles_times_out(server: Server, journal: Journal, fault: Fault) -> None:
    server.faults.extend([fault] * 2)
    began = time.monotonic()
    (failure,) = ask(settings(server, timeout_s=0.2, attempts=2), journal, request())
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.TIMEOUT and failure.attempts == 2
    assert time.monotonic() - began < 15


def test_an_endpoint_s_odd_words_cost_no_other_request_its_reply(server: Server, journal: Journal) -> None:
    """All are recorded in one transaction: half a character, which JSON can spell, must not be in the way."""
    server.latency_s = 0.1
    server.faults.append(error(400, None, "cannot take: \ud83d"))
    outcomes = ask(settings(server), journal, *(request(str(number)) for number in range(16)))
    assert Counter(type(outcome) for outcome in outcomes) == {TeacherReply: 15, TeacherFailure: 1}
    assert journal.sums().requests.unknown == 0


def test_what_a_router_says_within_a_success_is_kept(server: Server, journal: Journal) -> None:
    server.faults.extend([body('{"error": {"message": "overloaded upstream", "code": 502}}')] * 3)
    (failure,) = ask(settings(server), journal, request())
    assert isinstance(failure, TeacherFailure) and "overloaded upstream" in failure.message


def test_a_model_that_takes_no_temperature_and_bounds_tokens_by_another_name(server: Server, journal: Journal) -> None:
    as_it_wants = settings(server, send_temperature=False, max_tokens_key="max_completion_tokens")
    ask(as_it_wants, journal, request())
    assert server.sent[0].keys() == {"model", "messages", "max_completion_tokens"}
    assert server.sent[0]["max_completion_tokens"] == 64


def test_nobody_listening_is_a_transport_failure_that_says_so(server: Server, journal: Journal) -> None:
    there = settings(server).endpoints[0]
    nowhere = TeacherSettings("offline", (dataclasses.replace(there, base_url="http://127.0.0.1:1/v1"),), attempts=3)
    (failure,) = ask(nowhere, journal, request())
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.TRANSPORT
    assert "Cannot connect to host 127.0.0.1:1" in failure.message


def test_what_is_cut_off_at_the_token_limit_is_not_asked_again(server: Server, journal: Journal) -> None:
    server.faults.extend([said("Half of an ans", "length"), said("", "length")])
    (reply,) = ask(settings(server), journal, request("a"))
    assert isinstance(reply, TeacherReply) and reply.truncated and reply.text == "Half of an ans"
    (failure,) = ask(settings(server), journal, request("b"))
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.TRUNCATED
    assert "teacher.max_tokens" in failure.message
    again, failed_again = ask(settings(server), journal, request("a"), request("b"))
    assert again.from_journal and again.truncated and failed_again == failure and len(server.sent) == 2
    assert journal.sums().requests.truncated == 1


@pytest.mark.parametrize("usage", [None, "lots", {"prompt_tokens": -4, "completion_tokens": "x"}, []])
def test_a_wrong_usage_count_costs_no_reply(server: Server, journal: Journal, usage: object) -> None:
    server.faults.append(said("4", usage=usage))
    (reply,) = ask(settings(server), journal, request())
    assert isinstance(reply, TeacherReply) and (reply.prompt_tokens, reply.completion_tokens) == (0, 0)


def test_half_a_character_in_a_reply_or_a_request_is_a_typed_failure(server: Server, journal: Journal) -> None:
    server.faults.append(body('{"choices": [{"message": {"content": "x \\ud800 y"}}]}'))
    (failure,) = ask(settings(server, attempts=1), journal, request())
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.MALFORMED
    (failure,) = ask(settings(server), journal, request("\ud800"))
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.BAD_REQUEST and len(server.sent) == 1


def test_too_many_requests_is_no_failed_attempt_and_stops_everybody(server: Server, journal: Journal) -> None:
    server.faults.extend([error(429, retry_after_ms="400")] * 4)  # more than there are attempts
    requests = [request(str(number)) for number in range(12)]
    results = ask(settings(server, attempts=1, max_in_flight=4), journal, *requests)
    assert all(isinstance(result, TeacherReply) for result in results) and len(server.sent) == 16
    last_refused, first_after = server.sent_at[3], server.sent_at[4]
    assert first_after - last_refused > 0.35  # the other eight waited too


def test_an_endless_refusal_ends_with_the_patience(server: Server, journal: Journal) -> None:
    server.faults.extend([error(429, retry_after_ms="50")] * 200)
    (failure,) = ask(settings(server, rate_limit_patience_s=0.3), journal, request())
    assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.RATE_LIMITED
    assert 1 < failure.attempts == len(server.sent) < 12


def test_a_refusal_for_the_rest_of_the_day_is_not_waited_out(server: Server, journal: Journal) -> None:
    server.faults.append(error(429, retry_after="80000"))
    requests = [request(str(number)) for number in range(5)]
    results = ask(settings(server, max_in_flight=1), journal, *requests)
    assert all(isinstance(result, TeacherFailure) and result.kind is FailureKind.RATE_LIMITED for result in results)
    assert len(server.sent) == 1 and "a pause of" in results[-1].message


def test_limits_hold(server: Server, journal: Journal) -> None:
    server.latency_s = 0.05
    requests = [request(str(number)) for number in range(12)]
    began = time.monotonic()
    ask(settings(server, max_in_flight=3, requests_per_minute=1200), journal, *requests)
    assert server.most_in_flight <= 3 and time.monotonic() - began > 10 * 60 / 1200


def test_the_key_is_sent_and_told_to_nobody(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: io.StringIO
) -> None:
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    with_key = settings(server, api_key_env="TEACHER_KEY", attempts=1)
    server.faults.extend(
        [error(401, None, f"Incorrect API key provided: {SECRET}"), error(500, None, f"bad header Bearer {SECRET}")]
    )
    journal = Journal(tmp_path / "journal.sqlite")
    told = repr([ask(with_key, journal, request(text))[0] for text in "abc"])
    journal.close()
    assert server.keys == [f"Bearer {SECRET}"] * 3 and "[key]" in told
    server.models_fault = error(401, None, SECRET)
    server.faults.append(error(401, None, SECRET))
    with pytest.raises(AuthenticationRefused) as refused:
        asyncio.run(probe_endpoint(with_key.endpoints[0]))
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SECRET not in told + str(refused.value) + logged.getvalue() and SECRET.encode() not in files


def test_no_key_leaks_to_an_endpoint_that_takes_none(
    server: Server, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # and no proxy stands between us and our own machine
    ask(settings(server), journal, request())
    assert server.keys == ["Bearer none"]


def test_pools_that_share_a_limiter_keep_the_least_of_their_limits() -> None:
    """`teacher` and `teacher.first` at one place, with one key and one model."""
    one = EndpointSettings("a", "http://x/v1", "m", requests_per_minute=600, timeout_s=30, max_in_flight=8)
    other = EndpointSettings("b", "http://x/v1", "m", requests_per_minute=60, tokens_per_minute=9, timeout_s=90)
    both = strictest_of([one, other])
    assert (both.requests_per_minute, both.tokens_per_minute, both.max_in_flight, both.timeout_s) == (60, 9, 8, 90)


@pytest.mark.parametrize(("in_flight", "expected"), [((1,), 1), ((256,), 1), ((200, 57), 2), ((10_000,), 8)])
def test_there_are_as_many_workers_as_requests_in_flight_need(in_flight: tuple[int, ...], expected: int) -> None:
    places = tuple(EndpointSettings(f"{one}", "http://x/v1", "m", max_in_flight=one) for one in in_flight)
    assert workers_for(TeacherSettings("teacher", places)) == expected


def test_two_hundred_requests_through_ray_are_sent_once_and_never_again(
    ray_cluster: None, server: Server, tmp_path: Path
) -> None:
    """Journal, limiter and two workers as actors; each request asked twice at once, then all again by a new pool."""
    server.latency_s = 0.02
    with_settings = settings(server, max_in_flight=16, timeout_s=20.0)
    requests = [request(str(number)) for number in range(200)]

    async def scenario() -> None:
        journal = start_journal(tmp_path / "journal.sqlite")
        pool = start_pool(with_settings, journal, workers=2)
        replies = await asyncio.gather(*(pool.ask(one) for one in requests * 2))
        assert [reply.text for reply in replies[:200]] == [f"Answer to {number}" for number in range(200)]
        assert sorted(server.texts()) == sorted(str(number) for number in range(200))
        assert 1 < server.most_in_flight <= 16
        assert pool.counts.asked == pool.counts.answered == 400 and pool.counts.failed == 0
        (limits,) = await pool.limiter_stats()
        assert (limits.granted, limits.waiting) == (200, 0)
        await pool.close()

        second = start_pool(with_settings, journal, workers=2)
        again = await asyncio.gather(*(second.ask(one) for one in requests))
        assert all(reply.from_journal for reply in again) and len(server.sent) == 200
        assert second.counts == PoolCounts(asked=200, answered=200, from_journal=200)
        await second.close()
        sums = await close_journal(journal)
        assert (sums.requests.answered, sums.requests.sent_more_than_once, sums.requests.refused) == (200, 0, 0)

    run(scenario())


def test_workers_limiter_and_journal_may_die_in_the_middle(ray_cluster: None, server: Server, tmp_path: Path) -> None:
    """Each is killed once under load, as by the kernel, and started anew by Ray: every request ends in a reply, and
    none that was answered is asked again. About ten seconds."""
    import ray

    server.latency_s = 0.05
    with_settings = settings(server, max_in_flight=8, timeout_s=5.0)

    async def scenario() -> None:
        journal = start_journal(tmp_path / "journal.sqlite")
        pool = start_pool(with_settings, journal, workers=1)  # none to step in: it must come back itself
        await pool.ask(request("first"))
        asking = asyncio.gather(*(pool.ask(request(str(number))) for number in range(300)))
        for victim in (pool._queues[0].worker, pool._limiters[0], journal):
            await asyncio.sleep(0.4)
            ray.kill(victim, no_restart=False)
        replies = await asking
        assert [reply.text for reply in replies] == [f"Answer to {number}" for number in range(300)]
        sent_twice = sum(count > 1 for count in collections.Counter(server.texts()).values())
        await pool.close()
        sums = await close_journal(journal)
        assert sums.requests.answered == 301 and sums.requests.unknown == sums.requests.refused == 0
        assert sent_twice <= sums.requests.sent_again <= 3 * 8  # what was in flight with the dead, and no more

    run(scenario())


def test_a_pool_of_dead_workers_gives_up_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.exceptions import ActorUnavailableError

    from actors.teacher import pool as teacher_pool

    class Dead:
        async def submit(self, _: list[TeacherRequest]) -> None:
            raise ActorUnavailableError("the node is gone", None)

        async def collect(self) -> None:
            raise ActorUnavailableError("the node is gone", None)

    monkeypatch.setattr(teacher_pool, "backoff", lambda *_: 0.0)
    with pytest.raises(WorkersLost, match=r"8 workers in a row.*the node is gone"):
        asyncio.run(TeacherPool([in_process(Dead()), in_process(Dead())]).ask(request()))
