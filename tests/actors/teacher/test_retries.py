"""What is tried again, how often and after how long."""

from __future__ import annotations

import pytest

from actors.teacher.retries import LONGEST_BACKOFF_S, Retries, backoff
from reasoning.teacher.calls import EndpointSettings, FailureKind, TeacherFailure, TeacherSettings

SETTINGS = TeacherSettings(
    "teacher", (EndpointSettings("place", "http://127.0.0.1/v1", "m"),), attempts=3, rate_limit_patience_s=60.0
)


def failure(kind: FailureKind) -> TeacherFailure:
    return TeacherFailure("key", kind, "why", 1)


def test_a_passing_failure_is_tried_again_with_growing_waits_until_the_attempts_are_used_up() -> None:
    retries = Retries(SETTINGS, backoff_s=2.0)
    first, second, third = (retries.wait_after(failure(FailureKind.SERVER), 0.0, alone=True) for _ in range(3))
    assert first is not None and 1.0 <= first <= 2.0
    assert second is not None and 2.0 <= second <= 4.0
    assert third is None


def test_too_many_requests_use_up_patience_and_no_attempts() -> None:
    retries = Retries(SETTINGS, backoff_s=2.0)
    refused = failure(FailureKind.RATE_LIMITED)
    assert [retries.wait_after(refused, now, alone=True) for now in (100.0, 120.0, 159.9)] == [0.0, 0.0, 0.0]
    assert retries.wait_after(refused, 160.0, alone=True) is None
    patient = Retries(SETTINGS, backoff_s=2.0)
    patient.wait_after(refused, 0.0, alone=True)
    assert patient.wait_after(failure(FailureKind.SERVER), 30.0, alone=True) is not None
    assert patient.wait_after(refused, 70.0, alone=True) == 0.0  # answered otherwise since: patience begins anew


def test_what_the_same_request_would_meet_again_is_final() -> None:
    assert Retries(SETTINGS, 2.0).wait_after(failure(FailureKind.CONTENT_FILTER), 0.0, alone=False) is None


def test_what_is_wrong_with_an_endpoint_is_left_to_the_others_where_there_are_others() -> None:
    (wide, *_) = [kind for kind in FailureKind if kind.endpoint_wide]
    assert Retries(SETTINGS, 2.0).wait_after(failure(wide), 0.0, alone=True) is None
    assert Retries(SETTINGS, 2.0).wait_after(failure(wide), 0.0, alone=False) == 0.0


@pytest.mark.parametrize("attempt", [1, 5, 1000])
def test_a_wait_never_grows_past_its_bound(attempt: int) -> None:
    assert 0 < backoff(0.5, attempt) <= LONGEST_BACKOFF_S
