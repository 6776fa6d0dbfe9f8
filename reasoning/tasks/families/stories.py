"""The sentences of the arithmetic stories: what each looks like in a question, and which calculation it asks for.

Owns: the table of clauses, reading a story from its text, and writing one clause. Invariants
- A clause is written and read by the same template, so whatever is generated can be read again.
- A story is one running total (or, in comparisons, one amount per person); a clause changes it by one or two
  calculations, whose operands are numbers of the text or results of earlier calculations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from reasoning.tasks.families.family import sentences
from reasoning.tasks.families.small_steps import DIVIDED, MINUS, PLUS, TIMES, calculate


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence of a story. `effect` says what it does to the amounts, `says` how its calculations are told (one
    tuple of wordings each, `{eq}` standing for the equation)."""

    text: str
    effect: str
    says: tuple[tuple[str, ...], ...] = ()


_NOW = ("Now {owner} has {eq} {things}.", "So {owner} has {eq} {things}.", "That makes {eq} {things}.")
_LEFT = ("Now {owner} has {eq} {things}.", "So {owner} has {eq} {things} left.", "That leaves {eq} {things}.")
_HELD = (
    "The {bags} hold {eq} {things}.",
    "In the {bags} there are {eq} {things}.",
    "That is {eq} {things} in the {bags}.",
)
_GIVEN = (
    "The friends get {eq} {things}.",
    "Together the friends get {eq} {things}.",
    "That is {eq} {things} given away.",
)
_EACH = ("Each friend gets {eq} {things}.", "So each friend gets {eq} {things}.", "For each that is {eq} {things}.")
_COST = ("The {things} cost {eq} dollars.", "For the {things} that is {eq} dollars.", "The {things} are {eq} dollars.")
_BILL = ("Now the bill is {eq} dollars.", "So the bill is {eq} dollars.", "That makes {eq} dollars.")
_OTHER = ("{other} has {eq} {things}.", "So {other} has {eq} {things}.", "For {other} that is {eq} {things}.")
_PAID = ("Each friend pays {eq} dollars.", "So each friend pays {eq} dollars.", "For each that is {eq} dollars.")
_BACK = ("{owner} gets back {eq} dollars.", "So {owner} gets back {eq} dollars.", "The change is {eq} dollars.")
_SUM = ("Together that is {eq} {things}.", "In all that is {eq} {things}.", "The sum is {eq} {things}.")

_TO_START = (
    Clause("{owner} has {n} {things}.", "start"),
    Clause("{owner} starts with {n} {things}.", "start"),
    Clause("{owner} has {k} {bags} with {n} {things} in each.", "start_packs", (_HELD,)),
    Clause("{owner} buys {k} {bags} with {n} {things} in each.", "start_packs", (_HELD,)),
)
_TO_GO_ON = (
    Clause("{owner} buys {n} more {things}.", "add", (_NOW,)),
    Clause("{owner} finds {n} more {things}.", "add", (_NOW,)),
    Clause("{other} gives {owner} {n} more {things}.", "add", (_NOW,)),
    Clause("Then {owner} gets {n} {things} as a present.", "add", (_NOW,)),
    Clause("{owner} gives {n} {things} to {other}.", "sub", (_LEFT,)),
    Clause("{owner} loses {n} {things}.", "sub", (_LEFT,)),
    Clause("Then {owner} sells {n} of the {things}.", "sub", (_LEFT,)),
    Clause("Soon {owner} has {k} times as many {things}.", "times", (_NOW,)),
    Clause("Then {owner} gets {k} more {bags} with {n} {things} in each.", "add_packs", (_HELD, _NOW)),
    Clause("{owner} gives {n} {things} to each of {k} friends.", "sub_packs", (_GIVEN, _LEFT)),
)
_TO_SHARE = (
    Clause("{owner} shares the {things} equally among {k} friends.", "share", (_EACH,)),
    Clause("Then {k} friends share all the {things} equally.", "share", (_EACH,)),
)
_TO_ASK = (
    Clause("How many {things} does {owner} have now?", "ask"),
    Clause("How many {things} does {owner} have in the end?", "ask"),
)
_TO_ASK_EACH = (Clause("How many {things} does each friend get?", "ask"),)

