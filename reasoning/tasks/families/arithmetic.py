"""Arithmetic word problems of a few steps: things collected and given away, shopping bills, comparisons.

Owns: composing a story, its solution and the reader of one sentence; the sentences themselves are in `stories`.
Invariants: integers only, no result is negative, every division is exact; step i is the i-th calculation of the text,
the last step the conclusion; a calculation that needs no other may be told at any place.
"""

from __future__ import annotations

import random
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from reasoning.records import AnswerKind
from reasoning.tasks.families.family import Claim, Family, Solution, Step, Worked, sentences
from reasoning.tasks.families.names import distinct_names
from reasoning.tasks.families.small_steps import MINUS, PLUS, Equation, calculate, equation, smaller
from reasoning.tasks.families.stories import (
    COLLECTION,
    COMPARISON,
    SHOP,
    Calculation,
    Clause,
    Plot,
    StoryReader,
    StoryTerm,
    read_story,
)

_COLLECTED = (
    "apples marbles stickers stamps shells cards coins beads pencils buttons stones cookies plums nuts candles badges "
    "photos tickets ribbons pears oranges eggs roses postcards"
)
_SOLD = "pens books cups plates lamps shirts hats toys chairs brushes bowls socks cakes kites ropes towels"
_BAGS = ("bags", "boxes", "jars", "baskets", "packs", "tins")
_EQUATION = re.compile(r"(?<![\d.])(\d{1,12})\s*([-+*x×÷/−])\s*(\d{1,12})\s*=\s*(\d{1,12})")
_SIGNS = {"*": "×", "x": "×", "/": "÷", "−": "-"}
_ANSWER = re.compile(r"\banswer is (\d{1,12})")


@dataclass(frozen=True, slots=True)
class ArithmeticProblem:
    calculations: tuple[Calculation, ...]


class Arithmetic(Family[ArithmeticProblem]):
    name = "arithmetic"
    answer_kind = AnswerKind.NUMBER

    def __init__(self, steps: tuple[int, int] = (2, 4), largest: int = 99, largest_result: int = 999) -> None:
        """`steps`: fewest and most calculations; `largest`: the largest number of the text; `largest_result`: the
        largest result on the way."""
        if not 1 <= steps[0] <= steps[1] or largest < 10 or largest_result < 10 * largest // 2:
            raise ValueError("need 1 <= fewest <= most steps, largest >= 10 and largest_result >= 5 * largest")
        self.steps = steps
        self.largest = largest
        self.largest_result = largest_result

    def generate(self, rng: random.Random) -> tuple[str, str]:
        steps = rng.randint(*self.steps)
        while True:
            plot = rng.choices((COLLECTION, SHOP, COMPARISON), (6, 2, 2))[0]
            story = _Composer(self, plot, rng).compose(steps)
            if story is not None:
                return story

    def parse(self, question: str) -> ArithmeticProblem | None:
        calculations = read_story(question)
        return ArithmeticProblem(tuple(calculations)) if calculations else None

    def work_out(self, problem: ArithmeticProblem) -> Solution:
        return _told(problem, [_true(step) for step in problem.calculations])

    def cut(self, text: str) -> list[str]:
        """Sentences, cut again so that each piece holds one equation at most."""
        pieces: list[str] = []
        for sentence in sentences(text):
            start = 0
            for found in list(_EQUATION.finditer(sentence))[:-1]:
                pieces.append(sentence[start : found.end()])
                start = found.end()
            pieces.append(sentence[start:])
        return pieces

    def read(self, problem: ArithmeticProblem, sentence: str, done: frozenset[int]) -> Claim | None:
        steps = problem.calculations
        found = _EQUATION.search(sentence)
        if found is None:
            return self._read_answer(problem, sentence)
        left, sign, right, result = found.groups()
        said = Equation(int(left), _SIGNS.get(sign, sign), int(right), int(result))
        true = [_true(step) for step in steps]
        ready = [i for i in range(len(steps)) if i not in done and _needs(steps[i]) <= done]
        for index in ready:
            if said.same_terms(true[index]):
                return Claim(index, _fault(said))
        now = min((i for i in range(len(steps)) if i not in done), default=len(steps))
        for index in (*ready, *sorted(done, reverse=True)):
            if index < len(steps) and _belongs(said, steps[index]):
                return Claim(index, _fault(said), finishes=False)
        if now == len(steps):
            return Claim(now, f"After {true[-1]} nothing is left to do.", finishes=False)
        right_way = f"{true[now].left} {true[now].op} {true[now].right}"
        return Claim(now, f"The step here is {right_way}, not {said.left} {said.op} {said.right}.")

    def corrupted(self, problem: ArithmeticProblem, rng: random.Random) -> Worked:
        """One calculation is misread or miscounted, and the rest follows from its wrong result."""
        gold = problem.calculations[-1].result
        while True:
            wrong = rng.randrange(len(problem.calculations))
            told = _followed_through(problem.calculations, wrong, rng)
            if told is not None and told[-1].result != gold:
                solution = _told(problem, told)
                return Worked(" ".join(rng.choice(step.wordings) for step in solution.steps), solution.answer, wrong)

    def concluded(self, problem: ArithmeticProblem, text: str) -> str | None:
        found = _ANSWER.findall(text) or [equation[3] for equation in _EQUATION.findall(text)]
        return found[-1] if found else None

    def kind_of_step(self, problem: ArithmeticProblem, step: int) -> Hashable:
        """The same operation, and whether it can be taken apart (a ten is crossed, a factor has two digits)."""
        if step >= len(problem.calculations):
            return "conclusion"
        part = problem.calculations[step]
        return part.op, bool(smaller(part.left.value, part.op, part.right.value))

    def _read_answer(self, problem: ArithmeticProblem, sentence: str) -> Claim | None:
        found = _ANSWER.search(sentence)
        if found is None:
            return None
        gold = problem.calculations[-1].result
        fault = "" if int(found[1]) == gold else f"The last result is {gold}, so the answer is {gold}, not {found[1]}."
        return Claim(len(problem.calculations), fault)


