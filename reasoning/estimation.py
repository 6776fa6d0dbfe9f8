"""What a run will ask its teacher, and what that will cost: arithmetic, before anything is asked.

Owns: the number of calls of each kind, their tokens and their price, and the time that they take at a permitted rate.
What is asked, and what a sample of it used, is passed in (`pipelines.estimate`).

Invariants
- What is known is not estimated: calls whose replies are in the journal count with what they used, and when all of a
  row are, the row is what happened.
- Every number says how it is known: `Calls.exact`, `Planned.basis`, `CallSize.measured`.
- A row's most is a bound while each request is sent once: every question missed, every new question admitted, and of
  each request the most tokens that it can use. What is lost on the way and paid for again comes on top of it.
- A model without a price costs None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from reasoning.intervals import Interval, mean_interval
from reasoning.prices import Price
from reasoning.rounds import Finished, Phase, PhaseRecord, next_step
from reasoning.run_prompts import RunPrompts
from reasoning.sections import LearningSection
from reasoning.teacher_calls import EndpointSettings
from reasoning.teacher_prompts import TeacherPrompt

CHARACTERS_A_TOKEN = 4
ASSUMED_MISSED = 0.5


class Ask(StrEnum):
    """What a teacher is asked for."""

    RATIONALES = "rationales"
    FEEDBACK = "feedback"
    NEW_QUESTIONS = "new questions"
    NEW_ANSWERS = "answers to new questions"


def prompt_of(prompts: RunPrompts, ask: Ask) -> TeacherPrompt:
    """The prompt that asks for it. Raises `ValueError` where the run has none."""
    if ask is Ask.NEW_QUESTIONS:
        if prompts.new_questions is None:
            raise ValueError("this run asks for no new questions")
        return prompts.new_questions
    return {Ask.RATIONALES: prompts.first, Ask.FEEDBACK: prompts.feedback, Ask.NEW_ANSWERS: prompts.plain}[ask]


# Calls --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calls:
    """How many there will be: at least, as expected, at most."""

    least: int
    expected: float
    most: int

    @property
    def exact(self) -> bool:
        return self.least == self.most

    def times(self, factor: int) -> Calls:
        return Calls(self.least * factor, self.expected * factor, self.most * factor)

    @staticmethod
    def of(count: int) -> Calls:
        """So many, and no doubt about it."""
        return Calls(count, float(count), count)


@dataclass(frozen=True, slots=True)
class Planned:
    """Calls of one kind: the first or second `step` of a prompt, in `rounds` (none where the run has no rounds).
    `basis` says how their number is known."""

    ask: Ask
    step: int
    rounds: tuple[int, ...]
    calls: Calls
    basis: str

    @property
    def label(self) -> str:
        what = f"{self.ask}{', second request' if self.step == 2 else ''}"
        if not self.rounds:
            return what
        first, last = self.rounds[0], self.rounds[-1]
        return f"round {first}: {what}" if first == last else f"rounds {first} – {last}: {what}"


@dataclass(frozen=True, slots=True)
class Missed:
    """What an exam is expected to find: the share of its questions that are missed, and the mistakes shown to the
    teacher per question of the exam. `basis` says how that is known."""

    questions: float
    mistakes: float
    basis: str


def missed(learning: LearningSection, done: Sequence[PhaseRecord], share: float | None = None) -> Missed:
    """`share` where it is given, else what the last exam of `done` found, else the half of all questions."""
    shown = mistakes_shown(learning)
    exams = [record.metrics for record in done if record.phase is Phase.EXAM and record.metrics.get("questions")]
    if share is None and exams:
        mistakes = float(exams[-1]["mistakes"]) / float(exams[-1]["questions"])
        return Missed(min(1.0, mistakes), mistakes, "as the last exam found")
    if share is None:
        return Missed(ASSUMED_MISSED, ASSUMED_MISSED * shown, f"{ASSUMED_MISSED:.0%} missed (assumed)")
    return Missed(share, share * shown, f"{share:.0%} missed (given)")


def mistakes_shown(learning: LearningSection) -> int:
    """The most mistakes of one question that the teacher is shown."""
    return min(learning.mistakes_per_question, learning.exam.samples)


def collection_plan(questions: int, samples: int, prompts: RunPrompts) -> list[Planned]:
    """Of Fine-tune-CoT: `samples` rationales of each of `questions`."""
    return _steps(prompts, Ask.RATIONALES, (), Calls.of(questions * samples), "exact")


def run_plan(
    learning: LearningSection, prompts: RunPrompts, train: int, done: Sequence[PhaseRecord], found: Missed
) -> list[Planned]:
    """Of tailored learning on `train` training questions: what is left to ask after the phases in `done`."""
    if not prompts.form.reasons or isinstance(next_step(done, learning.rounds, learning.patience), Finished):
        return []
    planned: list[Planned] = []
    asked = {record.round for record in done if record.phase is Phase.FEEDBACK}
    if 0 not in asked:
        calls = Calls.of(min(learning.first_questions, train) * learning.first_rationales)
        planned += _steps(prompts, Ask.RATIONALES, (0,), calls, "exact")
    sat = {record.round: int(record.metrics["mistakes"]) for record in done if record.phase is Phase.EXAM}
    ahead = [round for round in range(1, learning.rounds + 1) if round not in asked]
    for round in (round for round in ahead if round in sat):  # its exam is over, its feedback is not
        mistakes = Calls.of(sat[round])
        planned += _after_exam(learning, prompts, (round,), mistakes, mistakes, "exact")
    rounds = tuple(round for round in ahead if round not in sat)
    if rounds:
        questions = min(learning.exam.questions or train, train) * len(rounds)
        most = questions * mistakes_shown(learning)
        mistakes = Calls(0, questions * found.mistakes, most)
        once = Calls(0, questions * found.questions, questions)
        planned += _after_exam(learning, prompts, rounds, mistakes, once, found.basis)
    return [one for one in planned if one.calls.most]


def _after_exam(
    learning: LearningSection,
    prompts: RunPrompts,
    rounds: tuple[int, ...],
    mistakes: Calls,
    questions: Calls,
    basis: str,
) -> list[Planned]:
    """The calls of rounds whose exams find so many mistakes in so many questions."""
    # Feedback that does not show the mistake is one request for all mistakes of a question.
    answered = mistakes if prompts.feedback.shows_mistake else questions
    planned = _steps(prompts, Ask.FEEDBACK, rounds, answered.times(learning.rationales_per_mistake), basis)
    new = learning.new_questions
    if new is not None:
        planned += _steps(prompts, Ask.NEW_QUESTIONS, rounds, mistakes, basis)
        proposed = mistakes.times(new.per_mistake * new.answers)
        every = Calls(0, proposed.expected, proposed.most)
        planned += _steps(prompts, Ask.NEW_ANSWERS, rounds, every, f"{basis}, all admitted")
    return planned


def _steps(prompts: RunPrompts, ask: Ask, rounds: tuple[int, ...], calls: Calls, basis: str) -> list[Planned]:
    twice = prompt_of(prompts, ask).then is not None
    return [Planned(ask, step, rounds, calls, basis) for step in ((1, 2) if twice else (1,))]


# Tokens and money ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """The tokens of one call."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class CallSize:
    """The tokens of a call of one kind: what those in the sample used, or without a sample a guess from the prompts'
    length and the limit of a reply. `most_prompt_tokens` is the mean of what each prompt can have at most."""

    characters: float
    most_prompt_tokens: float
    max_tokens: int
    measured: tuple[Use, ...] = ()

    @property
    def prompt_tokens(self) -> float:
        if self.measured:
            return fmean(use.prompt_tokens for use in self.measured)
        return self.characters / CHARACTERS_A_TOKEN

    @property
    def completion_tokens(self) -> float:
        """Without a sample, the most that there can be."""
        return fmean(use.completion_tokens for use in self.measured) if self.measured else float(self.max_tokens)

    def intervals(self) -> tuple[Interval, Interval] | None:
        """95 % intervals of the means of prompt and completion tokens; None where too few were measured."""
        if len(self.measured) < 2:
            return None
        prompts = mean_interval([use.prompt_tokens for use in self.measured])
        return prompts, mean_interval([use.completion_tokens for use in self.measured])


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars for a million tokens: expected over a teacher's places, by their weights, and at the dearest."""

    expected: Price
    most: Price


