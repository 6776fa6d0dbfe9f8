"""What one place of a teacher refuses, the others are asked; what all refuse stays refused until settings change."""

import dataclasses
import time
from collections import Counter
from typing import Any

import pytest

from actors.journal.actor import Journal
from actors.limits import rate_limits as limits
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherFailure, TeacherReply, TeacherSettings
from reasoning.teacher.prices import Price
from serve.provider.args import ProviderArgs
from serve.provider.faults import FaultArgs, FaultKind, LatencyArgs
from serve.provider.server import Provider
from tests.actors.in_process import pool_here, request, run
from tests.actors.scripted_server import Fault, Server, body, dropped, error, said

Outcomes = list[TeacherReply | TeacherFailure]
TOO_LONG = error(400, None, "This model's maximum context length is 512 tokens")
FILTERED = error(400, "content_filter", "the prompt was filtered")
REFUSALS: dict[str, tuple[Fault, FailureKind]] = {
    "too long": (TOO_LONG, FailureKind.CONTEXT_TOO_LONG),
    "too long by code": (error(400, "context_length_exceeded"), FailureKind.CONTEXT_TOO_LONG),
    "too large": (error(413, None, "Request Entity Too Large"), FailureKind.CONTEXT_TOO_LONG),
    "filtered": (FILTERED, FailureKind.CONTENT_FILTER),
    "filtered after it was answered": (said("Half of", "content_filter"), FailureKind.CONTENT_FILTER),
    "flagged by a router": (error(403, None, "your input was flagged: moderation"), FailureKind.CONTENT_FILTER),
    "an unknown parameter": (error(400, None, "Unrecognized request argument: seed"), FailureKind.BAD_REQUEST),
    "not processable": (error(422, None, "extra fields not permitted"), FailureKind.BAD_REQUEST),
    "an error within a success": (body('{"error": {"message": "no", "code": 400}}'), FailureKind.BAD_REQUEST),
}


def at(*servers: Server | str, **more: Any) -> TeacherSettings:
    of_teacher = {key: more.pop(key) for key in ("attempts", "rate_limit_patience_s", "max_cost", "run") if key in more}
    urls = [server if isinstance(server, str) else server.base_url for server in servers]
    places = (
        EndpointSettings(name, url, **{"model": "m", "timeout_s": 5.0, **more})
        for name, url in zip("abc", urls, strict=False)
    )
    return TeacherSettings("teacher", tuple(places), **{"attempts": 3, **of_teacher})


def ask(settings: TeacherSettings, journal: Journal, *texts: object, **more: Any) -> Outcomes:
    async def scenario() -> Outcomes:
        pool, _, _ = pool_here(settings, journal)
        return [outcome async for outcome in pool.stream(request(text, **more) for text in texts)]

    return run(scenario(), 30)


@pytest.mark.parametrize(("fault", "kind"), REFUSALS.values(), ids=list(REFUSALS))
def test_what_one_place_refuses_another_answers(journal: Journal, fault: Fault, kind: FailureKind) -> None:
    with Server() as one, Server() as other:
        one.faults.extend([fault] * 100)
        outcomes = ask(at(one, other), journal, *range(8))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert sorted(other.texts()) == sorted(map(str, range(8)))
        assert Counter(one.texts()).most_common(1)[0][1] == 1 and len(one.sent) >= 2  # each once at most
        assert journal.sums().outcomes == {"answered": 8, kind.value: len(one.sent)}


@pytest.mark.parametrize(("fault", "kind"), REFUSALS.values(), ids=list(REFUSALS))
def test_only_when_all_refuse_it_fails_with_the_words_of_each(
    journal: Journal, fault: Fault, kind: FailureKind
) -> None:
    with Server() as one, Server() as other:
        one.faults.extend([error(400, "content_filter", "not here")] * 9)
        other.faults.extend([fault] * 9)
        (failure,) = ask(at(one, other), journal, "x")
        assert isinstance(failure, TeacherFailure) and failure.attempts == 2
        assert failure.kind in (kind, FailureKind.CONTENT_FILTER) and "not here" in failure.message
        assert "a: status 400: not here" in failure.message and "b: " in failure.message
        (again,) = ask(at(one, other), journal, "x")
        asked_again = len(one.sent) + len(other.sent) - 2
        # A bad request may be mended without a change of settings: it is asked again, the others are not.
        assert asked_again == (2 if kind is FailureKind.BAD_REQUEST else 0)
        assert isinstance(again, TeacherFailure) and "not here" in again.message and "b: " in again.message


