"""Tracking shuffled objects, in the published wording: who holds what after some pairs have swapped.

Owns: contexts of our own in the published form, the parser (of ours and of the published ones), the steps and the
reader of one sentence. Source: the form of the BIG-bench task of that name with the answer choices worded as Kojima
et al. (2022) do; its contexts and item lists are not copied. Invariants: step 0 says who holds what at the start, step
i is the i-th swap, the last step the conclusion; the answer is the letter of a choice.
"""

from __future__ import annotations

import random
import re
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import combinations

from reasoning.grading.options import LETTERS
from reasoning.records import AnswerKind
from reasoning.tasks.families.family import Claim, Family, Solution, Step, Worked, mentions, one_line
from reasoning.tasks.families.names import distinct_names
from reasoning.tasks.families.shuffled_contexts import CONTEXTS

_MOST_OPTIONS = 10  # and as many people
_QUESTION = re.compile(r"(?P<story>.+?) (?:Which choice is true ?\? )?Answer Choices: (?P<choices>\(A\).+)")
_STORY = re.compile(r"(?P<players>[^.:]+?) are [^.]+\. [^.:]+: (?P<start>[^.]+)\. (?P<rest>.+)")
_END = re.compile(r"At the end of [^,.]+, (?P<rest>[^.]+)")
_SWAPS = re.compile(r"\b(?:swap|trade|switch|exchange)s?\b", re.IGNORECASE)
_BEFORE = re.compile(r"^before\b", re.IGNORECASE)
_CHOICE = re.compile(r"\bchoice \(?([A-Z])\b|\(([A-Z])\)")


@dataclass(frozen=True, slots=True)
class ShuffleProblem:
    """`held[i]` is what `players[i]` holds at the start; `swaps` are pairs of positions in `players`; `verb` is how
    the question says that somebody holds something ("has the")."""

    players: tuple[str, ...]
    held: tuple[str, ...]
    swaps: tuple[tuple[int, int], ...]
    asked: int
    verb: str
    choices: tuple[str, ...]

    def states(self) -> tuple[tuple[str, ...], ...]:
        """Who holds what at the start and after each swap."""
        states = [self.held]
        for pair in self.swaps:
            states.append(_swapped(states[-1], pair))
        return tuple(states)