def rates_of(endpoints: Sequence[EndpointSettings]) -> Rates | None:
    """What a teacher's tokens cost; None where the price of one of its places is not known."""
    prices = [(_charged(one.price, one.batch is not None), one.weight) for one in endpoints if one.price is not None]
    if len(prices) < len(endpoints):
        return None
    total = sum(weight for _, weight in prices)
    mean = Price(
        sum(price.input * weight for price, weight in prices) / total,
        sum(price.output * weight for price, weight in prices) / total,
    )
    return Rates(mean, Price(max(price.input for price, _ in prices), max(price.output for price, _ in prices)))


def _charged(price: Price, batch: bool) -> Price:
    share = price.batch_share if batch else 1.0
    return Price(price.input * share, price.output * share)


def _dollars(price: Price, prompt_tokens: float, completion_tokens: float) -> float:
    return (prompt_tokens * price.input + completion_tokens * price.output) / 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """Calls of one kind with their tokens and their cost. `known` are those whose replies are in the journal: paid for,
    and not asked again. Costs are dollars, None without a price."""

    planned: Planned
    size: CallSize
    rates: Rates | None
    known: tuple[Use, ...] = ()

    @property
    def open_calls(self) -> float:
        return max(0.0, self.planned.calls.expected - len(self.known))

    @property
    def open_tokens(self) -> tuple[float, float]:
        return self.open_calls * self.size.prompt_tokens, self.open_calls * self.size.completion_tokens

    @property
    def prompt_tokens(self) -> float:
        return sum(use.prompt_tokens for use in self.known) + self.open_tokens[0]

    @property
    def completion_tokens(self) -> float:
        return sum(use.completion_tokens for use in self.known) + self.open_tokens[1]

    @property
    def expected(self) -> float | None:
        return _dollars(self.rates.expected, self.prompt_tokens, self.completion_tokens) if self.rates else None

    @property
    def to_pay(self) -> float | None:
        """The part of what is expected that is not paid yet."""
        return _dollars(self.rates.expected, *self.open_tokens) if self.rates else None

    @property
    def most_to_pay(self) -> float | None:
        calls = max(0, self.planned.calls.most - len(self.known))
        if self.rates is None:
            return None
        return calls * _dollars(self.rates.most, self.size.most_prompt_tokens, self.size.max_tokens)

    @property
    def most(self) -> float | None:
        """What was paid, and the most that is to pay."""
        if self.expected is None or self.to_pay is None or self.most_to_pay is None:
            return None
        return self.expected - self.to_pay + self.most_to_pay


