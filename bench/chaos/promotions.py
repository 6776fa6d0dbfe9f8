"""Asks a served student many questions while its weights are promoted, shared with a candidate and rolled back.

Owns: the run whose rounds are promoted, the load, and what is counted. Run: `python -m bench.chaos.promotions
[--requests 10000] [--promotions 3]`. The changes are made by the commands themselves, `tailor promote` and `tailor
rollback`, from other processes, spread evenly over the requests; before the rollback a candidate has a share of 0.2.
It prints each change with its seconds, the answers by version and status, and the slowest; it exits with 1 where a
request failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

from bench.chaos.own_ray import own_ray
from bench.refusals import count
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.phase_order import Phase, PhaseRecord

MODEL, SHARE = "promoted", 0.2
QUESTION = "A coin is heads up. {name} flips the coin. Ben does not flip the coin. Is the coin still heads up?"
RECIPE = """
name: promoted
task: {name: coin_flip, source: generated, train: 40, validation: 20, test: 20}
student: {max_new_tokens: 24, prompt: reasoning}
cluster: {kv_cache_gib: 0.25, sampler_cpus: 0.5}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the clients saw. `by_version` counts answers by the version that gave them."""

    requests: int
    failed: int
    statuses: dict[str, int]
    by_version: dict[str, int]
    slowest_s: float
    seconds: float


def run_with_rounds(folder: Path, rounds: int) -> RunDirectory:
    """A finished run whose rounds have the embedded student, each a little changed, so that their weights differ."""
    from safetensors.torch import load_file, save_file

    directory = RunDirectory(folder / MODEL)
    directory.claim(parse_recipe(RECIPE, "promotions"))
    for round in range(rounds):
        student = directory.round(round).student
        shutil.copytree(EMBEDDED_STUDENT, student)
        for file in student.glob("*.safetensors"):
            tensors = load_file(file)
            save_file(
                {name: tensor * (1 + 0.01 * round) for name, tensor in tensors.items()}, file, metadata={"format": "pt"}
            )
        directory.append(PhaseRecord(round, Phase.EVALUATE, 1.0, {"validation_accuracy": 0.5}))
    return directory


def changes(directory: Path, promotions: int) -> list[list[str]]:
    """The commands in their order: promotions, the last one first with a share, and one rollback."""
    commands = [["promote", str(directory), "--round", str(round)] for round in range(1, promotions + 1)]
    shared = [*commands[-1], "--share", str(SHARE)]
    return [*commands[:-1], shared, commands[-1], ["rollback", MODEL]]


async def under_load(
    address: str, cluster: str, requests: int, at_once: int, commands: Sequence[Sequence[str]]
) -> Outcome:
    """Asks the student at `address`, which Ray at `cluster` serves. Each command begins when its part of the requests
    has been answered."""
    statuses: Counter[str] = Counter()
    by_version: Counter[str] = Counter()
    slowest = 0.0
    numbers = iter(range(requests))
    begun = time.perf_counter()

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal slowest
        for number in numbers:
            name = f"{'ABCDEFGHIJ'[number % 10]}{number // 10}"
            body = {"question": QUESTION.format(name=name), "gold": "no", "user": name}
            asked = time.perf_counter()
            try:
                async with session.post(f"{address}/answer", json=body) as response:
                    await response.read()
                    statuses[str(response.status)] += 1
                    by_version[response.headers.get("x-student-version", "none")] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                statuses[type(error).__name__] += 1
            slowest = max(slowest, time.perf_counter() - asked)

    async def change() -> None:
        for number, command in enumerate(commands):
            while statuses.total() < requests * (number + 0.5) / (len(commands) + 0.5):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            asked, started = statuses.total(), time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from pipelines.cli import app; app()", *command),
                env=os.environ | {"RAY_ADDRESS": cluster},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            said, _ = await process.communicate()
            took = time.perf_counter() - started
            print(f"after {asked} answers, in {took:.1f} s: tailor {' '.join(command)} ({process.returncode})")
            print("  " + said.decode(errors="replace").strip().replace("\n", "\n  "), flush=True)
            if process.returncode:
                raise SystemExit(f"tailor {command[0]} failed")

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as session:
        await asyncio.gather(change(), *(client(session) for _ in range(at_once)))
    failed = requests - statuses["200"]
    took = time.perf_counter() - begun
    return Outcome(requests, failed, dict(statuses), dict(by_version), round(slowest, 2), round(took, 1))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=count, default=10_000)
    parser.add_argument("--promotions", type=count, default=3)
    parser.add_argument("--at-once", type=count, default=16)
    options = parser.parse_args(arguments)
    import ray

    from pipelines.serving.graduate import graduate_of, serving_of
    from pipelines.serving.names import application_of
    from serve.student import deploy_student

    with tempfile.TemporaryDirectory(prefix="promotions-") as folder:
        directory = run_with_rounds(Path(folder), options.promotions + 1)
        with own_ray():
            cluster = ray.get_runtime_context().gcs_address
            serving = serving_of(directory, graduate_of(directory, 0))
            address = deploy_student(serving, name=application_of(MODEL), direct=True)
            commands = changes(directory.path, options.promotions)
            outcome = asyncio.run(under_load(address, cluster, options.requests, options.at_once, commands))
    print(json.dumps(asdict(outcome)))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
