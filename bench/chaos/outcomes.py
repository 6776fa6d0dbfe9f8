"""What came of each run: kept as a line as soon as the run has ended, and shown as a table.

Owns: the file of results, and docs/reliability.md's table, which is made from it.

Invariants
- A line is never removed. A run that was wrong and is run again has two lines: the last one counts, the first is told.
- Runs up to number 0 lose nothing: they say what is usual.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

# Of a part, when it was there: seconds after the first command, from and to.
Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Death:
    """What was killed, how many seconds after the first command, in which phase the run was, and how many seconds later
    the first new work was done (None: not measured)."""

    part: str
    at_s: float
    phase: str
    stood_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. `sampler`: what its student was sampled with; `seconds`: from the first command to the end of the last
    one, without the start of clusters; `looks`: how often all its files were read; `ends`: the last words of each
    command that gave up by itself; `start_s`: from the first command to the first work. Of a run that lost nothing,
    `lives`: when each part was there; `waits`: how long the next work is away, by phase (`standstill.waits`)."""

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
    start_s: float = 0.0
    waits: Mapping[str, float] = field(default_factory=dict)

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


def line(one: Outcome) -> str:
    """One run in words."""
    verdict = "; ".join(one.wrong) or "right"
    gave_up = "".join(f"\n     gave up: {words}" for words in one.ends)
    stood = ", ".join(_stood(death, one) for death in one.deaths) or "-"
    return f"{one.number:3d}  {_killed(one)}: {one.commands} commands, stood still for {stood}, {verdict}{gave_up}"


def table(outcomes: Sequence[Outcome], parts: Sequence[str]) -> str:
    """The table by what was killed, and what was wrong before it was mended."""
    return "\n".join(_lines(outcomes, parts)) + "\n"


def _lines(outcomes: Sequence[Outcome], parts: Sequence[str]) -> Iterator[str]:
    last = latest(outcomes)
    calm, runs = [one for one in last if not one.disturbed], [one for one in last if one.disturbed]
    right, looks = sum(not one.wrong for one in runs), sum(one.looks for one in runs)
    again = sum(one.asked_again for one in runs)
    yield f"{right} of {len(runs)} runs finished right; {again} journaled replies were asked for again. All their files"
    yield f"were read {looks:,} times while they ran. A death's cost is the time to the first new work after it, in the"
    yield "starts of the same run (one is from its first command to its first work; in brackets: seconds). Beside it is"
    yield f"what that time is at any moment of the same phase in the {len(calm)} runs that lost nothing."
    yield ""
    yield "| killed | runs | right | with one command | starts that each death cost | where nothing is lost |"
    yield "|---|---|---|---|---|---|"
    for part in parts:
        found = [one for one in runs if any(death.part == part for death in one.deaths)]
        if found:
            yield _row(part, found, calm)
    wrong = [one for one in outcomes if one.wrong]
    if wrong:
        yield ""
        yield "Wrong at first or still:"
        yield ""
        for one in wrong:
            now = "wrong still" if _by_number(last, one.number).wrong else "right when run again"
            yield f"- run {one.number} ({_killed(one)}), {now}: {'; '.join(one.wrong)}"


def _row(part: str, found: Sequence[Outcome], calm: Sequence[Outcome]) -> str:
    deaths = [(death, one) for one in found for death in one.deaths if death.part == part]
    cost = ", ".join(_stood(death, one) for death, one in deaths)
    usual = ", ".join(_usual(death, one, calm) for death, one in deaths)
    once = sum(one.commands == 1 for one in found)
    right = sum(not one.wrong for one in found)
    return f"| {part} | {len(found)} | {right} | {once} | {cost} | {usual} |"


def _stood(death: Death, one: Outcome) -> str:
    """How long a run stood still after a death; "-" where that was not measured."""
    if death.stood_s is None or not one.start_s:
        return "-"
    return f"{death.stood_s / one.start_s:.1f} ({death.stood_s:.0f} s)"


def _usual(death: Death, one: Outcome, calm: Sequence[Outcome]) -> str:
    """How long the next work is away in the phase of a death where nothing is lost, in the starts of those runs."""
    phase = death.phase.rpartition(" ")[2] if death.phase.startswith("after 1 ") else ""
    known = [c.waits[phase] / c.start_s for c in calm if c.sampler == one.sampler and c.start_s and phase in c.waits]
    return f"{statistics.median(known):.1f}" if known else "-"


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
