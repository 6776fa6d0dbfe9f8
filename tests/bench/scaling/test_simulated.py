"""The simulated exam is a real one: what it asks, grades, logs and keeps is what a run would."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle
from bench.scaling.simulated import SimulatedReplica, simulated_classroom
from reasoning.files.tables import read_table
from reasoning.records import Attempt, Verdict
from reasoning.rounds.phases import exam
from tests.actors.in_process import in_process


def test_simulated_samplers_sit_a_whole_exam(tmp_path: Path) -> None:
    samplers = [cast(ReplicaHandle, in_process(SimulatedReplica(8, 0.001, right=0.5))) for _ in range(3)]

    async def sit() -> Path:
        classroom = simulated_classroom(tmp_path / "run", 40, SamplerPool(samplers))
        metrics = await exam(classroom, 1)
        assert metrics["attempts"] == 160 and metrics["truncated"] == 0
        assert 0.3 < float(metrics["exam_accuracy"]) < 0.7
        asked = classroom.progress.snapshot.teacher_asked
        assert asked == 2 * int(metrics["mistakes"]) > 0
        return classroom.files(1).exam

    attempts = read_table(asyncio.run(sit()), Attempt)
    assert len({(one.problem_id, one.sample) for one in attempts}) == 160
    assert {one.verdict for one in attempts} == {Verdict.CORRECT, Verdict.WRONG}
