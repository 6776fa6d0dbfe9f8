"""Trainings of two workers that lose something at a random moment, and whether each ends in the undisturbed student.

    python -m bench.chaos.trainings [--runs 10] [--first 1] [--seed 0] [--sharding none] [--checkpoint-seconds 2]

A training teaches the embedded student three passes over coin flips, with two workers, each on a node of its own,
under a head that does no work. At a step that is drawn one worker, one node (with all that runs on it) or everything,
the head and the command too, is killed with SIGKILL; which of them goes round. A lost node is replaced, and where
everything went the same command is given again. With `--sharding fsdp` the student is divided among the workers.

Printed for each: what was killed at which step, how many steps were made twice, and the largest difference of a weight
from the student of a training that lost nothing. More than `TOLERANCE` is wrong, and so is a training whose part was
never there to be killed or that began again from its first step after its first checkpoint.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chaos.machines import ROOT, Cluster, tree
from bench.refusals import amount, count, count_or_none

KINDS = ("worker", "node", "everything")
WORKERS, QUESTIONS, BATCH, PASSES = 2, 96, 8, 3
TOLERANCE = 1e-4  # of a weight: rounding of sums over workers, grown in training
NODE_AWAY_S = 2.0
MOST_S = 600.0
STEPS_FILE = "steps.txt"  # the step of each report


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training lost, and how it ended. `repeated`: steps that were made twice; `difference`: the largest of a
    weight."""

    number: int
    kind: str | None
    killed_at: int
    seconds: float
    steps: int
    repeated: int
    difference: float
    wrong: str

    def line(self) -> str:
        lost = f"{self.kind} at step {self.killed_at}" if self.kind else "nothing"
        end = self.wrong or f"right, {self.repeated} of {self.steps} steps made twice, differs by {self.difference:.1e}"
        return f"{self.number:3d}  {lost:24s} {self.seconds:6.0f} s  {end}"


def kind_of(number: int) -> str:
    """What training `number` (from 1) loses: each in turn."""
    return KINDS[(number - 1) % len(KINDS)]


def moment(seed: int, number: int, steps: int) -> int:
    """The step at which it is lost: any but the first two and the last four, when a part could be gone by then."""
    return random.Random(f"{seed} {number}").randint(2, steps - 5)


def fault(steps: Sequence[int], killed_at: int, difference: float, *, met: bool) -> str:
    """What is wrong with a training that made `steps`, in this order, and was to lose something; "" for nothing."""
    if not met:
        return "nothing was there to be killed"
    if sorted(set(steps)) != list(range(len(set(steps)))):
        return f"some of its {len(steps)} steps are missing"
    kept_by = len(set(steps)) // PASSES  # a checkpoint follows each pass
    if killed_at > kept_by + BATCH and steps.count(0) > 1:
        return "it began again from its first step"
    return "" if difference <= TOLERANCE else f"its student differs by {difference:.1e}"


