"""What Ray Serve says itself reaches a client in OpenAI's words: too many requests, a replica that dies.

About 5 s: a tiny application under the session's Serve, with the options of a served student."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serve.door.refusals import RETRY_S

pytestmark = pytest.mark.usefixtures("serve_port")


class Slow:
    """Answers after a while, and at /die takes its process along."""

    async def __serve_build_asgi_app__(self) -> Any:
        return Starlette(routes=[Route("/{path}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        if request.path_params["path"] == "die":
            os._exit(1)
        await asyncio.sleep(0.5)
        return Response(b"{}")


@pytest.fixture(scope="module")
def address(serve_port: int) -> Iterator[str]:
    from ray import serve

    deployment = serve.deployment(
        max_ongoing_requests=1,
        max_queued_requests=1,
        backpressure_config={"status_code": 429, "retry_after_s": RETRY_S},
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=1,
    )(serve.ingress()(Slow))
    serve.run(deployment.bind(), name="slow", route_prefix="/slow")
    yield f"http://127.0.0.1:{serve_port}/slow"
    serve.delete("slow")


def test_too_many_at_once_are_told_when_to_try_again(address: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: httpx.get(f"{address}/x", timeout=30), range(8)))
    refused = [reply for reply in replies if reply.status_code != 200]
    assert refused and len(refused) < len(replies)
    for reply in refused:
        assert reply.status_code == 429 and reply.headers["retry-after"] == str(RETRY_S)
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


def test_a_replica_that_dies_is_a_503_and_what_comes_waits_for_the_next_one(address: str) -> None:
    died = httpx.get(f"{address}/die", timeout=30)
    assert died.status_code == 503 and died.headers["retry-after"] == str(RETRY_S)
    assert died.json()["error"]["code"] == "unavailable"
    assert httpx.get(f"{address}/x", timeout=60).status_code == 200


def test_an_address_of_nobody_is_a_404_in_the_same_words(address: str) -> None:
    reply = httpx.get(address.replace("/slow", "/nobody"), timeout=30)
    assert reply.status_code == 404 and reply.json()["error"]["code"] == "not_found"
