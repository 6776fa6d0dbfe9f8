"""What Ray Train costs a step: the same training in its worker and in a plain Python process, in turns.

    python -m bench.training.in_ray [--students embedded smollm2] [--turns 3] [--cpus 2]

`plain` is `FineTuning` in a process of its own; `ray` is the trainer's own worker, with its reports and its look
whether a checkpoint is due. Each does a pass over the same questions when it is its turn and is idle otherwise; the
figures are medians over turns, tokens those of prompts and anchors. SmolLM2 has its shape, random weights and bfloat16
passes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.gpu.shapes import TINY, Shape, make_examples, make_model, make_tokenizer
from bench.refusals import count
from bench.training.workload import MODES, SHOWN, coin_flips
from pipelines.run.cluster import connect
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.training import TrainingSection
from reasoning.training.report import LossPoint

SHAPES = {"smollm2": Shape("SmolLM2-135M", 30, 576, 1536, 9, 3, 49_152, tied=True, family="llama"), "tiny": TINY}
STUDENTS = ("embedded", *SHAPES)
QUESTIONS = {"embedded": 256, "smollm2": 8, "tiny": 16}  # of a turn: some seconds
BATCH = {"embedded": 16, "smollm2": 8, "tiny": 8}
PASSES = 10_000  # more than anybody asks for
PATIENCE_S = 300.0  # for a turn, and for a worker to start

# A pass over the questions, its losses told to the given function.
Pass = Callable[[Callable[[LossPoint], None] | None, Callable[[], bool] | None], "Turn"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass: tokens a second, and the process's own seconds of processor time and page faults in it."""

    speed: float
    user: float
    kernel: float
    faults: int


def training(student: str, mode: str, cpus: int) -> Pass:
    """The training whose passes are measured, in this process. The first pass warms up."""
    import torch

    from reasoning.student.checkpoint import load_student
    from reasoning.training.fine_tuning import FineTuning
    from reasoning.training.samples import draw_pass

    torch.set_num_threads(cpus)
    if student == "embedded":
        loaded = load_student(str(EMBEDDED_STUDENT))
        model, tokenizer, examples = loaded.model, loaded.tokenizer, coin_flips(QUESTIONS[student])
    else:
        model, tokenizer = make_model(SHAPES[student], "cpu", torch.float32), make_tokenizer()
        examples = make_examples(QUESTIONS[student], shorter=2)
    settings = TrainingSection(batch_size=BATCH[student], max_tokens=1024, epochs=PASSES)
    run = FineTuning(
        model, tokenizer, examples, settings, MODES[mode], 0, 0, 1, "bfloat16" if student == "smollm2" else "float32"
    )

    def measured(on_step: Callable[[LossPoint], None] | None, due: Callable[[], bool] | None) -> Turn:
        batches = draw_pass(run.data.examples, BATCH[student], 0, run.passes)
        tokens = sum(sample.length for batch in batches for sample in batch)
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        run.learn_pass(run.passes, on_step, due, lambda _: None)
        took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        return Turn(
            tokens / took, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime,
            after.ru_minflt - before.ru_minflt,
        )  # fmt: skip

    measured(None, None)
    return measured


