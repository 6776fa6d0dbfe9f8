"""What cells say, as Markdown: the arms beside one another, and what a rationale costs in tokens."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean

from bench.ablation.arms import REFERENCE, Arm
from bench.ablation.cells import Budget, Cell
from reasoning.grading.intervals import mean_interval, mean_is_zero
from reasoning.offline.teacher import OfflineTeacher
from reasoning.offline.word_tokens import count_tokens
from reasoning.prompts.student_forms import student_completion
from reasoning.prompts.teacher_prompts import teacher_prompt
from reasoning.records import Mistake, Problem, Split
from reasoning.tasks.families import FAMILIES, problems


def table(arms: Sequence[Arm], cells: Sequence[Cell], budget: Budget, reference: str = REFERENCE) -> str:
    """The results as Markdown: mean and 95 % interval over seeds, and the difference to the arm `reference`, paired by
    seed, with the p-value of a paired t-test; of how many seeds, where either arm has others."""
    other = {cell.seed: cell.accuracy[-1] for cell in cells if cell.arm == reference}
    lines = [
        f"| arm | what it is | seeds | test accuracy % | 95 % interval | against {reference}, points | 95 % interval "
        "| p | $ | teacher tokens | its rationales | own | sampled tokens | trained tokens | steps |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        mine = {cell.seed: cell for cell in cells if cell.arm == arm.name}
        if not mine:
            continue
        accuracies = [100 * cell.accuracy[-1] for cell in mine.values()]
        reached = {seed: cell.accuracy[-1] for seed, cell in mine.items()}
        against = _compared(reached, other if arm.name != reference else {})
        dollars = mean(budget.cost(cell.prompts, cell.completions) for cell in mine.values())
        tokens = mean(cell.prompts + cell.completions for cell in mine.values())
        counted = " | ".join(
            f"{mean(getattr(cell, name) for cell in mine.values()):,.0f}"
            for name in ("kept", "own", "sampled", "trained", "steps")
        )
        lines.append(
            f"| {arm.name} | {arm.says} | {len(mine)} | {mean(accuracies):.1f} | {_bounds(accuracies)} | {against} "
            f"| {dollars:.4f} | {tokens:,.0f} | {counted} |"
        )
    return "\n".join(lines)


def by_round(arms: Sequence[Arm], cells: Sequence[Cell]) -> str:
    """As Markdown: arms that learn in rounds, after each, and what the rounds since the first have brought, seed by
    seed. Where all the budget is spent in round 0, that is what Fine-tune-CoT brings for as much."""
    lines = [
        "| arm | after round | seeds | test accuracy % | 95 % interval | against round 0, points | 95 % interval | p |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        mine = [cell for cell in cells if cell.arm == arm.name and len(cell.accuracy) > 1]
        for place in range(max((len(cell.accuracy) for cell in mine), default=0)):
            reached = {cell.seed: cell.accuracy for cell in mine if len(cell.accuracy) > place}
            accuracies = [100 * accuracy[place] for accuracy in reached.values()]
            at, first = ({seed: accuracy[n] for seed, accuracy in reached.items()} for n in (place, 0))
            against = _compared(at, first if place else {})
            by_mean = f"{mean(accuracies):.1f} | {_bounds(accuracies)}"
            lines.append(f"| {arm.name} | {place} | {len(reached)} | {by_mean} | {against} |")
    return "\n".join(lines)


def over_budgets(arms: Sequence[Arm], found: Mapping[Budget, Sequence[Cell]], reference: str = REFERENCE) -> str:
    """As Markdown: every arm at every budget, beside the arm `reference` at the largest, paired by seed, and the budget
    at which the arm's mean comes to that one's (between two budgets, along a line)."""
    budgets = sorted(found, key=lambda budget: budget.amount)
    largest = budgets[-1]
    full = {cell.seed: cell.accuracy[-1] for cell in found[largest] if cell.arm == reference}
    aim = f"{100 * mean(full.values()):.1f} %" if full else "what it has"
    lines = [
        f"| arm | budget | seeds | test accuracy % | 95 % interval | against {reference} for {largest.name}, points "
        f"| 95 % interval | p | comes to {aim} for |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        means: list[tuple[float, float]] = []
        rows = []
        for budget in budgets:
            mine = {cell.seed: cell.accuracy[-1] for cell in found[budget] if cell.arm == arm.name}
            if not mine:
                continue
            accuracies = [100 * accuracy for accuracy in mine.values()]
            against = _compared(mine, full if (arm.name, budget) != (reference, largest) else {})
            means.append((budget.amount, mean(mine.values())))
            rows.append(
                f"| {arm.name} | {budget.name} | {len(mine)} | {mean(accuracies):.1f} | {_bounds(accuracies)} "
                f"| {against} |"
            )
        needed = _needed(means, mean(full.values()), largest) if full and means else "–"
        lines += [f"{row} {needed if number == len(rows) - 1 else ''} |" for number, row in enumerate(rows)]
    return "\n".join(lines)


def _needed(means: Sequence[tuple[float, float]], aim: float, unit: Budget) -> str:
    """The budget at which a line through `means` (budget, accuracy) first comes to `aim`, in words."""
    if means[0][1] >= aim:
        return f"{unit.told(means[0][0])} or less"
    for (low, below), (high, above) in pairwise(means):
        if above >= aim:
            return unit.told(low + (high - low) * (aim - below) / (above - below))
    return f"more than {unit.told(means[-1][0])}"


def tokens_a_rationale(sizes: Sequence[int] = (1, 2, 4, 8), count: int = 240) -> str:
    """As Markdown: the offline teacher's tokens for each rationale, alone and so many in a request, on coin-flip
    questions; for tailored ones the student has made one wrong step in each."""
    lines = [
        "| prompt | questions in a request | prompt | completion | in all | at 1 : 4 |",
        "|---|---|---|---|---|---|",
    ]
    asked = _mistakes(count)
    rows = [(kind if not k else f"{kind}_shared", k) for kind in ("plain", "tailored") for k in (0, *sizes)]
    for name, k in [*rows, *((kind, k) for kind in ("first_wrong_step", "continuing") for k in sizes)]:
        words = teacher_prompt(name)
        prompts = completions = 0
        for start in range(0, count, max(k, 1)):
            group = asked[start : start + max(k, 1)]
            messages = words.together(group) if k > 1 else words.first(*group[0])
            content = messages[-1][1]
            (text,) = OfflineTeacher().complete(content, 1, 0.7, 0)
            prompts, completions = prompts + count_tokens(content), completions + count_tokens(text)
        each = [
            prompts / count,
            completions / count,
            (prompts + completions) / count,
            (prompts + 4 * completions) / count,
        ]
        told = " | ".join(f"{tokens:.0f}" for tokens in each)
        lines.append(f"| `{name}` | {k or 1} | {told} |")
    return "\n".join(lines)


def _mistakes(count: int) -> list[tuple[Problem, Mistake]]:
    family = FAMILIES["coin_flip"]
    asked = []
    for problem in problems(family, 0, Split.TRAIN, count):
        worked = family.corrupt(problem.question, random.Random(problem.id))
        asked.append((problem, Mistake(problem.id, 1, student_completion(worked.text, worked.answer).strip(), "")))
    return asked


def _compared(mine: Mapping[int, float], other: Mapping[int, float]) -> str:
    """Three columns: the mean of paired differences of two arms' accuracies (by seed) in points, its interval and its
    p-value; dashes where they have no seed in common."""
    differences = [100 * (mine[seed] - other[seed]) for seed in mine if seed in other]
    if not differences:
        return "– | – | –"
    pairs = len(differences)
    told = "" if pairs == len(mine) == len(other) else f" ({pairs} {'seed' if pairs == 1 else 'seeds'} in common)"
    return f"{mean(differences):+.1f}{told} | {_bounds(differences)} | {_chance(differences)}"


def _chance(differences: Sequence[float]) -> str:
    """The p-value of a paired t-test, two-sided."""
    if len(differences) < 2:
        return "–"
    chance = mean_is_zero(differences)
    return f"{chance:.4f}" if chance >= 0.0001 else "< 0.0001"


def _bounds(values: Sequence[float]) -> str:
    interval = mean_interval(values)
    return f"{interval.low:.1f} – {interval.high:.1f}" if len(values) > 1 else "one seed"
