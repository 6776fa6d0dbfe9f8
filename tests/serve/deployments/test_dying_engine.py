"""A student whose engine dies is not heard to die: no 500, and the stock client's retries are answered.

Slow: a student is served and its engine killed, so that it starts twice (about 30 s each on two cores)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.chaos.serving_kills import killed, processes
from bench.serving import MODEL
from reasoning.student.checkpoint import save_student
from serve.serving import StudentServing
from serve.student import deploy_student
from tests.ascii_students import ascii_student


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_dead_engine_takes_its_replica_along_and_clients_wait(serve_port: int, tmp_path: Path) -> None:
    from ray import serve

    student = ascii_student(seed=3)
    save_student(student.model, student.tokenizer, tmp_path / "student")
    serving = StudentServing(checkpoint=str(tmp_path / "student"), model_name=MODEL, kv_cache_gib=0.25)
    address = deploy_student(serving, name="dying", route_prefix="/dying")
    try:
        before = processes("ray::ServeReplica:dying")
        seen = asyncio.run(killed("engine", address, within_s=180))
        assert seen is not None and set(seen.statuses) <= {"200", "503"}, seen
        assert seen.statuses["200"] > 15 and seen.stock_failures == 0 and seen.stock_answers
        after = processes("ray::ServeReplica:dying")
        assert len(before) == len(after) == 1 and before != after
    finally:
        serve.delete("dying")