class Plain:
    """A plain process that trains a pass when it is asked to."""

    def __init__(self, student: str, mode: str, cpus: int) -> None:
        command = [sys.executable, "-m", "bench.training.in_ray", "--as-plain", student, mode, str(cpus)]
        self._process = subprocess.Popen(
            command, env=os.environ | {"OMP_NUM_THREADS": str(cpus)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._line()

    def turn(self) -> Turn:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return Turn(**json.loads(self._line()))

    def end(self) -> None:
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the plain process has ended; what it said stands above")
        return line


def as_plain(student: str, mode: str, cpus: int) -> None:
    """What such a process runs: a line of `Turn` for each that it reads."""
    measured = training(student, mode, cpus)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(asdict(measured(None, None))), flush=True)


class Desk:
    """The actor through which a worker is asked for passes, and that its steps' losses are sent to."""

    def __init__(self) -> None:
        self._asked: asyncio.Queue[bool] = asyncio.Queue()
        self._made: asyncio.Queue[Turn | None] = asyncio.Queue()

    async def ask(self, more: bool) -> None:
        await self._asked.put(more)

    async def asked(self) -> bool:
        return await self._asked.get()

    async def made(self, turn: Turn | None) -> None:
        await self._made.put(turn)

    async def turn(self) -> Turn | None:
        return await asyncio.wait_for(self._made.get(), PATIENCE_S)

    async def training_point(self, point: LossPoint) -> None: ...


def in_worker(config: dict[str, Any]) -> None:
    """What Ray Train's worker runs."""
    import ray

    from actors.training.states import CheckpointDue

    desk, due = config["desk"], CheckpointDue(rank=0, every_s=600.0)
    measured = training(config["student"], config["mode"], config["cpus"])
    ray.get(desk.made.remote(None))
    while ray.get(desk.asked.remote()):
        ray.get(desk.made.remote(measured(desk.training_point.remote, due)))


class InRay:
    """A worker of Ray Train, started as the trainer starts its own."""

    def __init__(self, student: str, mode: str, cpus: int, folder: str) -> None:
        import ray

        from actors.training.job import TrainingJob
        from actors.training.trainer import Trainer, run_program

        Trainer()  # sets Ray Train up in this process
        desk: Any = ray.remote(Desk).options(num_cpus=0).remote()  # its class knows nothing of `remote`
        self._desk = desk
        job = TrainingJob(
            f"{student}-{mode.replace(' ', '-')}", folder, "", "", "", TrainingSection(), MODES[mode], 0, cpus=cpus
        )
        config = {"desk": self._desk, "student": student, "mode": mode, "cpus": cpus}
        self._running = threading.Thread(target=run_program, args=(in_worker, config, job), daemon=True)
        self._running.start()
        ray.get(self._desk.turn.remote())

    def turn(self) -> Turn:
        import ray

        ray.get(self._desk.ask.remote(True))
        found: Turn = ray.get(self._desk.turn.remote())
        return found

    def end(self) -> None:
        import ray

        ray.get(self._desk.ask.remote(False))
        self._running.join()


def compare(student: str, mode: str, cpus: int, turns: int, folder: str) -> dict[str, float]:
    """Medians of tokens a second of each side, printed, and Ray's over the plain one's."""
    sides: dict[str, Plain | InRay] = {
        "plain": Plain(student, mode, cpus),
        "ray": InRay(student, mode, cpus, folder),
    }
    made: dict[str, list[Turn]] = {name: [] for name in sides}
    try:
        for _ in range(turns):
            for name, side in sides.items():
                made[name].append(side.turn())
    finally:
        for side in sides.values():
            side.end()
    found = {name: statistics.median(turn.speed for turn in of_side) for name, of_side in made.items()}
    for name, of_side in made.items():
        user, kernel, faults = (
            statistics.median(getattr(turn, field) for turn in of_side) for field in ("user", "kernel", "faults")
        )
        print(
            f"{student}, {mode}, {name:5s} {found[name]:9,.0f} tokens/s "
            f"({', '.join(f'{turn.speed:,.0f}' for turn in of_side)}); processor {user:.1f} + {kernel:.1f} s in the "
            f"kernel, {faults:,.0f} page faults",
            flush=True,
        )
    found["over plain"] = found["ray"] / found["plain"]
    print(f"{student}, {mode}, ray over plain: {found['over plain']:.2f}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", nargs="+", default=["embedded", "smollm2"], choices=STUDENTS)
    parser.add_argument("--modes", nargs="+", default=SHOWN, choices=SHOWN, metavar="MODE", help=str([*SHOWN]))
    parser.add_argument("--turns", type=count, default=3)
    parser.add_argument("--cpus", type=count, default=os.cpu_count() or 1, help="of the worker: its threads")
    parser.add_argument("--as-plain", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.as_plain:
        student, mode, cpus = asked.as_plain
        as_plain(student, mode, int(cpus))
        return
    with tempfile.TemporaryDirectory() as folder:
        connect(None)  # as a run starts it
        for student in asked.students:
            for mode in asked.modes:
                compare(student, mode, asked.cpus, asked.turns, folder)


if __name__ == "__main__":
    main()
