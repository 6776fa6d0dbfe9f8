"""What came of each run: kept as a line as soon as the run has ended, and shown as a table.

Owns: the file of results, and docs/reliability.md's table, which is made from it.

Invariants
- A line is never removed. A run that was wrong and is run again has two lines: the last one counts, the first is told.
- Runs up to number 0 lose nothing: the others are measured against their median.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Of a part, when it was there: seconds after the first command, from and to.
Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Death:
    """What was killed, how many seconds after the first command, and in which phase the run was."""

    part: str
    at_s: float
    phase: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. `sampler`: what its student was sampled with; `seconds`: from the first command to the end of the last
    one, without the start of clusters; `looks`: how often all its files were read; `ends`: the last words of each
    command that gave up by itself; `lives`: of a run that lost nothing, when each part was there."""

    number: int
    sampler: str
    deaths: tuple[Death, ...]
    commands: int
    seconds: float
    asked_again: int
    looks: int
    ends: tuple[str, ...]
    wrong: tuple[str, ...]
    lives: Mapping[str, Spans]

    @property
    def disturbed(self) -> bool:
        return self.number > 0


def keep(outcome: Outcome, path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome)) + "\n")


def read_all(path: Path) -> list[Outcome]:
    """Every line of the file, in order; none when it is not there."""
    return [_outcome(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def latest(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Of each run its last outcome, by number."""
    return sorted({one.number: one for one in outcomes}.values(), key=lambda one: one.number)


def undisturbed_s(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """The median time of the runs that lost nothing, by their sampler."""
    calm: dict[str, list[float]] = {}
    for one in outcomes:
        if not one.disturbed:
            calm.setdefault(one.sampler, []).append(one.seconds)
    return {sampler: statistics.median(times) for sampler, times in calm.items()}


def line(one: Outcome, whole_s: Mapping[str, float]) -> str:
    """One run in words."""
    verdict = "; ".join(one.wrong) or "right"
    gave_up = "".join(f"\n     gave up: {words}" for words in one.ends)
    cost = f"{one.seconds - whole_s[one.sampler]:+.0f} s"
    return f"{one.number:3d}  {_killed(one)}: {one.commands} commands, {cost}, {verdict}{gave_up}"


def table(outcomes: Sequence[Outcome], parts: Sequence[str]) -> str:
    """The table by what was killed first, the runs that lost two parts, and what was wrong before it was mended."""
    return "\n".join(_lines(outcomes, parts)) + "\n"


def _lines(outcomes: Sequence[Outcome], parts: Sequence[str]) -> Iterator[str]:
    last = latest(outcomes)
    calm, runs = [one for one in last if not one.disturbed], [one for one in last if one.disturbed]
    whole = undisturbed_s(last)
    undisturbed = ", ".join(f"{seconds:.0f} s with {sampler}" for sampler, seconds in sorted(whole.items()))
    right, looks = sum(not one.wrong for one in runs), sum(one.looks for one in runs)
    again = sum(one.asked_again for one in runs)
    yield f"{right} of {len(runs)} runs finished right; {again} journaled replies were asked for again. All their files"
    yield f"were read {looks:,} times while they ran. What a death cost is the time above that of {len(calm)} runs that"
    yield f"lost nothing (median {undisturbed})."
    yield ""
    yield "| killed | runs | right | with one command | seconds that one death cost (each run) | with a second death |"
    yield "|---|---|---|---|---|---|"
    for part in parts:
        found = [one for one in runs if one.deaths and one.deaths[0].part == part]
        if found:
            yield _row(part, found, whole)
    wrong = [one for one in outcomes if one.wrong]
    if wrong:
        yield ""
        yield "Wrong at first or still:"
        yield ""
        for one in wrong:
            now = "wrong still" if _by_number(last, one.number).wrong else "right when run again"
            yield f"- run {one.number} ({_killed(one)}), {now}: {'; '.join(one.wrong)}"


def _row(part: str, found: Sequence[Outcome], whole: Mapping[str, float]) -> str:
    cost = {one.number: round(one.seconds - whole[one.sampler]) for one in found}
    alone = sorted(cost[one.number] for one in found if len(one.deaths) == 1)
    twice = [f"{one.deaths[1].part}: {cost[one.number]}" for one in found if len(one.deaths) > 1]
    once = sum(one.commands == 1 for one in found)
    right = sum(not one.wrong for one in found)
    return f"| {part} | {len(found)} | {right} | {once} | {', '.join(map(str, alone))} | {', '.join(twice)} |"


def _by_number(outcomes: Sequence[Outcome], number: int) -> Outcome:
    return next(one for one in outcomes if one.number == number)


def _killed(one: Outcome) -> str:
    return ", ".join(f"{death.part} at {death.at_s:.0f} s ({death.phase})" for death in one.deaths) or "nothing"


def _outcome(text: str) -> Outcome:
    row = json.loads(text)
    deaths = tuple(Death(**death) for death in row.pop("deaths"))
    ends, wrong = (tuple(row.pop(name)) for name in ("ends", "wrong"))
    lives = {part: tuple((float(a), float(b)) for a, b in spans) for part, spans in row.pop("lives").items()}
    return Outcome(deaths=deaths, ends=ends, wrong=wrong, lives=lives, **row)
