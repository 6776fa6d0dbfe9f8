"""What watching a run costs: `python -m bench.watching`.

Prints the CPU time of a record of each kind, of one look at a run, and of what a teacher's request records, each in a
process of Ray; and what share of a core that is at a rate of requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import ray
import typer

from actors.endpoint.usage import Usage
from actors.teacher.metrics import TeacherMetrics
from actors.watching import table
from actors.watching.meters import Meters
from actors.watching.run import LimiterLook, RunMetrics, SamplerLook
from pipelines.run.cluster import connect
from reasoning.rounds.progress import Progress, TeacherFigures
from reasoning.teacher.calls import TeacherReply

RECORDS, LOOKS = 50_000, 500
REQUEST, LOOK = "a teacher's request", "a look at a run"


@ray.remote(num_cpus=0)
def measured(samplers: int) -> dict[str, float]:
    """CPU seconds of each, in one process."""
    meters, requests = Meters(run="bench"), TeacherMetrics("teacher", "bench")
    metrics, progress = RunMetrics("bench"), Progress()
    reply = TeacherReply("key", "text", "stop", 100, 50, "model")
    usage = Usage(100, 50)
    looks = [SamplerLook("bench/round-001", 3, 0, 1.0)] * samplers

    def one_request() -> None:
        requests.waited("place", 0.1)
        requests.sent("place", reply, usage, 1000, 0.5)

    def one_look() -> None:
        metrics.look(progress.snapshot)
        metrics.teachers(TeacherFigures())
        metrics.limiters({"one": LimiterLook(1, 2, 3.0)})
        metrics.samplers(looks)
        metrics.coordinator(Path("journal.sqlite"), 0.0)

    return {
        "a counter": _each(lambda: meters.add(table.EXAM_QUESTIONS, round="1"), RECORDS),
        "a gauge": _each(lambda: meters.set(table.ROUND, 1.0), RECORDS),
        "a histogram": _each(lambda: meters.observe(table.PHASE_SECONDS, 3.0, phase="exam"), RECORDS),
        REQUEST: _each(one_request, RECORDS // 5),
        LOOK: _each(one_look, LOOKS),
    }


def _each(do: Callable[[], None], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        do()
    return (time.process_time() - began) / times


def main(
    rate: float = typer.Option(1000.0, help="Teacher requests a second of one worker."),
    samplers: int = typer.Option(8, help="Samplers of the run."),
) -> None:
    """Measures and prints."""
    connect(None)
    found = ray.get(measured.remote(samplers))
    for what, seconds in found.items():
        print(f"{what}: {seconds * 1e6:.1f} microseconds")
    request, look = found[REQUEST], found[LOOK]
    print(f"at {rate:g} requests a second, a worker's metrics take {100 * rate * request:.1f} % of a core")
    print(f"with a look a second at {samplers} samplers, the coordinator's take {100 * look:.2f} %")


if __name__ == "__main__":
    typer.run(main)