class ShuffledObjects(Family[ShuffleProblem]):
    name = "tracking_shuffled_objects"
    answer_kind = AnswerKind.CHOICE

    def __init__(self, objects: int = 3, swaps: tuple[int, int] = (3, 3)) -> None:
        """`objects`: how many people and objects (3 to 5); `swaps`: fewest and most swaps."""
        if not 3 <= objects <= 5:
            raise ValueError(f"objects must be 3 to 5, not {objects}")
        self.objects = objects
        self.swaps = swaps

    def generate(self, rng: random.Random) -> tuple[str, str]:
        context = rng.choice(CONTEXTS)
        names = distinct_names(rng, 2 * self.objects)
        players = tuple(names[: self.objects])
        held = tuple(names[self.objects :]) if not context.items else tuple(rng.sample(context.items, self.objects))
        swaps: list[tuple[int, int]] = []
        for _ in range(rng.randint(*self.swaps)):
            first, second = rng.sample(range(self.objects), 2)
            while swaps and {first, second} == set(swaps[-1]):
                first, second = rng.sample(range(self.objects), 2)
            swaps.append((first, second))
        asked = rng.randrange(self.objects)
        choices = tuple(rng.sample(held, self.objects))
        problem = ShuffleProblem(players, held, tuple(swaps), asked, context.verb, choices)
        return context.question(players, held, tuple(swaps), asked, choices), _letter(problem, problem.states()[-1])

    def parse(self, question: str) -> ShuffleProblem | None:
        found = _QUESTION.fullmatch(one_line(question))
        story = _STORY.fullmatch(found["story"]) if found else None
        end = _END.search(story["rest"]) if story else None
        if found is None or story is None or end is None:
            return None
        players = tuple(re.split(r", and | and |, ", story["players"]))
        choices = tuple(part.strip().rstrip(".") for part in re.split(r"\([A-Z]\) ", found["choices"])[1:])
        held = _starting(players, choices, story["start"])
        asked = next((i for i, player in enumerate(players) if end["rest"].startswith(f"{player} ")), None)
        if held is None or asked is None:
            return None
        who = "|".join(re.escape(player) for player in sorted(players, key=len, reverse=True))
        pairs = re.findall(rf", ({who}) and ({who}) (?:swap|trade|switch|exchange)", story["rest"])
        swaps = tuple((players.index(first), players.index(second)) for first, second in pairs)
        return ShuffleProblem(players, held, swaps, asked, end["rest"][len(players[asked]) + 1 :], choices)

    def choices(self, question: str) -> tuple[str, ...]:
        problem = self.parse(question)
        return problem.choices if problem else ()

    def work_out(self, problem: ShuffleProblem) -> Solution:
        states = problem.states()
        return _told(problem, states, _letter(problem, states[-1]))

    def read(self, problem: ShuffleProblem, sentence: str, done: frozenset[int]) -> Claim | None:
        last = len(problem.swaps) + 1
        following = next((step for step in range(1, last) if step not in done), last)
        current = following - 1
        said = _CHOICE.search(sentence)
        if said or sentence.startswith(("At the end", "In the end")):
            return self._read_end(problem, sentence, (said[1] or said[2]) if said else None)
        if _BEFORE.search(sentence):
            fault = self._wrong_holder(problem, sentence, current, "Before this swap")
            return Claim(min(following, last), fault, finishes=False)
        players = mentions(sentence, problem.players)
        if _SWAPS.search(sentence) and len(players) >= 2:
            return self._read_swap(problem, sentence, players, following)
        if not mentions(sentence, problem.held):
            return None
        when = "At the start" if current == 0 else "After this swap"
        fault = self._wrong_holder(problem, sentence, current, when)
        return Claim(current, fault, finishes=current == 0)

    def corrupted(self, problem: ShuffleProblem, rng: random.Random) -> Worked:
        """One swap is left out or done with the wrong person, and the rest follows from there."""
        candidates = []
        for step, pair in enumerate(problem.swaps, 1):
            before = problem.states()[step - 1]
            slips = [before] + [
                _swapped(before, other)
                for other in combinations(range(len(problem.players)), 2)
                if set(other) != set(pair) and set(other) & set(pair)
            ]
            for slip in slips:
                states = [*problem.states()[:step], slip]
                for later in problem.swaps[step:]:
                    states.append(_swapped(states[-1], later))
                if states[-1][problem.asked] != problem.states()[-1][problem.asked]:
                    candidates.append((step, tuple(states)))
        if candidates:
            wrong, told = rng.choice(candidates)
            letter = _letter(problem, told[-1])
        else:
            wrong, told = len(problem.swaps) + 1, problem.states()
            right = _letter(problem, told[-1])
            letter = rng.choice([other for other in LETTERS[: len(problem.choices)] if other != right])
        solution = _told(problem, told, letter)
        return Worked(" ".join(rng.choice(step.wordings) for step in solution.steps), letter, wrong)

    def concluded(self, problem: ShuffleProblem, text: str) -> str | None:
        found = _CHOICE.findall(text)
        return found[-1][0] or found[-1][1] if found else None

    def kind_of_step(self, problem: ShuffleProblem, step: int) -> Hashable:
        """A swap with or without the one who is asked about, of none, one or two people who have swapped before."""
        if not 1 <= step <= len(problem.swaps):
            return "start" if step == 0 else "conclusion"
        pair = set(problem.swaps[step - 1])
        moved = {position for earlier in problem.swaps[: step - 1] for position in earlier}
        return problem.asked in pair, len(pair & moved)

    def _read_swap(self, problem: ShuffleProblem, sentence: str, players: list[str], following: int) -> Claim:
        last = len(problem.swaps)
        if following > last:
            return Claim(last + 1, f"There are only {last} swaps.")
        first, second = (problem.players[position] for position in problem.swaps[following - 1])
        if set(players[:2]) != {first, second}:
            return Claim(following, f"Swap {following} is between {first} and {second}.")
        fault = self._wrong_holder(problem, sentence, following, f"After {first} and {second} swap")
        return Claim(following, fault)

    def _read_end(self, problem: ShuffleProblem, sentence: str, letter: str | None) -> Claim:
        last = len(problem.swaps) + 1
        fault = self._wrong_holder(problem, sentence, last - 1, "At the end")
        right = _letter(problem, problem.states()[-1])
        if not fault and letter is not None and letter != right:
            holding = problem.states()[-1][problem.asked]
            fault = (
                f"{problem.players[problem.asked]} {problem.verb} {holding}, and that is choice {right}, not {letter}."
            )
        return Claim(last, fault)

    def _wrong_holder(self, problem: ShuffleProblem, sentence: str, state: int, when: str) -> str:
        """The first "player ... object" of a sentence that is not so in that state, as a correction ("" if none)."""
        true = dict(zip(problem.players, problem.states()[min(state, len(problem.swaps))], strict=True))
        player = ""
        for word in mentions(sentence, (*problem.players, *problem.held)):
            if word in true:
                player = word
            elif player and true[player] != word:
                article = "the " if problem.verb.endswith(" the") else ""
                return f"{when}, {player} {problem.verb} {true[player]}, not {article}{word}."
        return ""


