"""Runs that lose one of their parts at a random moment, and whether each still ends as it should.

    python -m bench.chaos [--runs 30] [--seed 0] [--out chaos.jsonl] [--only PART ...]

Every run is a small quickstart on a cluster of its own: a head that does no work and two worker nodes, on this machine.
One part of it is killed with SIGKILL at a random moment, in a third of the runs a second one later. A run that ends for
it is started again with the same command. A lost node is replaced after some seconds, and a lost cluster by a new one.

Printed for each run: what was killed and when, how often the command was given, how long all took and how much of that
the deaths cost, and what is wrong. A run is right when it finished, every missed question has its feedback or a typed
failure, no reply in the journal was asked for again, and every file could be read at every moment. Runs that are in the
file of `--out` already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench.chaos.machines import ROOT, TITLES, Cluster, kill_tree
from bench.chaos.readable import Watcher, answered, asked_again, faults
from reasoning.rounds.directory import RunDirectory

PARTS = (*(name for name in TITLES if name not in ("trainer", "served teacher")), "driver", "worker node", "head")
ALL = "everything"
MOST_COMMANDS = 6
LIMIT_S = 900.0  # of one command: a run that hangs is a run that did not finish
REPLACED_AFTER_S = 3.0
RECIPE = """
name: chaos
seed: {seed}
task: {{name: coin_flip, source: generated, train: 120, validation: 10, test: 20}}
student: {{max_new_tokens: 96}}
teacher: {{kind: offline, error_rate: 0.2, latency_s: 0.2, max_in_flight: 8}}
learning:
  rounds: 1
  first_questions: 32
  exam: {{questions: 32, samples: 2}}
  first_training: {{epochs: 3, batch_size: 8}}
  training: {{epochs: 3, batch_size: 8}}
cluster: {{sampler_cpus: 0.5, trainer_cpus: 1.5}}
"""


@dataclass(frozen=True, slots=True)
class Death:
    """What was killed, how many seconds after the first command, and in which phase the run was."""

    part: str
    at_s: float
    phase: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. `seconds`: from the first command to the end of the last one, without the start of clusters; `ends`: the
    last words of each command that gave up by itself."""

    number: int
    deaths: tuple[Death, ...]
    commands: int
    seconds: float
    asked_again: int
    looks: int
    ends: tuple[str, ...]
    wrong: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill parts of runs at random moments, and see whether they finish.")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("chaos.jsonl"), help="one line a run; runs in it are kept")
    parser.add_argument("--only", nargs="*", choices=(*PARTS, ALL), help="kill these parts and no others")
    options = parser.parse_args()
    done = _read(options.out)
    whole = next((one.seconds for one in done if not one.deaths), None)
    with tempfile.TemporaryDirectory(prefix="chaos-runs-") as folder:
        if whole is None:
            undisturbed = _run(0, (), Path(folder) / "undisturbed", random.Random(options.seed), 0.0)
            _keep(undisturbed, options.out)
            whole = undisturbed.seconds
        print(f"Undisturbed: {whole:.0f} s", flush=True)
        known = {one.number for one in done}
        for number in (n for n in range(1, options.runs + 1) if n not in known):
            chance = random.Random(f"{options.seed} {number}")
            victims = _victims(number, tuple(options.only or (*PARTS, ALL)), chance)
            outcome = _run(number, victims, Path(folder) / str(number), chance, whole)
            _keep(outcome, options.out)
            print(_line(outcome, whole), flush=True)
    _table(_read(options.out))
    sys.exit(any(one.wrong for one in _read(options.out)))


def _victims(number: int, parts: Sequence[str], chance: random.Random) -> tuple[str, ...]:
    """Each part in turn, so that thirty runs meet all of them; a second one in every third run."""
    first = parts[number % len(parts)]
    return (first, chance.choice(parts)) if number % 3 == 0 else (first,)


# One run ------------------------------------------------------------------------------------------------------------


