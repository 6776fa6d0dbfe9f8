"""What it costs a run to be able to go on: the same run with and without snapshots and looks at its health.

    python -m bench.cluster.survival [--pairs 3] [--recipe recipes/quickstart.yaml]

With: as on a cluster whose runs are on a network's disk. The journal lies elsewhere and is copied at every phase and
every minute, a lease is renewed, training leaves a checkpoint after each pass, the samplers and their nodes are looked
at. Without: none of this, in a folder on a local disk. The runs take turns. Printed for each: wall-clock, and the CPU
time of all its processes, which other work on the machine changes less; at the end, in which processes it differs.

Without `--recipe` a smaller run than the quickstart is measured, whose fixed costs weigh more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import psutil

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.5
NEVER_S = 1e9
RECIPE = """
name: survival
seed: 3
task: {name: coin_flip, source: generated, train: 240, validation: 20, test: 40}
student: {max_new_tokens: 96}
teacher: {kind: offline, error_rate: 0.2}
learning:
  rounds: 1
  first_questions: 64
  exam: {questions: 64, samples: 2}
  first_training: {epochs: 5, batch_size: 8}
  training: {epochs: 3, batch_size: 8}
cluster: {sampler_cpus: 0.5, trainer_cpus: 1.5}
"""


def with_survival() -> None:
    """Has a process of the run take its folder for one on a network's disk."""
    import actors.sampler.pool
    import actors.storage.keeping as keeping
    import actors.training.job  # noqa: F401 - what the other hook loads costs both alike

    keeping.on_network_disk = lambda path: True


def without_survival() -> None:
    """Has a process of the run take no snapshot and look at nothing."""
    import actors.sampler.member as member
    import actors.sampler.pool as pool
    import actors.storage.keeping  # noqa: F401 - as the other hook
    import actors.training.job as job

    pool.LEAVING_LOOK_S = member.LOOK_S = NEVER_S
    train = job._train

    def trained(*arguments: Any) -> None:  # torch is loaded by then
        def nothing(*arguments: object, **named: object) -> None:
            pass

        job.StatesInRay.save = nothing  # type: ignore[method-assign]  # of this process alone
        train(*arguments)

    job._train = cast(Any, trained)
    job.CheckpointDue.__call__ = lambda self: False  # type: ignore[method-assign]


HOOKS = {"with": with_survival, "without": without_survival}


def one_run(kind: str, recipe: Path, storage: Path) -> None:
    """The run, in this process and those of a Ray of its own."""
    import ray
    from rich.console import Console

    from actors.ray_api.nodes import LOCAL
    from pipelines.run.tailored import run
    from reasoning.recipe.tailored import load_recipe

    HOOKS[kind]()
    environment = {"worker_process_setup_hook": f"bench.cluster.survival.{HOOKS[kind].__name__}"}
    ray.init(
        address="local", labels=LOCAL, include_dashboard=False, log_to_driver=False, runtime_env=environment,
        object_store_memory=256 * 1024**2,
    )  # fmt: skip
    began = time.monotonic()
    run(load_recipe(recipe).replace(storage_path=str(storage)), str(recipe), Console())
    print(f"{time.monotonic() - began:.2f}")


class CpuTime(threading.Thread):
    """The CPU seconds of a process and all that descends from it, those that have ended included."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._done = threading.Event()
        self._spent: dict[tuple[int, float], tuple[str, float]] = {}

    def run(self) -> None:
        while not self._done.wait(LOOK_S):
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    self._look(process)
            except psutil.NoSuchProcess:
                return

    def stop(self) -> dict[str, float]:
        """By what the processes were called when they were last seen."""
        self._done.set()
        self.join()
        by_name: dict[str, float] = {}
        for name, seconds in self._spent.values():
            by_name[name] = by_name.get(name, 0.0) + seconds
        return by_name

    def _look(self, process: psutil.Process) -> None:
        try:
            times, command = process.cpu_times(), process.cmdline()
            name = command[0].split("(")[0] if command and command[0].startswith("ray::") else process.name()
            self._spent[process.pid, process.create_time()] = name, times.user + times.system
        except psutil.Error:
            return


def measured(kind: str, recipe: Path) -> tuple[float, dict[str, float]]:
    """Wall-clock and CPU seconds (by process) of one run in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="survival-") as folder:
        command = [
            sys.executable,
            "-m",
            "bench.cluster.survival",
            "--one",
            kind,
            "--recipe",
            str(recipe),
            "--storage",
            folder,
        ]
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        environment |= {"PYTHONPATH": str(ROOT), "TAILOR_LOCAL": str(Path(folder) / "local")}
        run = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        cpu = CpuTime(run.pid)
        cpu.start()
        told, _ = run.communicate()
        if run.returncode:
            sys.exit(f"the run {kind} survival ended with {run.returncode}:\n{told}")
        copied = sorted(path.name for path in Path(folder).glob("*/journal.sqlite"))
        local = sorted(path.name for path in (Path(folder) / "local").rglob("*.sqlite"))
        if (kind == "with") != bool(local) or not copied:
            sys.exit(f"the run {kind} survival kept its journal elsewhere than meant: {copied}, {local}")
        return float(told.split()[-1]), cpu.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what it costs a run to be able to go on.")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--one", choices=HOOKS, help=argparse.SUPPRESS)
    parser.add_argument("--storage", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_run(options.one, options.recipe, options.storage)
        return
    with tempfile.TemporaryDirectory() as folder:
        recipe = options.recipe
        if recipe is None:
            recipe = Path(folder) / "survival.yaml"
            recipe.write_text(RECIPE, encoding="utf-8")
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in HOOKS}
        by_process: dict[str, list[dict[str, float]]] = {kind: [] for kind in HOOKS}
        for pair in range(options.pairs):
            for kind in HOOKS if pair % 2 == 0 else reversed(HOOKS):
                wall, cpu = measured(kind, recipe)
                found[kind].append((wall, sum(cpu.values())))
                by_process[kind].append(cpu)
                print(f"{kind} survival: {found[kind][-1][0]:.1f} s, {found[kind][-1][1]:.1f} s of CPU", flush=True)
    for number, what in enumerate(("wall-clock", "CPU time")):
        each = {kind: [one[number] for one in values] for kind, values in found.items()}
        ratio = statistics.median(each["with"]) / statistics.median(each["without"])
        pairs = ", ".join(f"{a / b:.3f}" for a, b in zip(each["with"], each["without"], strict=True))
        print(f"{what}: with / without {ratio:.3f} (medians; each pair: {pairs})")
    print(f"CPU seconds, with less without: {told(differences(by_process))}")


def differences(by_process: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, float]:
    """What the medians of each kind of process differ by, the largest first."""
    names = {name for runs in by_process.values() for run in runs for name in run}
    middle = {
        kind: {name: statistics.median(run.get(name, 0.0) for run in runs) for name in names}
        for kind, runs in by_process.items()
    }
    found = {name: middle["with"][name] - middle["without"][name] for name in names}
    return dict(sorted(found.items(), key=lambda one: -abs(one[1])))


def told(found: Mapping[str, float], most: int = 8) -> str:
    return ", ".join(f"{name} {seconds:+.1f}" for name, seconds in list(found.items())[:most])


if __name__ == "__main__":
    main()