_SHOP_START = (Clause("{owner} buys {k} {things} for {n} dollars each.", "start_packs", (_COST,)),)
_SHOP_GO_ON = (
    Clause("{owner} also buys {k} {things} for {n} dollars each.", "add_packs", (_COST, _BILL)),
    Clause("{owner} also pays {n} dollars for a bag.", "add", (_BILL,)),
    Clause("The shop asks {n} dollars for the delivery.", "add", (_BILL,)),
    Clause("A coupon takes {n} dollars off the bill.", "sub", (_BILL,)),
)
_SHOP_SHARE = (Clause("{k} friends share the bill equally.", "share", (_PAID,)),)
_SHOP_BACK = (Clause("{owner} pays with {m} dollars.", "back", (_BACK,)),)
_SHOP_ASK = (Clause("How many dollars does {owner} pay?", "ask"),)
_SHOP_ASK_EACH = (Clause("How many dollars does each friend pay?", "ask"),)
_SHOP_ASK_BACK = (Clause("How many dollars does {owner} get back?", "ask"),)

_COMPARE = (
    Clause("{other} has {n} more {things} than {owner}.", "more", (_OTHER,)),
    Clause("{other} has {n} fewer {things} than {owner}.", "fewer", (_OTHER,)),
    Clause("{other} has {k} times as many {things} as {owner}.", "multiple", (_OTHER,)),
)
_COMPARE_ASK = (Clause("How many {things} do they have together?", "together", (_SUM, _SUM, _SUM)),)


@dataclass(frozen=True, slots=True)
class Plot:
    """The clauses of one kind of story: how it starts and goes on, what may come before the question (`share`: all is
    shared out, `back`: money is given back), and the question that fits each ending."""

    start: tuple[Clause, ...]
    go_on: tuple[Clause, ...]
    share: tuple[Clause, ...] = ()
    back: tuple[Clause, ...] = ()
    ask: tuple[Clause, ...] = ()
    ask_each: tuple[Clause, ...] = ()
    ask_back: tuple[Clause, ...] = ()


COLLECTION = Plot(_TO_START, _TO_GO_ON, share=_TO_SHARE, ask=_TO_ASK, ask_each=_TO_ASK_EACH)
SHOP = Plot(_SHOP_START, _SHOP_GO_ON, _SHOP_SHARE, _SHOP_BACK, _SHOP_ASK, _SHOP_ASK_EACH, _SHOP_ASK_BACK)
COMPARISON = Plot(_TO_START[:2], _COMPARE, ask=_COMPARE_ASK)

_SLOTS = {
    "n": r"\d{1,9}",
    "k": r"\d{1,9}",
    "m": r"\d{1,9}",
    "owner": r"[A-Z]\w*",
    "other": r"[A-Z]\w*",
    "things": r"[a-z]+",
    "bags": r"[a-z]+",
}


def _pattern(clause: Clause) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", clause.text)
    return re.compile("".join(f"(?P<{p}>{_SLOTS[p]})" if i % 2 else re.escape(p) for i, p in enumerate(parts)))


_PLOTS = (COLLECTION, SHOP, COMPARISON)
_TABLE = tuple(
    (clause, _pattern(clause))
    for plot in _PLOTS
    for group in (plot.start, plot.go_on, plot.share, plot.back, plot.ask, plot.ask_each, plot.ask_back)
    for clause in group
)


@dataclass(frozen=True, slots=True)
class StoryTerm:
    """An operand: its true value, and the calculation it is the result of (None: it stands in the text)."""

    value: int
    source: int | None = None


@dataclass(frozen=True, slots=True)
class Calculation:
    """One step of a story: `left op right`, how it is told, and the sentence of the question that asks for it."""

    left: StoryTerm
    op: str
    right: StoryTerm
    says: tuple[str, ...]
    cue: str

    @property
    def result(self) -> int:
        return calculate(self.left.value, self.op, self.right.value)