def _true(step: Calculation) -> Equation:
    return equation(step.left.value, step.op, step.right.value)


def _needs(step: Calculation) -> frozenset[int]:
    return frozenset(term.source for term in (step.left, step.right) if term.source is not None)


def _fault(said: Equation) -> str:
    """What is wrong with an equation whose terms are right ("" when nothing is)."""
    exact = said.op != "÷" or (said.right != 0 and said.left % said.right == 0)
    true = calculate(said.left, said.op, said.right) if exact else None
    return "" if true == said.result else f"{said.left} {said.op} {said.right} is {true}, not {said.result}."


def _belongs(said: Equation, step: Calculation) -> bool:
    """Whether an equation is the step itself or one of the smaller ones that lead to it."""
    parts = smaller(step.left.value, step.op, step.right.value)
    return any(said.same_terms(part) for part in [_true(step), *parts])


def _told(problem: ArithmeticProblem, equations: Sequence[Equation]) -> Solution:
    """The solution with the given equations (the true ones, or those of a wrong solution followed through)."""
    steps: list[Step] = []
    for calculation, eq in zip(problem.calculations, equations, strict=True):
        wordings = tuple(wording.format(eq=eq) for wording in calculation.says)
        parts = [f"{part}." for part in smaller(eq.left, eq.op, eq.right)] if eq.op != "÷" or eq.right else []
        cue = calculation.cue if calculation.cue.endswith(".") else "We add up what they have."
        name = f"{eq.left} {eq.op} {eq.right}"
        steps.append(Step(wordings, (cue, *parts, wordings[0]), name, tuple(sorted(_needs(calculation)))))
    last = equations[-1].result
    end = (f"The answer is {last}.", f"So the answer is {last}.", f"In the end the answer is {last}.")
    small = (f"The last step gives {equations[-1]}.", f"Nothing is left to do, so the answer is {last}.")
    steps.append(Step(end, small, "of the conclusion", tuple(range(len(steps))), optional=True))
    return Solution(tuple(steps), str(last))


def _followed_through(steps: Sequence[Calculation], wrong: int, rng: random.Random) -> list[Equation] | None:
    """The equations of a solution that errs at step `wrong`; None when that leads to a negative or broken one."""
    told: list[Equation] = []
    for index, step in enumerate(steps):
        left, right = (t.value if t.source is None else told[t.source].result for t in (step.left, step.right))
        if (step.op == "÷" and (right == 0 or left % right)) or (step.op == MINUS and left < right):
            return None
        told.append(_slip(left, step, right, rng) if index == wrong else equation(left, step.op, right))
        if told[-1].result < 0:
            return None
    return told


