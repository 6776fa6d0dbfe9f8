"""How exam and training scale: `python -m bench.scaling [--replicas 1 2 4 8 16 32 64] [--trainers 1 2 4]`.

First, the real exam (asking, grading, logging, mistakes to the teacher, the table) through the real pool and real
actors, whose engine is simulated: it makes `--at-once` completions at a time in `--latency` seconds each. Every replica
adds as many questions as the first had. Efficiency is attempts a second over those of one replica, times their number;
the coordinator's time is the processor time of this process, which does all that a run's coordinator does in an exam,
Ray's own threads in it included.

Then a training's pass by one to four trainers, of which each pretends that a sample takes `--sample-ms`
(`bench.scaling.trainers`).

Last the exam of a million attempts (`--attempts`), in this process, by an engine that answers at once: processor time
for each attempt, and the memory of the process at tenths of the way, of which the questions themselves are there from
the start.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from actors.ray_api.processes import collect_seldom
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle
from bench.refusals import amount, amount_or_none, count, count_or_none
from bench.scaling.simulated import PROBE, VERSION, SimulatedReplica, simulated_classroom
from bench.scaling.trainers import over_trainers
from pipelines.run.cluster import connect
from reasoning.rounds.phases import exam

SAMPLES = 4  # of each question: the recipe's


async def through_actors(replicas: int, options: argparse.Namespace) -> dict[str, float]:
    """One exam by so many replicas, each an actor: attempts a second, and microseconds of this process an attempt."""
    import ray

    actor = ray.remote(SimulatedReplica).options(num_cpus=0, max_concurrency=1000)
    handles = [actor.remote(options.at_once, options.latency, options.right) for _ in range(replicas)]
    pool = SamplerPool(cast("Sequence[ReplicaHandle]", handles))
    await pool.sync(VERSION, VERSION, PROBE)
    questions = replicas * max(1, round(options.seconds * options.at_once / options.latency / SAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        await exam(simulated_classroom(Path(folder) / "warm-up", 2 * replicas, pool), 1)
        classroom = simulated_classroom(Path(folder) / "run", questions, pool)
        began, worked = time.perf_counter(), time.process_time()
        await exam(classroom, 1)
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
    await pool.shutdown()
    attempts = SAMPLES * questions
    return {"attempts": attempts, "per_second": attempts / seconds, "coordinator_us": 1e6 * processor / attempts}


async def in_this_process(attempts: int, right: float) -> dict[str, Any]:
    """One exam of so many attempts, `SAMPLES` of each question, without Ray: microseconds an attempt, and MiB at each
    tenth of the way."""
    questions = -(-attempts // SAMPLES)
    attempts = SAMPLES * questions
    pool = SamplerPool([cast(ReplicaHandle, Here(SimulatedReplica(256, 0.0, right)))])
    with tempfile.TemporaryDirectory() as folder:
        classroom = simulated_classroom(Path(folder) / "run", questions, pool)
        gc.collect()
        memory = [memory_mib()]

        async def look() -> None:
            for tenth in range(1, 11):
                while classroom.progress.snapshot.graded < attempts * tenth // 10:  # noqa: ASYNC110  (figures, no event)
                    await asyncio.sleep(0.05)
                memory.append(memory_mib())

        looking = asyncio.create_task(look())
        worked = time.process_time()
        await exam(classroom, 1)
        processor = time.process_time() - worked
        await looking
        memory.append(memory_mib())
    await pool.shutdown()
    return {"attempts": attempts, "us": 1e6 * processor / attempts, "memory_mib": memory}


class Here:
    """What stands for an actor's handle: its methods, in this process."""

    def __init__(self, actor: object) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        return type("Method", (), {"remote": staticmethod(getattr(self._actor, name))})


def memory_mib() -> float:
    """What this process has of the machine's memory."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return resident * 4096 / 2**20


def scaling(options: argparse.Namespace) -> list[dict[str, float]]:
    """An exam at each number of replicas; medians over turns."""
    connect(None)
    rows: list[dict[str, float]] = []
    for replicas in options.replicas:
        turns = [asyncio.run(through_actors(replicas, options)) for _ in range(options.turns)]
        row = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]} | {"replicas": replicas}
        alone = rows[0]["per_second"] / rows[0]["replicas"] if rows else row["per_second"] / replicas
        row["efficiency"] = row["per_second"] / (replicas * alone)
        rows.append(row)
        print(
            f"{replicas:4d} replicas  {row['per_second']:8,.0f} attempts/s  efficiency {row['efficiency']:.3f}  "
            f"coordinator {row['coordinator_us']:5.0f} us an attempt",
            flush=True,
        )
    return rows


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=count, nargs="*", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--at-once", type=count, default=64, help="completions that an engine makes at once")
    parser.add_argument("--latency", type=amount, default=2.0, help="seconds that each takes")
    parser.add_argument("--seconds", type=amount, default=12.0, help="how long an exam takes one engine")
    parser.add_argument("--turns", type=count, default=1)
    parser.add_argument("--right", type=float, default=0.7, help="the share of right completions")
    parser.add_argument("--trainers", type=count, nargs="*", default=[1, 2, 4])
    parser.add_argument(
        "--sample-ms", type=amount_or_none, default=20.0, help="milliseconds that a sample takes a trainer"
    )
    parser.add_argument(
        "--attempts", type=count_or_none, default=1_000_000, help="of the exam in this process; 0: none"
    )
    options = parser.parse_args(arguments)
    collect_seldom()
    found: dict[str, Any] = {"scaling": scaling(options) if options.replicas else []}
    if options.trainers:
        connect(None)
        with tempfile.TemporaryDirectory() as folder:
            found["trainers"] = over_trainers(options, folder)
    if options.attempts:
        found["exam"] = one = asyncio.run(in_this_process(options.attempts, options.right))
        memory = "  ".join(f"{mib:,.0f}" for mib in one["memory_mib"])
        print(f"{one['attempts']:,} attempts in this process: {one['us']:.0f} us each; MiB at each tenth: {memory}")
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
