"""Requests, replies and failures of the teacher as data."""

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherReply, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import Price
from reasoning.teacher.scoring import Scoring

REQUEST = TeacherRequest("offline", "m", (("user", "What is 2 + 2?"),), 0.7, 256, 3)

requests = st.builds(
    TeacherRequest,
    endpoint=st.text(),
    model=st.text(),
    messages=st.lists(st.tuples(st.sampled_from(["system", "user"]), st.text()), max_size=3).map(tuple),
    temperature=st.floats(0, 2),
    max_tokens=st.integers(1, 4096),
    sample=st.integers(0, 64),
)


def test_the_key_is_the_same_in_another_process_and_for_ever() -> None:
    code = f"from reasoning.teacher.calls import TeacherRequest; print({REQUEST!r}.key)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert REQUEST.key == other == "3c05633b545dea9fc4e6b3be9a972d92"  # a journal of an earlier version is found again


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "other"},
        {"model": "n"},
        {"messages": (("system", "What is 2 + 2?"),)},
        {"messages": (("user", "What is 2 + 3?"),)},
        {"messages": (("user", "What is"), ("user", " 2 + 2?"))},
        {"temperature": 0.8},
        {"max_tokens": 257},
        {"sample": 4},
        {"scoring": Scoring((1, 2), 1, 3)},
    ],
)
def test_whatever_shapes_the_answer_changes_the_key(change: dict[str, object]) -> None:
    assert dataclasses.replace(REQUEST, **change).key != REQUEST.key  # type: ignore[arg-type]


@given(requests, requests)
def test_equal_keys_mean_equal_requests(one: TeacherRequest, other: TeacherRequest) -> None:
    assert (one.key == other.key) == (one == other)


def test_zero_as_integer_or_float_is_one_request() -> None:
    assert dataclasses.replace(REQUEST, temperature=0).key == dataclasses.replace(REQUEST, temperature=0.0).key


def test_text_that_is_not_valid_unicode_still_has_a_key() -> None:
    assert len(dataclasses.replace(REQUEST, messages=(("user", "\ud800"),)).key) == 32


def test_a_failure_is_retried_or_kept_but_never_both() -> None:
    assert not any(kind.transient and kind.final for kind in FailureKind)
    assert FailureKind.RATE_LIMITED.transient and FailureKind.TIMEOUT.transient
    assert FailureKind.CONTEXT_TOO_LONG.final and FailureKind.CONTENT_FILTER.final and FailureKind.TRUNCATED.final
    # A wrong key or an empty account is mended by a person: not retried now, and not held against the request later.
    for kind in (FailureKind.QUOTA, FailureKind.AUTHENTICATION, FailureKind.NOT_FOUND):
        assert kind.endpoint_wide and not kind.transient and not kind.final
    # Nor is a cap on spending, which may be raised; and it says nothing about an endpoint.
    budget = FailureKind.BUDGET
    assert not (budget.transient or budget.final or budget.endpoint_wide)


def test_a_reply_cut_off_at_the_token_limit_says_so() -> None:
    assert TeacherReply("k", "text", "length", 1, 2, "m").truncated
    assert not TeacherReply("k", "text", "stop", 1, 2, "m").truncated


HERE = EndpointSettings("here", "http://127.0.0.1:1/v1", "m")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_in_flight": 0},
        {"timeout_s": 0.0},
        {"weight": 0.0},
        {"weight": float("nan")},
        {"requests_per_minute": 0.0},
        {"tokens_per_minute": -1.0},
    ],
)
def test_impossible_settings_of_an_endpoint_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"endpoint here.*{next(iter(wrong))}"):
        dataclasses.replace(HERE, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"rate_limit_patience_s": 0.0}, {"max_cost": -1.0}])
def test_impossible_settings_of_a_teacher_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=rf"teacher offline.*{next(iter(wrong))}"):
        TeacherSettings("offline", (HERE,), **wrong)  # type: ignore[arg-type]


def test_a_teacher_has_endpoints_that_can_be_told_apart() -> None:
    with pytest.raises(ValueError, match="there must be an endpoint"):
        TeacherSettings("offline", ())
    with pytest.raises(ValueError, match="two endpoints have one name: here"):
        TeacherSettings("offline", (HERE, dataclasses.replace(HERE, model="n")))


def test_a_cap_on_spending_needs_a_price_for_every_endpoint() -> None:
    free = dataclasses.replace(HERE, name="free", price=Price(0.0, 0.0))
    with pytest.raises(ValueError, match=r"cap on spending needs a price for here$"):
        TeacherSettings("offline", (HERE, free), max_cost=1.0)
    assert TeacherSettings("offline", (free,), max_cost=0.0).max_cost == 0.0


def test_a_place_has_another_fingerprint_when_it_is_sent_something_else() -> None:
    changes = (
        {"name": "there"},
        {"base_url": "http://127.0.0.1:2/v1"},
        {"model": "n"},
        {"api_key_env": "KEY"},
        {"send_seed": True},
        {"send_temperature": False},
        {"max_tokens_key": "max_completion_tokens"},
    )
    those = {HERE.fingerprint, *(dataclasses.replace(HERE, **change).fingerprint for change in changes)}  # type: ignore[arg-type]
    assert len(those) == len(changes) + 1 and {len(one) for one in those} == {16}


def test_a_place_keeps_its_fingerprint_whatever_its_limits_and_price() -> None:
    """Also for ever: failures of an earlier version are found again."""
    same = dataclasses.replace(
        HERE,
        weight=2.0,
        requests_per_minute=9.0,
        tokens_per_minute=9.0,
        max_in_flight=1,
        timeout_s=1.0,
        price=Price(1, 2),
    )
    assert same.fingerprint == HERE.fingerprint == "f335ef2d5d91bbba"


def test_what_a_run_serves_itself_is_the_same_place_at_another_port() -> None:
    own = dataclasses.replace(HERE, served_here=True)
    assert dataclasses.replace(own, base_url="http://127.0.0.1:2/v1").fingerprint == own.fingerprint
    assert dataclasses.replace(own, model="n").fingerprint != own.fingerprint


def test_what_a_place_refuses_of_a_request_is_no_fault_of_the_place() -> None:
    refusals = {kind for kind in FailureKind if kind.refusal}
    assert refusals == {FailureKind.CONTEXT_TOO_LONG, FailureKind.CONTENT_FILTER, FailureKind.BAD_REQUEST}
    assert not any(kind.endpoint_wide or kind.transient for kind in refusals)