def _slip(left: int, step: Calculation, right: int, rng: random.Random) -> Equation:
    """A wrong version of one calculation: a miscounted result, a misread number of the text, or a wrong operation."""
    kind = rng.choice(("count", "count", "read", "sign"))
    if kind == "read" and step.op in (PLUS, MINUS) and step.right.source is None:
        return equation(left, step.op, max(1, right + rng.choice((-10, -2, -1, 1, 2, 10))))
    if kind == "sign" and step.op in (PLUS, MINUS):
        return equation(left, MINUS if step.op == PLUS else PLUS, right)
    result = calculate(left, step.op, right)
    return Equation(left, step.op, right, result + rng.choice((-10, -2, -1, 1, 2, 10)))


class _Composer:
    """Writes one story, clause by clause, with numbers that keep every result within bounds."""

    def __init__(self, family: Arithmetic, plot: Plot, rng: random.Random) -> None:
        self.family, self.plot, self.rng = family, plot, rng
        self.reader = StoryReader()
        self.text: list[str] = []
        self.used: list[Clause] = []
        self.names = distinct_names(rng, family.steps[1] + 3)
        self.things = (_SOLD if plot is SHOP else _COLLECTED).split()
        rng.shuffle(self.things)

    def compose(self, steps: int) -> tuple[str, str] | None:
        """A question with exactly `steps` calculations and its answer; None when this attempt led nowhere."""
        if self.plot is COMPARISON:
            return self._compare(steps)
        rng, plot = self.rng, self.plot
        ending = rng.choices(("ask", "share", "back"), (6, 2, 2 if plot.back else 0))[0]
        if not self._tell(rng.choice(plot.start)):
            return None
        while len(self.reader.calculations) < steps - (ending != "ask"):
            fresh = [clause for clause in plot.go_on if clause not in self.used]
            if not self._tell(rng.choice(fresh or plot.go_on)):
                return None
        asks = {"ask": plot.ask, "share": plot.ask_each, "back": plot.ask_back}[ending]
        if ending != "ask" and not self._tell(rng.choice(plot.share if ending == "share" else plot.back)):
            return None
        return self._ask(rng.choice(asks), steps)

    def _compare(self, steps: int) -> tuple[str, str] | None:
        """Each person compared costs two calculations: theirs, and one of the sum."""
        if steps % 2 or not self._tell(self.rng.choice(self.plot.start)):
            return None
        for person in range(1, steps // 2 + 1):
            if not self._tell(self.rng.choice(self.plot.go_on), owner=self.names[person - 1], other=self.names[person]):
                return None
        return self._ask(self.rng.choice(self.plot.ask), steps)

    def _ask(self, clause: Clause, steps: int) -> tuple[str, str] | None:
        if not self._tell(clause) or len(self.reader.calculations) != steps or self.reader.total is None:
            return None
        return " ".join(self.text), str(self.reader.total.value)

    def _tell(self, clause: Clause, owner: str = "", other: str = "") -> bool:
        rng, total = self.rng, (self.reader.total or StoryTerm(0)).value
        things = self.things[len(self.text) % len(self.things)] if self.plot is SHOP else self.things[0]
        slots = {
            "owner": owner or self.names[0],
            "other": other or self.names[1 + len(self.text) % (len(self.names) - 1)],
            "things": things,
        }
        slots["bags"] = rng.choice(_BAGS)
        slots["k"] = str(rng.randint(2, 9))
        slots["n"] = str(rng.randint(2, self._most(clause, total, int(slots["k"]))))
        slots["m"] = str(-(-(total + 1) // 50) * 50 if total > 20 else -(-(total + 1) // 10) * 10)
        if clause.effect == "share":
            slots["k"] = str(rng.choice([k for k in range(2, 10) if total % k == 0] or [0]))
        slots = {
            slot: value for slot, value in slots.items() if f"{{{slot}}}" in clause.text or slot in ("owner", "things")
        }
        sentence = clause.text.format(**slots)
        self.text.append(sentence)
        self.used.append(clause)
        if not self.reader.take(clause, slots, sentence):
            return False
        return all(2 <= step.result <= self.family.largest_result for step in self.reader.calculations)

    def _most(self, clause: Clause, total: int, k: int) -> int:
        """The largest number that a clause may name (at least 2: a story that breaks its bounds is thrown away)."""
        largest = self.family.largest
        if clause.effect in ("sub", "fewer"):
            largest = min(largest, total - 2)
        elif clause.effect == "sub_packs":
            largest = min(largest, (total - 2) // k)
        elif clause.effect in ("add_packs", "start_packs") and self.plot is SHOP:
            largest = largest // 4
        elif clause.effect in ("add_packs", "start_packs"):
            largest = largest // 3
        return max(2, largest)