@dataclass
class StoryReader:
    """Takes a story's clauses in order and keeps the amounts and the calculations so far.

    `take` returns False for a clause that does not fit (no total yet, an unknown person, a result that is no natural
    number); the reader is then of no further use.
    """

    calculations: list[Calculation] = field(default_factory=list)
    total: StoryTerm | None = None
    people: dict[str, StoryTerm] = field(default_factory=dict)
    asked: bool = False

    def take(self, clause: Clause, slots: dict[str, str], cue: str) -> bool:
        if self.asked or (self.total is None) != clause.effect.startswith("start"):
            return False
        number = {key: StoryTerm(int(slots[key])) for key in "nkm" if key in slots}
        effect, says = clause.effect, clause.says
        before = self.total or StoryTerm(0)
        if effect == "start":
            self.total = number["n"]
        elif effect == "start_packs":
            self.total = self._calculate(number["k"], TIMES, number["n"], says[0], slots, cue)
        elif effect in ("add", "sub"):
            self.total = self._calculate(before, _SIGN[effect], number["n"], says[0], slots, cue)
        elif effect in ("times", "share"):
            self.total = self._calculate(before, _SIGN[effect], number["k"], says[0], slots, cue)
        elif effect in ("add_packs", "sub_packs"):
            packs = self._calculate(number["k"], TIMES, number["n"], says[0], slots, cue)
            self.total = self._calculate(before, _SIGN[effect], packs, says[1], slots, cue)
        elif effect == "back":
            self.total = self._calculate(number["m"], MINUS, before, says[0], slots, cue)
        elif effect in ("more", "fewer", "multiple"):
            return self._compare(clause, slots, cue, number.get("n") or number["k"])
        elif effect == "together":
            self._add_up(says, slots, cue)
        self.asked = effect in ("ask", "together")
        if effect.startswith("start") and self.total is not None:
            self.people[slots["owner"]] = self.total
        return all(_exact(step) for step in self.calculations)

    def _compare(self, clause: Clause, slots: dict[str, str], cue: str, number: StoryTerm) -> bool:
        known = self.people.get(slots["owner"])
        if known is None or slots["other"] in self.people:
            return False
        self.total = self._calculate(known, _SIGN[clause.effect], number, clause.says[0], slots, cue)
        self.people[slots["other"]] = self.total
        return all(_exact(step) for step in self.calculations)

    def _add_up(self, says: tuple[tuple[str, ...], ...], slots: dict[str, str], cue: str) -> None:
        amounts = list(self.people.values())
        total = amounts[0]
        for amount in amounts[1:]:
            total = self._calculate(total, PLUS, amount, says[0], slots, cue)
        self.total = total

    def _calculate(
        self, left: StoryTerm, op: str, right: StoryTerm, says: tuple[str, ...], slots: dict[str, str], cue: str
    ) -> StoryTerm:
        told = tuple(wording.format(eq="{eq}", **slots) for wording in says)
        step = Calculation(left, op, right, told, cue)
        self.calculations.append(step)
        return StoryTerm(step.result, len(self.calculations) - 1) if _exact(step) else StoryTerm(0)


_SIGN = {
    "add": PLUS,
    "sub": MINUS,
    "times": TIMES,
    "share": DIVIDED,
    "add_packs": PLUS,
    "sub_packs": MINUS,
    "more": PLUS,
    "fewer": MINUS,
    "multiple": TIMES,
}


def _exact(step: Calculation) -> bool:
    if step.op == DIVIDED:
        return step.right.value > 0 and step.left.value % step.right.value == 0
    return step.op != MINUS or step.left.value >= step.right.value


def read_story(question: str) -> list[Calculation] | None:
    """The calculations that a question asks for, in the order of its text; None when it is no story of ours."""
    reader = StoryReader()
    for sentence in sentences(question):
        found = next(((clause, hit) for clause, pattern in _TABLE if (hit := pattern.fullmatch(sentence))), None)
        if found is None or not reader.take(found[0], found[1].groupdict(), sentence):
            return None
    return reader.calculations if reader.asked and reader.calculations else None
