"""What an error response says: its words, its parameter and when to come back, in every provider's form."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.endpoint.errors.responses import code_of, read_error_response
from actors.endpoint.wire import Response
from tests.inputs.json_values import json_values


def read(body: object, status: int = 400) -> object:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_error_response(Response(status, {}, content))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "No."}}, "No."),
        ([{"error": {"message": "No."}}], "No."),
        ({"error": "No."}, "No."),
        ({"message": "No."}, "No."),
        ({"Message": "No."}, "No."),
        ({"success": False, "errorMsg": "No."}, "No."),
        ({"errcode": 7, "errmsg": "No."}, "No."),
        ({"detail": "No."}, "No."),
        ({"title": "Forbidden", "detail": "No."}, "Forbidden | No."),
        ({"detail": [{"loc": ["body", "seed"], "msg": "No.", "input": 7}]}, "body.seed: No."),
        ({"message": {"detail": [{"loc": ["body", "seed"], "msg": "No."}]}}, "body.seed: No."),
        ({"error": {"message": '{"error": {"message": "No."}}'}}, "No."),
        (
            {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error": {"message": "No."}}'}}},
            "Provider returned error | No.",
        ),
        (
            {"error": {"message": "Provider error", "metadata": {"raw": "Rate-limited.", "provider_name": "East"}}},
            "Provider error | Rate-limited. | provider East",
        ),
        (b"No\n such page.", "No such page."),
        (b"", ""),
    ],
)
def test_the_words_are_found_in_every_form(body: object, message: str) -> None:
    assert read(body).message == message  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ([{"error": {"message": "quota", "details": [{"retryDelay": "38s"}]}}], 38.0),
        ({"error": {"message": "quota", "details": [{"retryDelay": "1.5s"}]}}, 1.5),
        ({"error": {"message": "quota", "details": [{"retryDelay": {"seconds": 3, "nanos": 500_000_000}}]}}, 3.5),
        ({"error": {"message": "Please retry in 38.809162s."}}, 38.809162),
        ({"error": {"message": "Please try again in 1m26.4s. Visit ..."}}, 86.4),
        ({"error": {"message": "Please try again in 6ms."}}, 0.006),
        ({"error": {"message": "Please retry after 6 seconds."}}, 6.0),
        ({"error": {"message": "Please try again in 2 minutes"}}, 120.0),
        ({"error": {"message": "Please wait 43180 seconds before retrying."}}, 43180.0),
        ({"error": {"message": "slow down", "retry_after": 2.5}}, 2.5),
        ({"error": {"message": "slow down", "metadata": {"headers": {"Retry-After": "4"}}}}, 4.0),
        ({"error": {"message": "slow down", "metadata": {"retry_after_seconds": 11}}}, 11.0),
        ({"error": {"message": "Please retry after 1 hour and 2 minutes."}}, 3720.0),
        ({"error": {"message": "Try again in 2 days, 3 hours"}}, 183600.0),
        ({"error": {"message": "Wait 5 before asking 3 questions"}}, 5.0),
        ({"error": {"message": "Please try again later"}}, None),
        ({"error": {"message": "try again in a while"}}, None),
    ],
)
def test_when_to_come_back_is_read_in_every_form(body: object, seconds: float | None) -> None:
    found = read(body, 429).retry_after_s  # type: ignore[attr-defined]
    assert found == (pytest.approx(seconds) if seconds is not None else None)


def test_a_router_s_reset_is_a_point_in_time() -> None:
    reset = str(int((time.time() + 100) * 1000))
    body = {"error": {"message": "limit", "metadata": {"headers": {"X-RateLimit-Reset": reset}}}}
    assert read(body, 429).retry_after_s == pytest.approx(100, abs=5)  # type: ignore[attr-defined]


def test_a_redirect_names_where_to() -> None:
    response = Response(308, {"Location": "https://elsewhere.example/v1"}, b"")
    assert "https://elsewhere.example/v1" in read_error_response(response).message


@pytest.mark.parametrize("text", ["InvalidApiKey", "invalid-api-key", "INVALID_API_KEY", "invalid api key"])
def test_codes_are_compared_in_one_spelling(text: str) -> None:
    assert code_of(text) == "invalid_api_key"


NAMES = [
    "error",
    "message",
    "detail",
    "details",
    "code",
    "metadata",
    "raw",
    "headers",
    "loc",
    "retryDelay",
    "violations",
]


@given(json_values(names=st.sampled_from(NAMES)))
def test_any_body_is_survived(body: object) -> None:
    found = read(body)
    assert isinstance(found.message, str) and (found.retry_after_s is None or found.retry_after_s >= 0)  # type: ignore[attr-defined]
