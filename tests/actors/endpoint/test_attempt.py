"""One attempt at a request: what its outcome says of the place, and how long to wait."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest
from aiohttp import web

from actors.endpoint.attempt import Endpoint, Sent
from actors.endpoint.usage import NOTHING_USED
from actors.limits.rate_limits import LeaseOutcome
from reasoning.teacher.calls import EndpointSettings, TeacherFailure
from tests.actors.in_process import request
from tests.actors.scripted_server import Fault, Server, error


def answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Fault:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps(content), status=status, headers=headers, content_type="application/json")

    return respond


def ask(server: Server, fault: Fault) -> Sent:
    async def scenario() -> Sent:
        endpoint = Endpoint(EndpointSettings("east", server.base_url, "m", timeout_s=5.0))
        try:
            return await endpoint.send(request("What is 2 + 2?"))
        finally:
            await endpoint.close()

    server.faults.append(fault)
    return asyncio.run(scenario())


SLOW = {"error": {"code": 429, "message": "slow down"}}
WAITS = [
    ({"Retry-After": "9"}, SLOW, 9.0),
    ({"retry-after-ms": "1500"}, SLOW, 1.5),
    ({}, {"error": {"code": 429, "message": "Please try again in 7s"}}, 7.0),
    ({"Retry-After": "9"}, {"error": {"code": 429, "message": "Please try again in 7s"}}, 9.0),
    ({}, {"error": {"code": 429, "message": "slow down", "retry_after": 3}}, 3.0),
    ({}, SLOW, None),
]


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize(("headers", "content", "wait"), WAITS)
def test_the_wait_that_a_place_asks_for_is_kept_whatever_its_status(
    server: Server, status: int, headers: dict[str, str], content: object, wait: float | None
) -> None:
    sent = ask(server, answer(content, status, headers))
    assert isinstance(sent.result, TeacherFailure) and sent.outcome is LeaseOutcome.RATE_LIMITED
    assert sent.retry_after_s == wait


def test_a_cost_in_the_headers_is_booked(server: Server) -> None:
    choice = {"message": {"content": "It is 4."}, "finish_reason": "stop"}
    content = {"choices": [choice], "usage": {"prompt_tokens": 14, "completion_tokens": 4, "cost": 0.1}}
    for named, cost in (("0.25", 250_000_000), ("0.05", 100_000_000), ("None", 100_000_000)):
        sent = ask(server, answer(content, headers={"x-litellm-response-cost": named}))
        assert sent.usage is not None and sent.usage.cost == cost


def test_what_was_answered_and_refused_may_have_cost_its_worst_case(server: Server) -> None:
    for code, words in (
        ("output_parse_failed", "could not be parsed"),
        (None, "Could not finish the message because max_tokens"),
    ):
        assert ask(server, error(400, code, words)).usage is None
    assert ask(server, error(400, "unsupported_value", "No.")).usage == NOTHING_USED