def test_three_places_are_asked_one_after_the_other(journal: Journal) -> None:
    with Server() as one, Server() as two, Server() as three:
        one.faults.extend([TOO_LONG] * 20)
        two.faults.extend([FILTERED] * 20)
        outcomes = ask(at(one, two, three), journal, *range(6))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes) and len(three.sent) == 6
        three.faults.extend([error(400, None, "no")] * 20)
        (failure,) = ask(at(one, two, three), journal, "x")
        assert isinstance(failure, TeacherFailure) and failure.attempts == 3
        assert all(f"{name}: status 400" in failure.message for name in "abc")


CHANGES: dict[str, dict[str, Any]] = {
    "the model": {"model": "larger"},
    "max_tokens_key": {"max_tokens_key": "max_completion_tokens"},
    "send_temperature": {"send_temperature": False},
    "send_seed": {"send_seed": True},
    "the key": {"api_key_env": "PATH"},
}
NO_CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "how fast": {"requests_per_minute": 900.0, "tokens_per_minute": 9e6, "max_in_flight": 3, "weight": 2.0},
    "how long": {"timeout_s": 4.0},
    "the price": {"price": Price(1.0, 2.0)},
}


@pytest.mark.parametrize("kind", [FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER, FailureKind.TRUNCATED])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_failure_ends_when_the_setting_that_caused_it_changes(
    journal: Journal, server: Server, kind: FailureKind, change: dict[str, Any]
) -> None:
    faults = {FailureKind.TRUNCATED: said("", "length"), FailureKind.CONTENT_FILTER: FILTERED}
    server.faults.append(faults.get(kind, TOO_LONG))
    (failure,) = ask(at(server), journal, "x")
    assert isinstance(failure, TeacherFailure) and failure.kind is kind
    assert ask(at(server), journal, "x") == [failure] and len(server.sent) == 1
    (reply,) = ask(at(server, **change), journal, "x")
    assert isinstance(reply, TeacherReply) and len(server.sent) == 2


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=list(NO_CHANGES))
def test_a_failure_stays_when_only_speed_and_price_change(
    journal: Journal, server: Server, change: dict[str, Any]
) -> None:
    server.faults.append(TOO_LONG)
    (failure,) = ask(at(server), journal, "x")
    assert ask(at(server, **change), journal, "x") == [failure] and len(server.sent) == 1


def test_a_failure_ends_when_a_place_comes_in_or_moves_and_not_when_one_goes(journal: Journal) -> None:
    with Server() as one, Server() as other, Server() as third:
        for server in (one, other):
            server.faults.append(FILTERED)
        ask(at(one, other), journal, "x")
        (failure,) = ask(at(one), journal, "x")
        assert isinstance(failure, TeacherFailure) and failure.message == "status 400: the prompt was filtered"
        assert (len(one.sent), len(other.sent)) == (1, 1)
        (reply,) = ask(at(one, third), journal, "x")
        assert isinstance(reply, TeacherReply)
        other.faults.append(FILTERED)
        ask(at(other), journal, "y")
        (reply,) = ask(at(third), journal, "y")
        assert isinstance(reply, TeacherReply)


def test_more_tokens_are_another_request(journal: Journal, server: Server) -> None:
    server.faults.append(said("", "length"))
    ask(at(server), journal, "x")
    (reply,) = ask(at(server), journal, "x", max_tokens=128)
    assert isinstance(reply, TeacherReply)


def test_a_reply_cut_off_is_not_asked_of_another_place(journal: Journal) -> None:
    """It was paid for, and the other would cut it off as well."""
    with Server() as one, Server() as other:
        for server in (one, other):
            server.faults.append(said("", "length"))
        (failure,) = ask(at(one, other), journal, "x")
        assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.TRUNCATED
        assert ask(at(one, other), journal, "x") == [failure] and len(one.sent) + len(other.sent) == 1


@pytest.mark.parametrize("broken", [error(401, None, "wrong key"), error(429, "insufficient_quota", "no credit")])
def test_a_place_that_serves_nobody_does_not_make_a_refused_request_end_the_run(
    journal: Journal, broken: Fault
) -> None:
    with Server() as sound, Server() as none:
        none.faults.extend([broken] * 100)
        assert len(ask(at(sound, none), journal, *range(4))) == 4
        sound.faults.append(FILTERED)
        refused, *answered = ask(at(sound, none), journal, "x", *range(10, 20))
        outcomes = [refused, *answered]
        (failure,) = [one for one in outcomes if isinstance(one, TeacherFailure)]
        assert (
            failure.kind is FailureKind.CONTENT_FILTER and "a: status 400: the prompt was filtered" in failure.message
        )
        assert "b: " in failure.message and len(outcomes) == 11
    with Server() as sound, Server() as mended:  # the other place is there again: it is asked
        (reply,) = ask(at(sound, mended), journal, failure_text(journal, failure))
        assert isinstance(reply, TeacherReply)


