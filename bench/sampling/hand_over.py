"""How long new weights take to be sampled from: `python -m bench.sampling.hand_over [--only NAME] [--turns 3]
[--asleep]`.

For the embedded student, and for students of 135 and 500 million parameters made from their configuration with random
weights, output embedding tied and untied. Two of each shape, with other weights; one sampler, an actor as in a run,
takes on one after the other. Seconds of: the engine's start; the probe of a checkpoint, in a process of its own, where
the training has not made it; the swap (in place), and the proof that the engine computes with the new weights. The
control: weights that are not those of the probe are refused.

`--asleep`, on a GPU: before each swap the sampler sleeps, as beside a trainer. Seconds until it does, and until it has
the new weights; how much of the GPU it keeps asleep; and how many engines it started: one, unless waking failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray

from actors.sampler.pool import SamplerPool
from actors.sampler.sync import PROBE_PROMPTS
from actors.sampler.vllm import VllmSampler
from bench.gpu.shapes import QWEN_05B, WORDS, Shape, make_model, make_tokenizer
from bench.refusals import count
from pipelines.run.cluster import connect
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.student.engine import EngineSettings
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import SyncFailed

SMOLLM2 = Shape("135M", 30, 576, 1536, 9, 3, 49_152, tied=True, family="llama")
SHAPES = {
    f"{shape.name}, {'tied' if tied else 'untied'}": replace(shape, tied=tied, family="llama")  # keeps the tokenizer
    for shape in (SMOLLM2, QWEN_05B)
    for tied in (True, False)
}
EMBEDDED = "embedded"


class TimedSampler(VllmSampler):
    """A sampler that knows how long its last swap and proof took."""

    seconds = (0.0, 0.0)
    engines = 0

    async def _start_engine(self, settings: EngineSettings) -> None:
        self.engines += 1
        await super()._start_engine(settings)

    async def _wake(self, version: str, checkpoint: str) -> None:
        began = time.perf_counter()
        await super()._wake(version, checkpoint)
        self.seconds = (time.perf_counter() - began, 0.0)

    async def _load(self, version: str, checkpoint: str) -> None:
        began = time.perf_counter()
        await super()._load(version, checkpoint)
        self.seconds = (time.perf_counter() - began, 0.0)

    async def _prove(self, probe: Probe) -> ProbeReport:
        began = time.perf_counter()
        report = await super()._prove(probe)
        self.seconds = (self.seconds[0], time.perf_counter() - began)
        return report

    async def last(self) -> tuple[float, float]:
        return self.seconds

    async def started(self) -> int:
        """How many engines were."""
        return self.engines


@dataclass(frozen=True, slots=True)
class HandOver:
    """Seconds; swap and proof are medians over turns. `refused`: other weights than the probe's were. Of a sampler that
    sleeps also the median until it does, the most that it keeps of its GPU's memory then, and its engines."""

    student: str
    dtype: str
    start: float
    probe: float
    swap: float
    proof: float
    refused: bool
    sleep: float | None = None
    kept_gib: float | None = None
    engines: int = 1

    def line(self) -> str:
        parts = f"start {self.start:6.1f}  probe {self.probe:6.1f}  swap {self.swap:6.2f}  proof {self.proof:6.2f} s"
        if self.sleep is not None:
            parts += f"  asleep in {self.sleep:5.1f} s with {self.kept_gib:.1f} GiB, {self.engines} engines"
        control = "refused" if self.refused else "NOT REFUSED"
        return f"{self.student:14s} {self.dtype:9s} {parts}  other weights are {control}"


@ray.remote(num_cpus=0)
def made(name: str, folder: str) -> list[str]:
    """Two students of one shape and different weights."""
    import torch

    from reasoning.student.checkpoint import load_student, save_student

    torch.manual_seed(1)
    if name == EMBEDDED:
        student = load_student(str(EMBEDDED_STUDENT))
        model, tokenizer = student.model, student.tokenizer
    else:
        model, tokenizer = make_model(SHAPES[name], "cpu", torch.float32), make_tokenizer()
    folders = []
    for number in range(2):
        folders.append(f"{folder}/{number}")
        save_student(model, tokenizer, Path(folders[-1]))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.02 * torch.randn_like(parameter)
    return folders


@ray.remote(num_cpus=0)
def proof_of(checkpoint: str, version: str, prompts: Sequence[str]) -> tuple[Probe, float]:
    """The probe of a checkpoint, and how long it took, without imports."""
    from reasoning.student.probe import make_probe

    began = time.perf_counter()
    return make_probe(checkpoint, version, prompts), time.perf_counter() - began


async def hand_over(name: str, turns: int, asleep: bool = False) -> HandOver:
    prompts = [" ".join(f"w{(7 * number + at) % WORDS}" for at in range(60)) for number in range(PROBE_PROMPTS)]
    with tempfile.TemporaryDirectory() as folder:
        folders = await made.remote(name, folder)
        probes, probing = [], []
        for version, checkpoint in enumerate(folders):
            probe, seconds = await proof_of.remote(checkpoint, str(version), prompts)
            probes.append(probe)
            probing.append(seconds)
        settings = EngineSettings(model=folders[0], max_model_len=512, gpus=float(asleep), sleeps=asleep)
        sampler = ray.remote(TimedSampler).options(num_cpus=2, num_gpus=int(asleep), max_concurrency=100)
        actor: Any = sampler.remote(settings)
        pool = SamplerPool([actor])
        began = time.perf_counter()
        await pool.start()
        start = time.perf_counter() - began
        swaps, proofs, sleeps, kept = [], [], [], []
        for turn in range(turns + 1):
            which = (turn + 1) % 2
            if asleep:
                began = time.perf_counter()
                (look,) = await pool.sleep()
                sleeps.append(time.perf_counter() - began)
                kept.append((look.total - look.free) / 2**30)
            await pool.sync(f"{turn}", folders[which], probes[which])
            swap, proof = await actor.last.remote()
            if turn:  # the first one meets files that nobody has read
                swaps.append(swap)
                proofs.append(proof)
        try:
            await pool.sync("other", folders[0], probes[1])
            refused = False
        except SyncFailed:
            refused = True
        engines = await actor.started.remote()
        await pool.shutdown()
    return HandOver(
        name,
        probes[0].dtype,
        start,
        min(probing),
        statistics.median(swaps),
        statistics.median(proofs),
        refused,
        statistics.median(sleeps) if sleeps else None,
        max(kept, default=None),
        engines,
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[EMBEDDED, *SHAPES], default=[EMBEDDED, *SHAPES])
    parser.add_argument("--turns", type=count, default=3)
    parser.add_argument("--asleep", action="store_true")
    asked = parser.parse_args(arguments)
    connect(None)
    for name in asked.only:
        one = asyncio.run(hand_over(name, asked.turns, asked.asleep))
        print(one.line(), flush=True)
        print(json.dumps({field: getattr(one, field) for field in one.__slots__}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
