"""What of a run's processes is full first, at many samplers and many teacher requests a second.

    python -m bench.cluster.at_scale [--samplers 256] [--rates 250,500,1000,2000] [--at 2000] [--seconds 15]

Real: the pool of samplers and the pool of teacher workers in one process, as in a coordinator; journal, limiter and
teacher workers in theirs, with all they do. Simulated: the students (a few processes stand for all the samplers, and
answer after a while) and the network (a worker gets its reply after a while without a socket). Questions come at a
fixed rate; a sampler answers each in four texts, which are graded, and the teacher is asked about one of them.

Printed for each rate: how many a second were reached, the share of a core that the fullest process of each kind took,
and that of the machine's cores that all took together. A rate that this machine cannot hold is the last: everything is
on it, the stand-ins for the samplers, too. Then what each would take of a core at `--at` a second, by its CPU time for
a request at the highest rate that was held, and which is full first. What is not simulated here: the engines and the
teacher's own speed, which are bought by the piece.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import psutil
import ray

from actors.endpoint.wire import Response
from actors.journal.actor import JournalHandle
from actors.limits.actor import RateLimiterHandle
from actors.ray_api.machines.capacity import Need
from actors.sampler.outbox import Answer, Question
from actors.sampler.pool import SamplerPool
from actors.sampler.replica import ReplicaHandle
from actors.starting import Limiters, close_journal, start_journal
from actors.teacher.pool import TeacherPool
from actors.teacher.worker import TeacherWorker
from actors.teacher.worker_base import WorkerHandle
from pipelines.run.cluster import connect
from reasoning.grading.answers import find_answer, is_right
from reasoning.records import AnswerKind
from reasoning.student.probe import Probe, ProbeReport
from reasoning.student.sampling import Completion, Sampling
from reasoning.teacher.calls import EndpointSettings, Outcome, TeacherReply, TeacherRequest, TeacherSettings

MANY: dict[str, Any] = {"num_cpus": 0, "max_concurrency": 10_000}
STUDENT_S, TEACHER_S = 0.5, 0.5
SAMPLES = 4
AT_ONCE = 256  # completions that a sampler makes together
TICK_S = 0.02
MOST_OPEN = 20_000
TEXT = "The coin is heads up. " * 12 + "So the answer is no."
STAND_IN = "stand-in for samplers"
PROCESSES = {
    "coordinator": "ray::Asking",
    "limiter": "ray::RateLimiter",
    "journal": "ray::Journal",
    "teacher worker": "ray::NoNetwork",
    STAND_IN: "ray::Students",
}
HELD = 0.95  # of what was asked, reached: less is more than this machine can do


class Students:
    """Stands for many samplers."""

    async def start(self) -> int:
        return AT_ONCE

    async def prefix_hits(self) -> float | None:
        return None

    async def shutdown(self) -> None:
        pass

    async def sync(self, version: str, checkpoint: str, probe: Probe) -> ProbeReport:
        return ProbeReport(True, "")

    async def exchange(self, questions: Sequence[Question]) -> list[Answer]:
        await asyncio.sleep(STUDENT_S)
        return [Answer(one.number, [Completion(TEXT, True, 60)] * one.sampling.samples) for one in questions]


class NoWire:
    """In place of a worker's connections: a reply after a while."""

    async def post(self, path: str, content: bytes) -> Response:
        await asyncio.sleep(TEACHER_S)
        message = {"role": "assistant", "content": TEXT}
        body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
        usage = {"prompt_tokens": 120, "completion_tokens": 80, "total_tokens": 200}
        return Response(200, {}, json.dumps(body | {"usage": usage}).encode())

    async def close(self) -> None:
        pass


class NoNetwork(TeacherWorker):
    """A teacher's worker, but for the socket."""

    def __init__(self, settings: TeacherSettings, journal: JournalHandle, *limiters: RateLimiterHandle) -> None:
        super().__init__(settings, journal, *limiters)
        for queue in self._queues:
            queue.endpoint._wire = NoWire()  # type: ignore[assignment]