def train(kind: str | None, number: int, options: argparse.Namespace, undisturbed: Path | None) -> tuple[Outcome, Path]:
    """One training on a cluster of its own; returns what came of it, and its student's folder."""
    folder = Path(tempfile.mkdtemp(prefix="kt"))  # short: sockets lie below it
    cluster = Cluster(workers=WORKERS, cpus=1, folder=folder)
    chance = random.Random(f"{options.seed} {number}")
    steps = PASSES * (QUESTIONS * 2 // BATCH)
    killed_at, met, started = moment(options.seed, number, steps), False, time.monotonic()
    try:
        cluster.start()
        driver = _drive(cluster, folder, options)
        while driver.poll() is None and time.monotonic() - started < MOST_S:
            time.sleep(0.05)
            if kind is not None and not met and len(_steps(folder)) > killed_at:
                met = True
                driver = _lose(kind, cluster, driver, folder, options, chance)
        seconds = time.monotonic() - started
        for process in tree(driver.pid):
            process.kill()
        problem = "" if driver.poll() == 0 else f"the command ended with {driver.poll()}: see {folder}/driver.log"
    finally:
        cluster.lose_all()
    done, student = _steps(folder), folder / "round-000" / "student"
    difference = 0.0 if problem or undisturbed is None else _difference(student, undisturbed)
    wrong = problem or (fault(done, killed_at, difference, met=met) if kind is not None else "")
    again = len(done) - len(set(done))
    return Outcome(number, kind, killed_at, seconds, len(set(done)), again, difference, wrong), student


def _lose(
    kind: str,
    cluster: Cluster,
    driver: subprocess.Popen[bytes],
    folder: Path,
    options: argparse.Namespace,
    chance: random.Random,
) -> subprocess.Popen[bytes]:
    """Kills it; returns the command that goes on."""
    if kind == "worker":
        chance.choice(cluster.parts("trainer worker")).kill()
    elif kind == "node":
        cluster.lose_worker(chance)
        time.sleep(NODE_AWAY_S)
        cluster.add_worker()
    else:
        driver.kill()
        driver.wait()
        cluster.lose_all()
        cluster.start()
        return _drive(cluster, folder, options)
    return driver


def _drive(cluster: Cluster, folder: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.chaos.trainings", "--drive", str(folder), "--address", cluster.address]
    command += ["--sharding", options.sharding, "--checkpoint-seconds", str(options.checkpoint_seconds)]
    with (folder / "driver.log").open("ab") as out:
        return subprocess.Popen(command, env=cluster.environment, cwd=ROOT, stdout=out, stderr=out)


def _steps(folder: Path) -> list[int]:
    file = folder / STEPS_FILE
    lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.is_file() else []
    return [int(line) for line in lines]


def _difference(student: Path, undisturbed: Path) -> float:
    from safetensors.torch import load_file

    mine, theirs = (load_file(folder / "model.safetensors") for folder in (student, undisturbed))
    return max(float((mine[name] - theirs[name]).abs().max()) for name in theirs)


def drive(folder: Path, address: str, sharding: Any, checkpoint_s: float) -> None:
    """The training's command, in a process of its own."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from actors.training.job import TrainingJob
    from actors.training.trainer import Trainer
    from bench.training.workload import coin_flips
    from reasoning.files.tables import write_table
    from reasoning.recipe.student import EMBEDDED_STUDENT
    from reasoning.recipe.training import ObjectiveSection, TrainingSection
    from reasoning.records import Example

    class Reporter:
        """Writes down each step, on the command's own node, which no lost worker takes along."""

        def training_point(self, point: Any) -> None:
            with (folder / STEPS_FILE).open("a", encoding="utf-8") as file:
                file.write(f"{point.step}\n")

        def waiting(self, who: str, what: str) -> None:
            print(f"{who} waits for {what}", flush=True)

    ray.init(address=address, log_to_driver=False)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    reporter: Any = ray.remote(Reporter).options(num_cpus=0, scheduling_strategy=here).remote()
    write_table(folder / "examples.parquet", coin_flips(QUESTIONS), Example)
    job = TrainingJob(
        run_name="killed-round-000",
        storage=str(folder / "training"),
        checkpoint_in=str(EMBEDDED_STUDENT),
        examples=str(folder / "examples.parquet"),
        checkpoint_out=str(folder / "round-000" / "student"),
        training=TrainingSection(epochs=PASSES, batch_size=BATCH, sharding=sharding),
        objective=ObjectiveSection(),
        seed=7,
        workers=WORKERS,
        reporter=reporter,
        checkpoint_s=checkpoint_s,
    )
    Trainer(patience_s=120.0).train(job)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill trainings at random moments, and see whether they end alike.")
    parser.add_argument("--runs", type=count_or_none, default=10)
    parser.add_argument("--first", type=count, default=1, help="the number of the first: a run in parts draws the same")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sharding", choices=("none", "fsdp"), default="none")
    parser.add_argument("--checkpoint-seconds", type=amount, default=2.0)
    parser.add_argument(
        "--undisturbed", type=Path, help="keep its student here, and take it from here when it is there"
    )
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--address", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive is not None:
        drive(options.drive, options.address, options.sharding, options.checkpoint_seconds)
        return
    outcomes = trainings(options)
    right = sum(not outcome.wrong for outcome in outcomes)
    print(f"{right} of {len(outcomes)} ended in the undisturbed student")
    sys.exit(right < len(outcomes))


def trainings(options: argparse.Namespace) -> list[Outcome]:
    """An undisturbed one, and `options.runs` that lose something; each is told as it ends."""
    undisturbed: Path = options.undisturbed or Path(tempfile.mkdtemp(prefix="kt")) / "student"
    if not undisturbed.is_dir():
        calm, student = train(None, 0, options, None)
        print(calm.line(), flush=True)
        if calm.wrong:
            return [calm]
        shutil.copytree(student, undisturbed)
        shutil.rmtree(student.parents[1], ignore_errors=True)
    outcomes = []
    for number in range(options.first, options.first + options.runs):
        outcome, student = train(kind_of(number), number, options, undisturbed)
        print(outcome.line(), flush=True)
        if not outcome.wrong:
            shutil.rmtree(student.parents[1], ignore_errors=True)
        outcomes.append(outcome)
    return outcomes


if __name__ == "__main__":
    main()
