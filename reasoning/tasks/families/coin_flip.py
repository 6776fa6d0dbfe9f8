"""Coin flip, in the published wording: which side is up after some people flip a coin and others do not.

Owns: the wording, the parser, the steps and the reader of one sentence. Source: the task of Wei et al. (2022) in the
form of Kojima et al. (2022). Invariant: the only state is the side that is up; step 0 is the opening, step i the i-th
person, the last step the conclusion.
"""

from __future__ import annotations

import random
import re
from collections.abc import Hashable
from dataclasses import dataclass

from reasoning.records import AnswerKind
from reasoning.tasks.families.family import Claim, Family, Solution, Step, Worked, mentions, one_line
from reasoning.tasks.families.names import distinct_names

_QUESTION = re.compile(
    r"A coin is (?P<side>heads|tails) up\. (?P<acts>.+?) Is the coin still (?P=side) up\?"
    r"(?: Note that [\"“]flip[\"”] here means [\"“]reverse[\"”]\.?)?"
)
_ACT = re.compile(r"(?P<name>[^.]+?) (?P<act>flips|does not flip) the coin\.(?: |$)")
_SIDE = re.compile(r"\b(heads|tails)\b", re.IGNORECASE)
_LEAVES = re.compile(r"\b(?:not flip|n't flip|leaves?|not touch)", re.IGNORECASE)
_FLIPS = re.compile(r"\bflips?\b|\breverses?\b", re.IGNORECASE)
_BEFORE = re.compile(r"^before\b", re.IGNORECASE)
_RULE = re.compile(r"^a flip\b", re.IGNORECASE)
_START = re.compile(r"\bat (?:the start|first)\b", re.IGNORECASE)
_END = re.compile(r"^so the coin|in the end|\bends\b|\bfinal", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CoinProblem:
    """The side that is up at first, and who flips (True) or does not, in order."""

    side: str
    acts: tuple[tuple[str, bool], ...]

    def sides(self) -> tuple[str, ...]:
        """The side that is up at the start and after each person."""
        sides = [self.side]
        for _, flips in self.acts:
            sides.append(_other(sides[-1]) if flips else sides[-1])
        return tuple(sides)


class CoinFlip(Family[CoinProblem]):
    name = "coin_flip"
    answer_kind = AnswerKind.YES_NO

    def __init__(self, people: tuple[int, int] = (4, 4)) -> None:
        """`people`: fewest and most people in a question."""
        self.people = people

    def generate(self, rng: random.Random) -> tuple[str, str]:
        acts = tuple((name, rng.random() < 0.5) for name in distinct_names(rng, rng.randint(*self.people)))
        problem = CoinProblem("heads", acts)
        told = " ".join(f"{name} {'flips' if flips else 'does not flip'} the coin." for name, flips in acts)
        question = f'A coin is heads up. {told} Is the coin still heads up? Note that "flip" here means "reverse".'
        return question, _answer(problem.side, problem.sides()[-1])

    def parse(self, question: str) -> CoinProblem | None:
        found = _QUESTION.fullmatch(one_line(question))
        if found is None:
            return None
        acts = list(_ACT.finditer(found["acts"]))
        if not acts or "".join(act.group() for act in acts) != found["acts"]:
            return None
        return CoinProblem(found["side"], tuple((act["name"], act["act"] == "flips") for act in acts))

    def work_out(self, problem: CoinProblem) -> Solution:
        return _told(problem, problem.sides())

    def read(self, problem: CoinProblem, sentence: str, done: frozenset[int]) -> Claim | None:
        people = mentions(sentence, [name for name, _ in problem.acts])
        found = [side.lower() for side in _SIDE.findall(sentence)]
        said = found[-1] if found else None
        if _RULE.search(sentence):
            wrong = len(found) > 1 and found[0] == said
            return Claim(max(done, default=0), "A flip turns heads into tails and tails into heads.") if wrong else None
        if _START.search(sentence) and said:
            fault = f"At the start the coin is {problem.side} up, not {said} up." if said != problem.side else ""
            return Claim(0, fault, finishes=False)
        if not people:
            return self._read_side(problem, sentence, said, done)
        step = _step_of(problem, people[0], done)
        name, flips = problem.acts[step - 1]
        before, after = problem.sides()[step - 1 : step + 1]
        if _BEFORE.search(sentence):
            fault = f"Before {name}, the coin is {before} up, not {said} up." if said and said != before else ""
            return Claim(step, fault, finishes=False)
        claims_flip = False if _LEAVES.search(sentence) else True if _FLIPS.search(sentence) else None
        if claims_flip is None and said is None:
            return None
        if claims_flip is not None and claims_flip != flips:
            return Claim(step, f"{name} {'flips' if flips else 'does not flip'} the coin.")
        if said is not None and said != after:
            rule = (
                f"flips the coin and it was {before} up, so it is" if flips else "does not flip the coin, so it stays"
            )
            return Claim(step, f"{name} {rule} {after} up, not {said} up.")
        return Claim(step)

    def corrupted(self, problem: CoinProblem, rng: random.Random) -> Worked:
        wrong = rng.randint(1, len(problem.acts))
        sides = tuple(_other(side) if step >= wrong else side for step, side in enumerate(problem.sides()))
        solution = _told(problem, sides)
        return Worked(" ".join(rng.choice(step.wordings) for step in solution.steps), solution.answer, wrong)

    def concluded(self, problem: CoinProblem, text: str) -> str | None:
        found = _SIDE.findall(text)
        return _answer(problem.side, found[-1].lower()) if found else None

    def kind_of_step(self, problem: CoinProblem, step: int) -> Hashable:
        """Somebody flips, or does not flip, a coin that has this side up."""
        sides = problem.sides()
        if step == 0:
            return "start", sides[0]
        if step > len(problem.acts):
            return "conclusion", sides[0] == sides[-1]
        return problem.acts[step - 1][1], sides[step - 1]

    def _read_side(self, problem: CoinProblem, sentence: str, said: str | None, done: frozenset[int]) -> Claim | None:
        """A sentence that names nobody of the question: a remark on the side that is up now, or a stranger's act."""
        current = max(done, default=0)
        now = problem.sides()[min(current, len(problem.acts))]
        stranger = re.match(r"(?!The\b|It\b|So\b|Now\b|Then\b)([A-Z]\w*) (?:flips|does not flip)", sentence)
        if stranger:
            step = min(current + 1, len(problem.acts))
            return Claim(
                step, f"The question does not mention {stranger[1]}; {problem.acts[step - 1][0]} is to be looked at."
            )
        if said is None:
            return None
        if said == now:
            return Claim(current, finishes=False)
        if _END.search(sentence):
            last, final = len(problem.acts) + 1, problem.sides()[-1]
            return Claim(last, f"In the end the coin is {final} up, not {said} up." if said != final else "")
        return Claim(current, f"At this point the coin is {now} up, not {said} up.")


def _other(side: str) -> str:
    return "tails" if side == "heads" else "heads"


def _answer(first: str, last: str) -> str:
    return "yes" if first == last else "no"


def _step_of(problem: CoinProblem, name: str, done: frozenset[int]) -> int:
    """The step of a person: the first not yet done of that name, else the last one of that name."""
    steps = [step for step, (person, _) in enumerate(problem.acts, 1) if person == name]
    return next((step for step in steps if step not in done), steps[-1])


def _told(problem: CoinProblem, sides: tuple[str, ...]) -> Solution:
    """The solution with the given sides (the true ones, or those of a wrong solution followed through)."""
    first, last = sides[0], sides[-1]
    opening = (f"The coin is {first} up.", f"At first the coin is {first} up.", f"We begin with {first} up.")
    told = ("The question says which side is up first.", opening[0])
    steps = [Step(opening, told, "of the start", optional=True)]
    for index, (name, flips) in enumerate(problem.acts, 1):
        steps.append(_person_step(name, flips, sides[index - 1], sides[index], index))
    end = (f"So the coin is {last} up.", f"In the end the coin is {last} up.", f"So the coin ends {last} up.")
    same = "The two sides are the same." if first == last else "The two sides are not the same."
    small = (f"So the coin is {last} up.", f"At the start it was {first} up.", same)
    steps.append(Step(end, small, "of the conclusion", tuple(range(len(steps))), optional=True))
    return Solution(tuple(steps), _answer(first, last))


def _person_step(name: str, flips: bool, before: str, after: str, index: int) -> Step:
    if flips:
        wordings = (
            f"{name} flips the coin, so it is {after} up.",
            f"{name} flips the coin, so now it is {after} up.",
            f"{name} flips it: {after} up.",
            f"Then {name} flips the coin, and it is {after} up.",
        )
        middle = f"A flip turns {before} into {_other(before)}."
    else:
        wordings = (
            f"{name} does not flip the coin, so it stays {after} up.",
            f"{name} does not flip the coin, so it is still {after} up.",
            f"{name} does not flip it: {after} up.",
            f"Then {name} does not flip the coin, and it stays {after} up.",
        )
        middle = "Nothing changes."
    told = f"{name} {'flips' if flips else 'does not flip'} the coin."
    smaller = (
        f"Before {name}, the coin is {before} up.",
        told,
        middle,
        f"So it {'is' if flips else 'stays'} {after} up.",
    )
    return Step(wordings, smaller, f"of {name}", tuple(range(index)))
