"""What the ladder did: for every rung, how many questions it helped, what that cost, and whether it helped.

Owns: the sums over the rounds of a run with `learning.help: ladder`.

Invariants
- A question counts as right one round later when more than half of its attempts in the very next exam are right. One
  that this exam does not ask counts neither way, and neither does the last round, which no exam follows.
- Dollars are tokens at the teacher's price (that of batches, where it is asked in such), without the discount for
  cached prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasoning.estimate.sums import Rates, rates_of
from reasoning.estimate.teachers import endpoints_of
from reasoning.files.tables import read_table
from reasoning.recipe.tailored import Recipe
from reasoning.records import Attempt
from reasoning.rounds.directory import RunDirectory
from reasoning.rounds.ladder.history import Help, by_question, result_of
from reasoning.rounds.ladder.policy import ASKED, HELPED, Result, Rung
from reasoning.rounds.phase_order import Phase, PhaseRecord
from reasoning.rounds.requests import Ask
from reasoning.teacher.prices import PriceError


@dataclass(frozen=True, slots=True)
class RungRow:
    """One rung over all rounds.

    `beyond` are questions that no help reached, for the budget or a failure; `again` of the others were asked in the
    next exam, and `right` of those were right then. `before` and `after` are their shares of right attempts. Dollars
    are None without a price."""

    name: str
    questions: int
    beyond: int
    kept: int
    tokens: int
    dollars: float | None
    again: int
    right: int
    before: float | None
    after: float | None


def rung_rows(directory: RunDirectory, records: Sequence[PhaseRecord]) -> list[RungRow]:
    """A row for each rung that a question stood on; none for a run without a ladder."""
    helps: list[Help] = []
    later: dict[int, dict[str, Result]] = {}
    for record in records:
        files = directory.round(record.round)
        if record.phase is Phase.FEEDBACK and files.help.exists():
            helps += read_table(files.help, Help)
        elif record.phase is Phase.EXAM and files.exam.exists():
            exam = by_question(read_table(files.exam, Attempt))
            later[record.round - 1] = {id: result_of(attempts) for id, attempts in exam.items()}
    if not helps:
        return []
    recipe = directory.recipe()
    return [_row(rung, mine, later, recipe) for rung in Rung if (mine := [one for one in helps if one.rung is rung])]


def _row(rung: Rung, helps: Sequence[Help], later: dict[int, dict[str, Result]], recipe: Recipe) -> RungRow:
    reached = [one for one in helps if one.reached]
    pairs = [(one, after) for one in reached if (after := later.get(one.round, {}).get(one.problem_id)) is not None]
    prompts, completions = (sum(getattr(one, f"{part}_tokens") for one in helps) for part in ("prompt", "completion"))
    rates = _rates(recipe, rung) if rung in ASKED else None
    cost = (prompts * rates.expected.input + completions * rates.expected.output) / 1e6 if rates else None
    return RungRow(
        name=HELPED[rung],
        questions=len(reached),
        beyond=len(helps) - len(reached),
        kept=sum(one.kept for one in helps),
        tokens=prompts + completions,
        dollars=cost if rung in ASKED else 0.0,
        again=len(pairs),
        right=sum(after.share > 0.5 for _, after in pairs),
        before=_share([Result(one.round, one.right, one.attempts) for one, _ in pairs]),
        after=_share([after for _, after in pairs]),
    )


def _rates(recipe: Recipe, rung: Rung) -> Rates | None:
    try:
        return rates_of(endpoints_of(recipe, Ask.RATIONALES if rung is Rung.PLAIN else Ask.FEEDBACK))
    except PriceError:  # the table of prices is gone: the tokens are known all the same
        return None


def _share(results: Sequence[Result]) -> float | None:
    attempts = sum(result.attempts for result in results)
    return sum(result.right for result in results) / attempts if attempts else None
