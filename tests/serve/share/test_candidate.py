"""A candidate answers a share of a served student's requests: on Ray Serve, and with real students by the commands.

The first test takes about 5 s; the second starts two engines, about two minutes on two cores, and is marked slow."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serve.door.door import Door
from serve.door.limits import DoorSection
from serve.door.routes import ANSWER
from serve.share.passing import TAKEN, Passing
from serve.student_server import asking
from serve.weights import Candidate


async def _nothing(request: Request) -> Response:
    return Response(b"{}")


class Replica:
    """What of a replica of a student has to do with a share."""

    def __init__(self, version: str, candidate: Candidate | None) -> None:
        app = Starlette(routes=[Route(ANSWER, _nothing, methods=["POST"])])
        self._door = Door(app, DoorSection(), None, lambda: True, versions={"mine": version})
        if candidate is not None:
            self._door.passing = Passing(candidate, asking(candidate.application))

    async def __serve_build_asgi_app__(self) -> Any:
        return self._door

    async def passed_on(self, path: str, headers: list[tuple[bytes, bytes]], content: bytes) -> Any:
        yield TAKEN
        async for message in self._door.passed(path, headers, content):
            yield message

    async def counts(self) -> tuple[int, int]:
        passing = self._door.passing
        return (passing.passed, passing.returned) if passing else (0, 0)


@pytest.fixture
def deploy(serve_port: int) -> Iterator[Callable[..., Any]]:
    from ray import serve

    deployed: list[str] = []

    def run(name: str, route: str | None, version: str, candidate: Candidate | None = None) -> Any:
        deployment = serve.deployment(ray_actor_options={"num_cpus": 0})(serve.ingress()(Replica))
        deployed.append(name)
        return serve.run(deployment.bind(version, candidate), name=name, route_prefix=route)

    yield run
    for name in deployed:
        serve.delete(name)


def versions(address: str, n: int) -> Counter[str]:
    with httpx.Client() as client:
        replies = [client.post(f"{address}{ANSWER}", json={"question": f"{i}?"}) for i in range(n)]
    assert {reply.status_code for reply in replies} == {200}
    return Counter(reply.headers["x-student-version"] for reply in replies)


def test_requests_are_split_and_a_candidate_that_is_gone_costs_none(
    deploy: Callable[..., Any], serve_port: int
) -> None:
    from ray import serve

    candidate = Candidate(version="second", checkpoint="/there", application="candidate-split", share=0.5)
    deploy("candidate-split", None, "second")
    handle = deploy("split", "/split", "first", candidate)
    address = f"http://127.0.0.1:{serve_port}/split"
    first = versions(address, 40)
    assert first["second"] > 8 and first["first"] > 8 and first == versions(address, 40)
    assert handle.counts.remote().result(timeout_s=20) == (2 * first["second"], 0)
    serve.delete("candidate-split")
    assert versions(address, 40) == {"first": 40}
    assert handle.counts.remote().result(timeout_s=20) == (2 * first["second"], first["second"])


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_round_is_tried_then_put_in_the_place_and_taken_back(serve_port: int, tmp_path: Path) -> None:
    from ray import serve

    from bench.chaos.promotions import MODEL, QUESTION, run_with_rounds
    from pipelines.errors import Refused
    from pipelines.serving.graduate import graduate_of, serving_of
    from pipelines.serving.names import application_of, candidate_of
    from pipelines.serving.promotion import promote, roll_back
    from pipelines.serving.sharing import share
    from pipelines.serving.standing import standing
    from serve.student import deploy_student

    directory = run_with_rounds(tmp_path, 2)
    console = Console(file=io.StringIO())
    address = deploy_student(
        serving_of(directory, graduate_of(directory, 0)), name=application_of(MODEL), route_prefix="/promoted"
    )
    candidate = candidate_of(application_of(MODEL))

    def asked(n: int) -> Counter[str]:
        found: Counter[str] = Counter()
        with httpx.Client(timeout=60) as client:
            for number in range(n):
                body = {"question": QUESTION.format(name=f"Ann{number}"), "gold": "no", "user": f"user {number}"}
                reply = client.post(f"{address}/answer", json=body)
                assert reply.status_code == 200, reply.text
                assert reply.json()["version"] == reply.headers["x-student-version"]
                found[reply.json()["version"].split("/")[1]] += 1
        return found

    try:
        assert asked(3) == {"round-000": 3}
        shared = share(directory.path, 1, None, None, 0.5, console)
        split = asked(20)
        assert split["round-000"] > 2 and split["round-001"] > 2 and split == asked(20)
        (one,) = standing(MODEL, None)
        assert (one.share, one.candidate, one.route) == (0.5, shared.version, "/promoted")
        assert [each.n for each in one.live.accuracy] == [2 * split["round-000"], 2 * split["round-001"]]
        said = {"version": shared.version, "answer": "Answer: no", "gold": "no"}
        reply = httpx.post(f"{address}/feedback", json=said)
        assert reply.json() == {"object": "feedback", "version": shared.version, "verdict": "correct"}
        assert httpx.post(f"{address}/feedback", json=said | {"version": "another"}).status_code == 404
        assert standing(MODEL, None)[0].live.accuracy[1].n == 2 * split["round-001"] + 1
        larger = share(directory.path, 1, None, None, 0.75, console)
        assert larger.share == 0.75 and asked(20)["round-001"] >= split["round-001"]
        ended = roll_back(MODEL, None)
        assert ended.version == ended.before == one.version and ended.candidate == shared.version
        assert asked(5) == {"round-000": 5} and candidate not in serve.status().applications
        share(directory.path, 1, None, None, 0.5, console)
        changed = promote(directory.path, 1, None, None, console)
        assert changed.candidate == changed.version == shared.version
        assert asked(5) == {"round-001": 5} and candidate not in serve.status().applications
        with pytest.raises(Refused, match="answers with round 1 already"):
            share(directory.path, 1, None, None, 0.5, console)
        assert roll_back(MODEL, None).version == one.version and asked(5) == {"round-000": 5}
    finally:
        serve.delete(application_of(MODEL))
        serve.delete(candidate)
