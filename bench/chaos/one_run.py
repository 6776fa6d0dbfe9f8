"""One run that loses parts: its cluster, its commands, its deaths, and what is wrong with it at the end.

Owns: the recipe of these runs, the killing, and the order of it all.
"""

from __future__ import annotations

import dataclasses
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.chaos.machines import ROOT, Cluster
from bench.chaos.moments import ALL, Lives
from bench.chaos.outcomes import Death, Outcome
from bench.chaos.readable import Watcher, asked_again, faults
from bench.chaos.standstill import Attempts, Span, Work, next_work, standstill, waits, work_of
from bench.chaos.witness import Witness
from reasoning.rounds.directory import RunDirectory, RunDirectoryError
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import Provider

MOST_COMMANDS = 6
LIMIT_S = 480.0  # of one command: a run that hangs is wrong
REPLACED_AFTER_S = 3.0
NOT_THERE_S = 3.0  # the most until a part that was not there is looked for again
RECIPE = """
name: chaos
seed: 0
task: {{name: coin_flip, source: generated, train: 120, validation: 10, test: 20}}
student: {{max_new_tokens: 96}}
teacher: {{kind: openai, model: faulty-teacher, base_url: "{base_url}", api_key_env: null, max_in_flight: 8}}
learning:
  rounds: {rounds}
  first_questions: 32
  exam: {{questions: 64, samples: 2}}
  first_training: {{epochs: 5, batch_size: 8}}
  training: {{epochs: 2, batch_size: 8}}
cluster: {{sampler: {sampler}, sampler_cpus: 0.5, trainer_cpus: 1.5}}
"""
TEACHER = ProviderArgs(error_rate=0.2, latency=LatencyArgs(median_s=0.8))


def sampler_of(number: int, parts: Iterable[str]) -> str:
    """The back end that samples the student of a run: vLLM where its engine is killed, and in every fourth run; it
    takes half a minute to start."""
    return "vllm" if "engine" in parts or number % 4 == 0 else "transformers"


def begin(begun: Path) -> None:
    """Makes the directory that all the runs go on with: that of a run which has finished its round 0."""
    folder = Path(tempfile.mkdtemp(prefix="ch"))  # short: sockets lie below it
    with _with_teacher(_Run(0, [], random.Random(0), folder, rounds=0)) as run:
        outcome = run.outcome()
    if outcome.wrong:
        raise RuntimeError(f"round 0 did not end: {outcome.wrong}. See {folder}")
    shutil.move(run.directory.path, begun)
    shutil.rmtree(folder, ignore_errors=True)