def failure_text(journal: Journal, failure: TeacherFailure) -> str:
    return journal.requests([failure.key])[failure.key].messages[0][1]


@pytest.mark.parametrize("fault", [error(500, None, "down"), body("{half"), said(""), dropped])
def test_a_place_that_no_attempt_led_to_is_asked_before_a_request_fails(journal: Journal, fault: Fault) -> None:
    """Its weight is so small that its turn has not come."""
    with Server() as one, Server() as other:
        one.faults.extend([fault] * 50)
        settings = at(one, other, attempts=2)
        rare = dataclasses.replace(settings.endpoints[1], weight=1e-6)
        settings = dataclasses.replace(settings, endpoints=(settings.endpoints[0], rare))
        outcomes = ask(settings, journal, "x", "y")
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert (len(one.sent), len(other.sent)) == (4, 2)
        other.faults.extend([error(503, None, "busy")] * 9)
        (failure,) = ask(settings, journal, "z")
        assert isinstance(failure, TeacherFailure) and failure.kind is FailureKind.SERVER and failure.attempts == 3
        assert "a: " in failure.message and "b: status 503: busy" in failure.message


def test_a_refused_request_that_waits_for_another_place_holds_nobody_up(journal: Journal) -> None:
    with Server() as one, Server() as slow:
        one.faults.append(TOO_LONG)
        settings = at(one, slow)
        throttled = dataclasses.replace(settings.endpoints[1], requests_per_minute=30.0)
        settings = dataclasses.replace(settings, endpoints=(settings.endpoints[0], throttled))
        began = time.monotonic()
        outcomes = ask(settings, journal, *range(60))
        assert all(isinstance(outcome, TeacherReply) for outcome in outcomes)
        assert time.monotonic() - began < 12 and len(one.sent) > 50


@pytest.mark.parametrize("number", [150, pytest.param(2000, marks=pytest.mark.slow)])
def test_of_two_places_one_refuses_and_each_request_ends_once_within_the_cap(
    number: int, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One place refuses a third of the requests for good; the other refuses some of them too, and fails in passing. The
    cap holds by the providers' own counts. About 4 s, and 40 s for two thousand."""
    monkeypatch.setattr(limits, "_FIRST_PAUSE_S", 0.1)
    kinds = (FaultKind.CONTEXT_TOO_LONG, FaultKind.CONTENT_FILTER, FaultKind.UNSUPPORTED)
    refusing = FaultArgs(share=0.35, weights=dict.fromkeys(kinds, 1.0))
    weights = {kind: 4.0 if kind in kinds else 1.0 for kind in FaultKind if kind is not FaultKind.STALLED}
    passing = FaultArgs(share=0.3, retry_after_s=0.1, weights=weights)
    prices = {"input_price": 150.0, "output_price": 600.0}
    quick = LatencyArgs(median_s=0.01)
    args = ProviderArgs(teacher="echo", latency=quick, **prices)
    cap = number / 50
    first, second = (
        args.model_copy(update={"faults": faults, "seed": seed}) for seed, faults in enumerate((refusing, passing))
    )
    with Provider(first) as one, Provider(second) as other:
        price = Price(150.0, 600.0)
        settings = at(one.base_url, other.base_url, model="faulty-teacher", price=price, max_cost=cap, run="r")

        async def scenario() -> Outcomes:
            pool, _, _ = pool_here(settings, journal, workers=4)
            return [outcome async for outcome in pool.stream((request(n) for n in range(number)), 100)]

        outcomes = run(scenario())
        told = [one.stats(), other.stats()]
    bill = sum(place.cost for place in told)
    assert Counter(outcome.key for outcome in outcomes) == Counter(request(n).key for n in range(number))
    booked = journal.spending("r")
    assert bill <= booked.settled + booked.reserved <= cap
    failures = [outcome for outcome in outcomes if isinstance(outcome, TeacherFailure)]
    refused = [failure for failure in failures if failure.kind.refusal]
    assert 0 < len(refused) < number / 10 and all(
        one.message.startswith(("a, b: ", "b, a: ")) or ("a: " in one.message and "b: " in one.message)
        for one in refused
    )
    assert sum(told[0].faults.values()) > number / 10 > len(failures) - len(refused)
    assert told[0].answered_more_than_once == told[1].answered_more_than_once == 0
    sums = journal.sums()
    assert sums.requests.answered + sum(sums.requests.failed.values()) == number and sums.requests.unknown == 0