@dataclass(frozen=True, slots=True)
class Estimate:
    """All that a run has still to ask, row by row, and its sums."""

    rows: tuple[Row, ...]

    @property
    def calls(self) -> Calls:
        calls = [row.planned.calls for row in self.rows]
        return Calls(sum(c.least for c in calls), sum(c.expected for c in calls), sum(c.most for c in calls))

    @property
    def known_calls(self) -> int:
        return sum(len(row.known) for row in self.rows)

    @property
    def prompt_tokens(self) -> float:
        return sum(row.prompt_tokens for row in self.rows)

    @property
    def completion_tokens(self) -> float:
        return sum(row.completion_tokens for row in self.rows)

    @property
    def expected(self) -> float | None:
        return _sum(row.expected for row in self.rows)

    @property
    def most(self) -> float | None:
        return _sum(row.most for row in self.rows)

    @property
    def to_pay(self) -> float | None:
        return _sum(row.to_pay for row in self.rows)

    @property
    def most_to_pay(self) -> float | None:
        return _sum(row.most_to_pay for row in self.rows)

    def minutes(self, paces: Mapping[Ask, Pace]) -> float | None:
        """What is open takes at least so long at the permitted rates: kinds with one and the same pace go together,
        different teachers one after the other. None where a limit is not known."""
        minutes = 0.0
        for pace in set(paces[row.planned.ask] for row in self.rows):
            rows = [row for row in self.rows if paces[row.planned.ask] == pace]
            one = pace.minutes(sum(row.open_calls for row in rows), sum(sum(row.open_tokens) for row in rows))
            if one is None:
                return None
            minutes += one
        return minutes


def _sum(parts: Iterable[float | None]) -> float | None:
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


@dataclass(frozen=True, slots=True)
class Pace:
    """What a teacher's places permit a minute, all together (None: not known)."""

    requests_per_minute: float | None
    tokens_per_minute: float | None

    def minutes(self, calls: float, tokens: float) -> float | None:
        """At least so long; None where no limit is known."""
        known = [
            amount / limit
            for amount, limit in ((calls, self.requests_per_minute), (tokens, self.tokens_per_minute))
            if limit is not None
        ]
        return max(known, default=None)
