"""Speed of grading: microseconds a completion, for every kind of answer, and Math-Verify on the same completions.

    python -m bench.grading [--data DIR] [--turns 7]

With DIR, the completions are those of its `recorded_teacher/*.jsonl`: once the answer alone, once the whole completion
(rationale, trigger, answer). Without, they are made here, of the same lengths. Reading, grading and comparing with the
gold answer are timed together. "typical" is the median over completions, each the fastest of all turns, so that another
process does not count; "mean" the median over turns of the mean. Math-Verify (parse and verify, its time limits off)
takes turns with ours on the numeric ones; "ratio" is its typical time to ours on the same completions.
"""

from __future__ import annotations

import argparse
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.refusals import count
from pipelines.grading.completions import GraderName, read_answered, task_of
from reasoning.grading.answers import is_right, judged_answer
from reasoning.grading.kinds import KINDS
from reasoning.records import AnswerKind

ANSWER, WHOLE = ("answer_completion",), ("rationale", "answer_trigger", "answer_completion")
PEER_COMPLETIONS = 100  # of each set: Math-Verify takes about a millisecond each


@dataclass(frozen=True, slots=True)
class Workload:
    """Completions of one kind: each with its gold answer and the options' texts."""

    name: str
    kind: AnswerKind
    items: tuple[tuple[str, str, tuple[str, ...]], ...]


def recorded(data: Path) -> list[Workload]:
    """The recorded answers of every task in `data`. Raises `DataError`."""
    loads = []
    for path in sorted((data / "recorded_teacher").glob("*.jsonl")):
        kind = task_of(path.stem).kind
        for part, fields in (("answer", ANSWER), ("whole", WHOLE)):
            lines = read_answered(path, task_of(path.stem), fields, GraderName.ROBUST)
            items = tuple((line.completion, line.gold, line.choices) for line in lines)
            loads.append(Workload(f"{path.stem}, {part}", kind, items))
    return loads


def made(count: int = 500, seed: int = 0) -> list[Workload]:
    """Completions of every kind, about as long as a teacher's: with an anchor, and numbers without one."""
    draw = random.Random(seed)
    steps = [f"She has {draw.randint(2, 99)} of them and then {draw.randint(2, 99)} more come." for _ in range(count)]
    golds: dict[AnswerKind, Callable[[], str]] = {
        AnswerKind.NUMBER: lambda: str(draw.randint(1, 2000)),
        AnswerKind.YES_NO: lambda: draw.choice(("yes", "no")),
        AnswerKind.CHOICE: lambda: draw.choice("ABC"),
        AnswerKind.TEXT: lambda: "".join(draw.choices("abcdefghij", k=4)),
    }
    choices = ("white ball", "blue ball", "red ball")
    loads = []
    for kind, gold in golds.items():
        rows = [(" ".join(draw.sample(steps, 6)), gold()) for _ in range(count)]
        shown = choices if KINDS[kind].has_options else ()
        anchored = tuple((f"{text}\nTherefore, the answer is {gold}.", gold, shown) for text, gold in rows)
        loads.append(Workload(f"{kind}, anchored", kind, anchored))
        if kind is AnswerKind.NUMBER:
            loose = tuple((f"{text} So there are {gold} in all.", gold, shown) for text, gold in rows)
            loads.append(Workload(f"{kind}, without an anchor", kind, loose))
    return loads


Grading = Callable[[str, str, tuple[str, ...]], bool]


def ours(kind: AnswerKind) -> Grading:
    return lambda text, gold, choices: is_right(judged_answer(text, kind, choices), gold, kind)


def math_verify(text: str, gold: str, choices: tuple[str, ...]) -> bool:
    from math_verify import parse, verify

    return verify(parse(gold, parsing_timeout=None), parse(text, parsing_timeout=None), timeout_seconds=None)


def typical_us(turns: Sequence[Sequence[int]]) -> float:
    """The median over completions of the fastest of their turns, given in nanoseconds."""
    return statistics.median(min(taken) for taken in zip(*turns, strict=True)) / 1000


def timed_ns(grading: Grading, load: Workload) -> list[int]:
    """Nanoseconds of each completion."""
    taken = []
    for text, gold, choices in load.items:
        start = time.perf_counter_ns()
        grading(text, gold, choices)
        taken.append(time.perf_counter_ns() - start)
    return taken


def measure(loads: Sequence[Workload], turns: int) -> None:
    print(f"{'completions':<34}{'n':>6}{'typical us':>12}{'mean us':>10}{'Math-Verify us':>16}{'ratio':>8}")
    for load in loads:
        grading = ours(load.kind)
        peer = Workload(load.name, load.kind, load.items[:PEER_COMPLETIONS])
        timed_ns(grading, load)
        taken, theirs = [], []
        for _ in range(turns):
            taken.append(timed_ns(grading, load))
            if load.kind is AnswerKind.NUMBER:
                theirs.append(timed_ns(math_verify, peer))
        mean = statistics.median(statistics.fmean(turn) for turn in taken) / 1000
        line = f"{load.name:<34}{len(load.items):>6}{typical_us(taken):>12.2f}{mean:>10.2f}"
        if theirs:
            ratio = typical_us(theirs) / typical_us([turn[:PEER_COMPLETIONS] for turn in taken])
            line += f"{typical_us(theirs):>16.0f}{ratio:>8.0f}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds recorded_teacher/")
    parser.add_argument("--turns", type=count, default=7)
    options = parser.parse_args()
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns once that its time limits are off
    loads = recorded(options.data) if options.data else made()
    if not loads:
        parser.error(f"no recorded_teacher/*.jsonl in {options.data}")
    measure(loads, options.turns)


if __name__ == "__main__":
    main()