def one_run(number: int, plan: Sequence[tuple[float, str]], chance: random.Random, kept: Path, begun: Path) -> Outcome:
    """A run that goes on from `begun` and loses the parts of `plan`, each from so many seconds on, given again until it
    finishes. What a wrong run left is moved to `kept`."""
    folder = Path(tempfile.mkdtemp(prefix="ch"))
    with _with_teacher(_Run(number, list(plan), chance, folder)) as run:
        run.go_on_from(begun)
        outcome = run.outcome()
    if outcome.wrong or outcome.ends:
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(folder, kept, ignore=_sockets, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


@contextmanager
def _with_teacher(run: _Run) -> Iterator[_Run]:
    """Its teacher is outside of the cluster, as those of users are, and outlives it."""
    with Provider(TEACHER, run.witness) as provider:
        run.base_url = provider.base_url
        try:
            yield run
        finally:
            run.cluster.lose_all()


@dataclass(slots=True)
class _Run:
    number: int
    due: list[tuple[float, str]]
    chance: random.Random
    folder: Path
    rounds: int = 1
    base_url: str = ""
    witness: Witness = field(default_factory=lambda: Witness(TEACHER.build_teacher()))
    cluster: Cluster = field(init=False)
    spent_s: float = 0.0
    deaths: list[Death] = field(default_factory=list)
    died: list[float] = field(default_factory=list)  # when, in Unix time
    away: list[Span] = field(default_factory=list)  # when the harness started a cluster, alike
    ends: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster = Cluster(workers=2, cpus=2, folder=self.folder)

    @property
    def directory(self) -> RunDirectory:
        return RunDirectory(self.folder / "runs" / "chaos")

    def go_on_from(self, begun: Path) -> None:
        """Takes a copy of a run that has the same teacher at another port."""
        shutil.copytree(begun, self.directory.path)
        recipe = self.directory.recipe_file
        text = re.sub(r"http://127\.0\.0\.1:\d+/v1", self.base_url, recipe.read_text(encoding="utf-8"))
        recipe.write_text(text, encoding="utf-8")

    def outcome(self) -> Outcome:
        recipe = self.folder / "chaos.yaml"
        sampler = sampler_of(self.number, [part for _, part in self.due])
        text = RECIPE.format(rounds=self.rounds, base_url=self.base_url, sampler=sampler)
        recipe.write_text(text, encoding="utf-8")
        self.cluster.start()
        watcher, lives, attempts = Watcher(self.directory), Lives(self.cluster), Attempts(self.directory)
        for thread in (watcher, lives, attempts):
            thread.start()
        commands, began = 0, time.time()
        while not self._finished(recipe):
            commands += 1
            if commands == MOST_COMMANDS:
                self.wrong.append(f"not finished after {commands} commands")
                break
            left = time.time()
            if self.cluster.is_whole:
                self.cluster.wait()
            else:
                self.cluster.lose_head()
                self.cluster.start()
            self.away.append((left, time.time()))
        end = time.time()
        watcher.stop()
        seen = lives.stop()
        self.cluster.lose_all()
        self.wrong += watcher.unreadable[:3]
        self.wrong += faults(self.directory, self.rounds) if not self.wrong else []
        repeated = asked_again(self.directory.journal) + self.witness.asked_again(self.directory.journal)
        self.wrong += [f"{repeated} replies asked for again"] if repeated else []
        work = work_of(self.directory, attempts.stop())
        return Outcome(
            self.number, sampler, self._deaths(work, end), commands + 1, round(self.spent_s, 1), repeated,
            watcher.looks, tuple(self.ends), tuple(self.wrong), {} if self.deaths else seen,
            round((next_work(work, began) or end) - began, 1), {} if self.deaths else waits(work, began, end),
        )  # fmt: skip

    def _deaths(self, work: Sequence[Work], end: float) -> tuple[Death, ...]:
        """Each with how long the run stood still after it."""
        return tuple(
            dataclasses.replace(death, stood_s=round(standstill(work, at, end, self.away), 1))
            for death, at in zip(self.deaths, self.died, strict=True)
        )

    def _finished(self, recipe: Path) -> bool:
        """Gives the command once, kills what is due meanwhile, and says whether the run came to its end."""
        began, before = time.monotonic(), self.spent_s
        driver = self._command(recipe)
        while (code := driver.poll()) is None and time.monotonic() - began < LIMIT_S:
            self.spent_s = before + time.monotonic() - began
            if self.due and self.spent_s >= self.due[0][0]:
                self._kill(driver)
            time.sleep(0.1)
        if code is None:
            self.wrong.append(f"a command had not ended after {LIMIT_S:.0f} s")
            driver.kill()
        elif code > 0:  # it said what it gave up for; below: it was killed
            self.ends.append(_last_words(self.folder / "run.log"))
        driver.wait()
        self.spent_s = before + time.monotonic() - began
        return code == 0

    def _command(self, recipe: Path) -> subprocess.Popen[bytes]:
        with (self.folder / "run.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(self.folder / "runs")],
                cwd=ROOT,
                env=self.cluster.environment | {"RAY_ADDRESS": self.cluster.address},
                stdout=log,
                stderr=log,
            )

    def _kill(self, driver: subprocess.Popen[bytes]) -> None:
        """Kills the part that is due. One that is not there is looked for again a little later."""
        _, part = self.due.pop(0)
        phase, at_s, died = _phase(self.directory), self.spent_s, time.time()
        if part == "driver":
            driver.kill()
        elif part == "worker node":
            self.cluster.lose_worker(self.chance)
            time.sleep(REPLACED_AFTER_S)
            self.cluster.add_worker()
        elif part == "head":  # the driver is one of its processes, as that of a submitted run is
            driver.kill()
            self.cluster.lose_head()
        elif part == ALL:
            driver.kill()
            self.cluster.lose_all()
        elif not self._kill_process(part):
            self.due.insert(0, (self.spent_s + self.chance.uniform(0, NOT_THERE_S), part))
            return
        self.deaths.append(Death(part, round(at_s, 1), phase))
        self.died.append(died)

    def _kill_process(self, part: str) -> bool:
        found = self.cluster.parts(part)
        if not found:
            return False
        try:
            self.chance.choice(found).send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return False
        return True


def _phase(directory: RunDirectory) -> str:
    try:
        done = directory.finished()
    except (RunDirectoryError, OSError):  # the watcher says so
        return "unknown"
    return f"after {done[-1].round} {done[-1].phase}" if done else "at the start"


def _last_words(log: Path) -> str:
    return " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-400:]


def _sockets(folder: str, names: list[str]) -> list[str]:
    """What is no file or folder, which cannot be copied."""
    return [name for name in names if not (Path(folder) / name).is_file() and not (Path(folder) / name).is_dir()]
