"""Runs side by side: `tailor report A B`, one page about several runs of one task.

Owns: what is compared. Accuracies with their intervals; what of the recipes differs; and, as two runs that answered the
same questions say more than two intervals, on how many of these only one of them is right, with the exact test of
McNemar.

Invariant: the first run is the one that the others are compared with; each student is the one that its run's validation
chose.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from pipelines.report.document import RunDocument
from pipelines.report.gallery import Card, Gallery, gallery
from pipelines.report.page import COLOURS, drawn, write_page
from pipelines.report.transcripts import attempt_passage, of_split, question_of
from reasoning.recipe.tailored import RunRecipe
from reasoning.records import Attempt, Problem, Split, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the runs: what it came to, its recipe, and the held-out attempts of its best student."""

    document: RunDocument
    recipe: RunRecipe
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Pair:
    """The questions that two runs both answered. `p` is the chance of a difference of at least this size in who alone
    is right, if both were equally good (exact test of McNemar, two-sided)."""

    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float


@dataclass(frozen=True, slots=True)
class KeyInRecipes:
    """A recipe's key that differs, with its value in each run, as text."""

    path: str
    values: Sequence[str]


def write_comparison(path: Path, runs: Sequence[Compared], problems: Mapping[str, Problem]) -> list[Pair]:
    """Writes the page about two runs or more, and returns what was compared question by question."""
    letters = [ascii_uppercase[number % 26] + "'" * (number // 26) for number in range(len(runs))]
    tests = [of_split(run.attempts, problems, Split.TEST) for run in runs]
    right = [{one.problem_id: one.verdict is Verdict.CORRECT for one in test} for test in tests]
    pairs = [pair(letters[0], right[0], letter, other) for letter, other in zip(letters[1:], right[1:], strict=True)]
    shown = _gallery(letters, tests, problems)
    caption = "Test accuracy by round or degree, with 95 % intervals"
    write_page(
        path,
        "comparison.html.jinja",
        rows=list(zip(letters, runs, strict=True)),
        letters=letters,
        pairs=[one for one in pairs if one.both + one.only_first + one.only_second + one.neither],
        differences=differences([run.recipe for run in runs]),
        plots=[drawn(caption, lambda axes: _accuracies(axes, letters, runs))],
        galleries=[shown] if shown is not None else [],
        questions_known=bool(problems),
    )
    return pairs


def pair(first: str, right: Mapping[str, bool], second: str, other: Mapping[str, bool]) -> Pair:
    """Compares who is right on the questions that both have answered."""
    counts = Counter((right[id], other[id]) for id in right if id in other)
    return Pair(
        first,
        second,
        counts[True, True],
        counts[True, False],
        counts[False, True],
        counts[False, False],
        mcnemar(counts[True, False], counts[False, True]),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided probability of a split at least this uneven, if each side were as likely as the other."""
    n, least = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(least + 1)) / 2**n
    return min(1.0, 2 * tail)


def differences(recipes: Sequence[RunRecipe]) -> list[KeyInRecipes]:
    """What differs between the first recipe and any of the others, in what makes a run the run it is."""
    first, *others = recipes
    if any(type(other) is not type(first) for other in others):
        return [KeyInRecipes("kind of run", [type(recipe).__name__ for recipe in recipes])]
    paths = dict.fromkeys(path for other in others for path in first.differences(other))
    return [KeyInRecipes(path, [_value(recipe, path) for recipe in recipes]) for path in paths]


def _value(recipe: RunRecipe, path: str) -> str:
    value: Any = recipe.model_dump(mode="json")
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "–" if value is None else str(value)[:200]


def _accuracies(axes: Axes, letters: Sequence[str], runs: Sequence[Compared]) -> None:
    from matplotlib.ticker import MaxNLocator

    for number, (letter, run) in enumerate(zip(letters, runs, strict=True)):
        students = run.document.students
        places = [student.number + 0.05 * number for student in students]
        values = [100 * student.test_accuracy for student in students]
        low = [100 * (student.test_accuracy - student.test_low) for student in students]
        high = [100 * (student.test_high - student.test_accuracy) for student in students]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(places, values, yerr=[low, high], color=colour, marker="o", capsize=3, label=letter)
    axes.set(xlabel="round, or degree", ylabel="accuracy, %", ylim=(0, 100))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)


def _gallery(
    letters: Sequence[str], tests: Sequence[Sequence[Attempt]], problems: Mapping[str, Problem]
) -> Gallery | None:
    """The test questions on which the runs do not agree."""
    said = [{one.problem_id: one for one in test} for test in tests]
    cards = []
    for id in said[0]:
        found = {letter: own[id] for letter, own in zip(letters, said, strict=True) if id in own}
        right = [letter for letter, one in found.items() if one.verdict is Verdict.CORRECT]
        if len(found) < 2 or len(right) in (0, len(found)):
            continue
        question, gold = question_of(id, problems)
        cards.append(
            Card(
                question,
                gold,
                {"right": f"{' and '.join(right)} right"},
                [attempt_passage(letter, one) for letter, one in found.items()],
            )
        )
    if not cards:
        return None
    lead = "Test questions that at least one of the runs answers right and at least one does not."
    return gallery("disagreements", "Where they do not agree", lead, {"right": "Who is right"}, cards)
