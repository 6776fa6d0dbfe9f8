"""Runs that lose one of their parts at a random moment, and whether each still ends as it should.

    python -m bench.chaos [--runs 30] [--seed 0] [--out chaos.jsonl] [--only PART ...]
    python -m bench.chaos --out chaos.jsonl --again 7       # one run once more, with the same draws
    python -m bench.chaos --out chaos.jsonl --table

Every run is a small quickstart on a cluster of its own on this machine: a head that does no work, two worker nodes.
Round 0 is done once for all of them; each does round 1: exam, feedback, selection, training, evaluation. Its teacher
is outside of the cluster, an imitation of a paid API that writes down what it is asked.
One part of it is killed with SIGKILL at a random moment of its life, in a third of the runs a second one, too. A run
that ends for it is started again with the same command. A lost node is replaced after some seconds, and a lost head by
a new cluster, while the old one's workers go on until they notice.

Printed for each run: what was killed and when, how often the command was given, how long it was after each death until
the first new work was done, and what is wrong. A run is right when it finished, every missed question has its feedback
or a typed failure, no reply in the journal was asked for again, and every file could be read at every moment. Runs that
are in the file of `--out` already are not repeated. What a wrong run left (its folder, its logs and its cluster's) is
kept beside that file, in a folder of its name with `.kept`.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.chaos.moments import PARTS, moment, victims
from bench.chaos.one_run import begin, one_run, sampler_of
from bench.chaos.outcomes import Outcome, keep, latest, line, read_all, table
from bench.refusals import count_or_none

TRIES = 3  # of a run that was over before a part was there to be killed


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill parts of runs at random moments, and see whether they finish.")
    parser.add_argument("--runs", type=count_or_none, default=30)
    parser.add_argument(
        "--calm", type=count_or_none, default=5, help="runs that lose nothing, to measure the others against"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("chaos.jsonl"), help="one line a run; runs in it are kept")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="kill these parts and no others")
    parser.add_argument("--again", nargs="+", type=int, default=[], help="run these numbers again")
    parser.add_argument("--most", type=count_or_none, help="do so many runs of what is left")
    parser.add_argument("--table", action="store_true", help="print the table of what is in the file")
    options = parser.parse_args()
    if not options.table:
        for number in list(_left(options))[: options.most]:
            outcome = _run(number, options)
            keep(outcome, options.out)
            print(line(outcome), flush=True)
    found = read_all(options.out)
    print(table(found, PARTS), end="")
    sys.exit(any(one.wrong for one in latest(found)))


def _left(options: argparse.Namespace) -> Iterator[int]:
    if options.again:
        yield from options.again
        return
    known = {one.number for one in read_all(options.out)}
    yield from (number for number in (*range(1 - options.calm, 1), *range(1, options.runs + 1)) if number not in known)


def _run(number: int, options: argparse.Namespace) -> Outcome:
    kept, begun = options.out.with_suffix(".kept") / str(number), options.out.with_suffix(".begun")
    if not begun.exists():
        begin(begun)
    if number <= 0:
        return one_run(number, (), random.Random(options.seed), kept, begun)
    chance = random.Random(f"{options.seed} {number}")
    parts = victims(number, tuple(options.only or PARTS), chance)
    sampler = sampler_of(number, parts)
    calm = [one for one in latest(read_all(options.out)) if one.number <= 0 and one.sampler == sampler]
    if not calm:
        sys.exit(f"run {number}: no run with {sampler} that lost nothing is in {options.out}; --calm 5 has them first")
    lives = chance.choice(calm).lives
    for _ in range(TRIES):
        plan = sorted((moment(lives[part], chance), part) for part in parts)
        outcome = one_run(number, plan, chance, kept, begun)
        if len(outcome.deaths) == len(parts) or outcome.wrong:
            return outcome
        lives = outcome.lives or lives  # of a run that was faster than the undisturbed one
    return dataclasses.replace(outcome, wrong=("a part was never there to be killed",))


if __name__ == "__main__":
    main()