def _swapped(state: tuple[str, ...], pair: tuple[int, int]) -> tuple[str, ...]:
    first, second = pair
    held = list(state)
    held[first], held[second] = held[second], held[first]
    return tuple(held)


def _letter(problem: ShuffleProblem, state: tuple[str, ...]) -> str:
    return LETTERS[problem.choices.index(state[problem.asked])]


def _starting(players: tuple[str, ...], choices: tuple[str, ...], start: str) -> tuple[str, ...] | None:
    """Who holds what at the start, read from its list; None unless every player holds exactly one of the choices."""
    if len(set(players)) != len(players) or not len(players) == len(set(choices)) <= _MOST_OPTIONS:
        return None
    held: dict[str, str] = {}
    for part in re.split(r", and |, ", start):
        player = next((name for name in players if part.startswith(f"{name} ")), None)
        item = max((choice for choice in choices if part.endswith(f" {choice}")), key=len, default=None)
        if player is None or item is None:
            return None
        held[player] = item
    complete = set(held) == set(players) and set(held.values()) == set(choices)
    return tuple(held[player] for player in players) if complete else None


def _told(problem: ShuffleProblem, states: tuple[tuple[str, ...], ...], letter: str) -> Solution:
    """The solution with the given states (the true ones, or those of a wrong solution followed through)."""
    players, verb = problem.players, problem.verb
    holds = [f"{player} {verb} {item}" for player, item in zip(players, states[0], strict=True)]
    opening = f"{', '.join(holds[:-1])}, and {holds[-1]}."
    steps = [
        Step(
            (opening, f"At the start {opening}"),
            tuple(f"At the start {part}." for part in holds),
            "of the start",
            optional=True,
        )
    ]
    for index, (first, second) in enumerate(problem.swaps, 1):
        steps.append(_swap_step(problem, states[index - 1], states[index], first, second, index))
    asked, item = players[problem.asked], states[-1][problem.asked]
    end = (
        f"At the end {asked} {verb} {item}, choice {letter}.",
        f"In the end {asked} {verb} {item}, which is choice {letter}.",
    )
    small = (
        f"At the end {asked} {verb} {item}.",
        *(f"Choice {choice} is {option}." for choice, option in zip(LETTERS, problem.choices, strict=False)),
        f"So the answer is choice {letter}.",
    )
    steps.append(Step(end, small, "of the conclusion", tuple(range(len(steps))), optional=True))
    return Solution(tuple(steps), letter)


def _swap_step(
    problem: ShuffleProblem, before: tuple[str, ...], after: tuple[str, ...], first: int, second: int, index: int
) -> Step:
    players, verb = problem.players, problem.verb
    one, other = players[first], players[second]
    wordings = (
        f"{one} and {other} swap, so {one} {verb} {after[first]} and {other} {verb} {after[second]}.",
        f"{one} and {other} swap: {one} {verb} {after[first]}, {other} {verb} {after[second]}.",
        f"Then {one} and {other} swap, and now {one} {verb} {after[first]} and {other} {verb} {after[second]}.",
    )
    rest = [i for i in range(len(players)) if i not in (first, second)]
    smaller = (
        f"Before the swap, {one} {verb} {before[first]}.",
        f"Before the swap, {other} {verb} {before[second]}.",
        f"{one} and {other} swap.",
        f"Now {one} {verb} {after[first]}.",
        f"Now {other} {verb} {after[second]}.",
        *(f"As before, {players[i]} {verb} {after[i]}." for i in rest),
    )
    return Step(wordings, smaller, f"of the swap of {one} and {other}", tuple(range(index)))
