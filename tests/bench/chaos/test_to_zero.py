"""A student that nobody asks has no replica, and whoever asks it then is answered.

Slow: a student is served, left alone and started again (about 30 s each on two cores)."""

from __future__ import annotations

import asyncio

import pytest

from bench.chaos.to_zero import one_time
from bench.serving import MODEL
from reasoning.recipe.student import EMBEDDED_STUDENT
from serve.serving import StudentServing
from serve.student import deploy_student


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_student_without_a_replica_answers_whoever_asks(serve_port: int) -> None:
    from ray import serve

    serving = StudentServing(
        checkpoint=str(EMBEDDED_STUDENT),
        model_name=MODEL,
        replicas=0,
        most_replicas=1,
        idle_s=3.0,
        kv_cache_gib=0.25,
    )
    address = deploy_student(serving, name="idle", route_prefix="/idle")
    try:
        slept = asyncio.run(one_time(address, "idle", clients=2, within_s=180))
        assert slept.failures == 0 and slept.kept, slept
        assert slept.next_s < slept.slowest_s
    finally:
        serve.delete("idle")