def _run(number: int, victims: Sequence[str], folder: Path, chance: random.Random, whole_s: float) -> Outcome:
    folder.mkdir(parents=True)
    recipe = folder / "chaos.yaml"
    recipe.write_text(RECIPE.format(seed=number), encoding="utf-8")
    directory = RunDirectory(folder / "runs" / "chaos")
    cluster = Cluster(workers=2, cpus=2, log=folder / "nodes.log")
    cluster.start()
    watcher = Watcher(directory)
    watcher.start()
    moments = sorted(chance.uniform(0.05, 0.95) * whole_s for _ in victims)
    due = list(zip(moments, victims, strict=True))
    deaths: list[Death] = []
    replied: dict[str, int] = {}
    repeated, commands, spent = 0, 0, 0.0
    ends: list[str] = []
    wrong: list[str] = []
    while commands < MOST_COMMANDS:
        cluster.wait()
        commands += 1
        began = time.monotonic()
        driver = _command(recipe, folder, cluster)
        code = None
        while (code := driver.poll()) is None and time.monotonic() - began < LIMIT_S:
            at = spent + time.monotonic() - began
            if due and at >= due[0][0] and (lost := _kill(due[0][1], cluster, driver, chance)):
                deaths.append(Death(due.pop(0)[1], at, _phase(directory)))
                if lost == "cluster":
                    kill_tree(driver.pid)
            time.sleep(0.1)
        if code:  # above zero: it said what it gave up for; below: it was killed
            ends += [_last_words(folder / "run.log")] * (code > 0)
        kill_tree(driver.pid)
        driver.wait()
        spent += time.monotonic() - began
        repeated = max(repeated, asked_again(replied, directory.journal))
        replied = answered(directory.journal)
        if code == 0:
            break
        if not cluster.parts_alive():
            cluster.lose_all()
            cluster.start()
    else:
        wrong.append(f"not finished after {commands} commands")
    watcher.stop()
    cluster.lose_all()
    wrong += watcher.unreadable[:3]
    wrong += faults(directory, rounds=1) if not wrong else []
    wrong += [f"{repeated} replies asked for again"] if repeated else []
    wrong += [f"{part} was never there to be killed" for _, part in due]
    return Outcome(number, tuple(deaths), commands, spent, repeated, watcher.looks, tuple(ends), tuple(wrong))


def _command(recipe: Path, folder: Path, cluster: Cluster) -> subprocess.Popen[bytes]:
    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.tailored", str(recipe), "--storage", str(folder / "runs")],
            cwd=ROOT,
            env=cluster.environment | {"RAY_ADDRESS": cluster.address},
            stdout=log,
            stderr=log,
        )


def _kill(part: str, cluster: Cluster, driver: subprocess.Popen[bytes], chance: random.Random) -> str:
    """Kills the part, if it is there: "" when it is not, "cluster" when no node is left, else "part"."""
    if part == "driver":
        driver.kill()
    elif part == "worker node":
        cluster.lose_worker(chance)
        time.sleep(REPLACED_AFTER_S)
        cluster.add_worker()
    elif part in ("head", ALL):
        cluster.lose_all()
        return "cluster"
    else:
        found = cluster.parts(part)
        if not found:
            return ""
        try:
            chance.choice(found).send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return ""
    return "part"


def _phase(directory: RunDirectory) -> str:
    done = directory.finished()
    return f"after {done[-1].round} {done[-1].phase}" if done else "at the start"


def _last_words(log: Path) -> str:
    return " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-400:]


# What came of it -----------------------------------------------------------------------------------------------------


def _read(path: Path) -> list[Outcome]:
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        deaths = tuple(Death(**death) for death in row.pop("deaths"))
        ends, wrong = (tuple(row.pop(name)) for name in ("ends", "wrong"))
        found.append(Outcome(deaths=deaths, ends=ends, wrong=wrong, **row))
    return found


def _keep(outcome: Outcome, path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")


def _line(one: Outcome, whole_s: float) -> str:
    killed = ", ".join(f"{death.part} at {death.at_s:.0f} s ({death.phase})" for death in one.deaths)
    verdict = "; ".join(one.wrong) or "right"
    gave_up = "".join(f"\n     gave up: {words}" for words in one.ends)
    return f"{one.number:3d}  {killed}: {one.commands} commands, {one.seconds - whole_s:+.0f} s, {verdict}{gave_up}"


def _table(outcomes: Sequence[Outcome]) -> None:
    whole = statistics.median([one.seconds for one in outcomes if not one.deaths])
    runs = [one for one in outcomes if one.deaths]
    right = sum(not one.wrong for one in runs)
    print(f"\n{right} of {len(runs)} runs right; {sum(one.looks for one in runs)} looks at their files")
    print("\n| killed | runs | right | commands | seconds it cost (median, most) |\n|---|---|---|---|---|")
    for part in (*PARTS, ALL):
        of_part = [one for one in runs if one.deaths[0].part == part]
        if of_part:
            cost = sorted(one.seconds - whole for one in of_part if len(one.deaths) == 1)
            shown = f"{statistics.median(cost):.0f}, {cost[-1]:.0f}" if cost else "only together with others"
            commands = statistics.mean(one.commands for one in of_part)
            fine = sum(not one.wrong for one in of_part)
            print(f"| {part} | {len(of_part)} | {fine} | {commands:.1f} | {shown} |")


if __name__ == "__main__":
    main()