class Asking:
    """Asks as a coordinator does, at a rate."""

    def __init__(self, samplers: int, students: list[Any], workers: list[Any], limiter: Any, journal: Any) -> None:
        each = [students[number % len(students)] for number in range(samplers)]
        self._samplers = SamplerPool(cast("list[ReplicaHandle]", each), Need("sampler", samplers, {"CPU": 1.0}))
        self._teacher = TeacherPool(cast("list[WorkerHandle]", workers), [limiter], journal)
        self._asked = self._ended = 0
        self._failed = 0

    async def begin(self) -> None:
        await self._samplers.sync("v", "", Probe("v", "float32", (), (), (), ()))

    async def ask(self, rate: float, seconds: float) -> tuple[float, int]:
        """Asks at `rate`; how many a second ended in the second half, and how many failed."""
        open: set[asyncio.Task[None]] = set()
        began, before = time.monotonic(), self._asked
        half, ended_by_half = began + seconds / 2, None
        while (now := time.monotonic()) < began + seconds:
            if ended_by_half is None and now >= half:
                ended_by_half, half = self._ended, now
            due = int((now - began) * rate) - (self._asked - before)
            for _ in range(min(due, MOST_OPEN - len(open))):
                task = asyncio.create_task(self._one(self._asked))
                self._asked += 1
                open.add(task)
                task.add_done_callback(open.discard)
            await asyncio.sleep(TICK_S)
        reached = (self._ended - (ended_by_half or 0)) / (time.monotonic() - half)
        while open:
            await asyncio.wait(open)
        return reached, self._failed

    async def _one(self, number: int) -> None:
        question = f"A coin is heads up. Person {number} flips it. Is it still heads up?"
        texts = await self._samplers.answer("v", question, Sampling(SAMPLES, 1.0))
        for text in texts:
            is_right(find_answer(text.text, AnswerKind.YES_NO), "yes", AnswerKind.YES_NO)
        request = TeacherRequest("teacher", "m", (("user", question + texts[0].text),), 0.7, 256)
        outcome: Outcome = await self._teacher.ask(request)
        self._failed += not isinstance(outcome, TeacherReply)
        self._ended += 1


def cpu_seconds() -> Mapping[str, list[float]]:
    """Of each kind of process, what each has used."""
    found: dict[str, list[float]] = {name: [] for name in PROCESSES}
    for process in psutil.Process().children(recursive=True):
        try:
            title, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.Error:
            continue
        for name, begins in PROCESSES.items():
            if title.startswith(begins):
                found[name].append(times.user + times.system)
    return found


def measure(asking: Any, rate: float, seconds: float) -> tuple[float, dict[str, float]]:
    """How many a second were reached, and of each kind of process the fullest's share of a core."""
    before, began = cpu_seconds(), time.monotonic()
    psutil.cpu_percent()  # from here on
    reached, failed = ray.get(asking.ask.remote(rate, seconds))
    machine = psutil.cpu_percent()
    took = time.monotonic() - began
    shares = {
        name: max(b - a for a, b in zip(before[name], after, strict=True)) / took
        for name, after in cpu_seconds().items()
    }
    shown = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())
    whole = f"the machine's {psutil.cpu_count()} cores {machine:.0f} %"
    print(f"asked {rate:5.0f} a second, reached {reached:5.0f}, {failed} failed: {shown}; {whole}", flush=True)
    return reached, shares


def main() -> None:
    parser = argparse.ArgumentParser(description="Find out which of a run's processes is full first.")
    parser.add_argument("--samplers", type=int, default=256)
    parser.add_argument("--rates", default="250,500,1000,2000")
    parser.add_argument("--at", type=float, default=2000.0, help="the rate that is reckoned up to")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    connect(None)
    endpoint = EndpointSettings("teacher", "http://127.0.0.1:9/v1", "m", max_in_flight=4096)
    settings = TeacherSettings("teacher", (endpoint,), run="scale")
    with tempfile.TemporaryDirectory() as folder:
        journal = start_journal(Path(folder) / "journal.sqlite")
        limiter = Limiters((endpoint,)).of(endpoint)
        worker: Any = ray.remote(NoNetwork)
        workers = [worker.options(**MANY).remote(settings, journal, limiter) for _ in range(options.workers)]
        student: Any = ray.remote(Students)
        students = [student.options(**MANY).remote() for _ in range(min(2, options.samplers))]
        actor: Any = ray.remote(Asking)
        asking = actor.options(**MANY).remote(options.samplers, students, workers, limiter, journal)
        ray.get(asking.begin.remote())
        held: tuple[float, dict[str, float]] | None = None
        for rate in rates:
            found = measure(asking, rate, options.seconds)
            if found[0] < HELD * rate:
                print(f"{rate:.0f} a second are more than this machine can do", flush=True)
                break
            held = found
        asyncio.run(_close(journal))
    if held is None:
        sys.exit("no rate was held: ask for lower --rates")
    reached, shares = held
    needed = {name: share / reached * options.at for name, share in shares.items() if name != STAND_IN}
    order = sorted(needed.items(), key=lambda one: -one[1])
    told = ", ".join(f"{name} {100 * share:.0f} %" for name, share in order)
    print(f"at {options.at:.0f} a second by the CPU time of the {reached:.0f} that were reached: {told}")
    print(f"full first: the {order[0][0]}, at {options.at / order[0][1]:.0f} a second")


async def _close(journal: JournalHandle) -> None:
    await close_journal(journal)


if __name__ == "__main__":
    main()
