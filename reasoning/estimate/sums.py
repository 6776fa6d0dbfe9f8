"""What a run's calls to its teacher will take in tokens, money and time. Pure arithmetic.

Owns: from numbers of calls (`reasoning.estimate.call_plan`), and what a sample of them used, to sums and bounds.

Invariants
- What is known is not estimated: a call whose reply is in the journal counts with the tokens it used.
- A row's most is a bound while each request is sent once: every question missed, every new question admitted, and of
  each request the most tokens that it can use. What is lost on the way and paid for again comes on top of it. Of rungs
  that share their questions the sum has the dearest.
- A model without a price costs None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from reasoning.estimate.call_plan import Calls, Planned, most_of
from reasoning.grading.intervals import Interval, mean_interval
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import EndpointSettings
from reasoning.teacher.prices import Price

CHARACTERS_A_TOKEN = 4


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
class CallEstimate:
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


def within_budget(rows: Sequence[CallEstimate], tokens: float | None, dollars: float | None) -> list[CallEstimate]:
    """`rows`, of which those of a ladder's rounds expect no more than its budget a round: so many `tokens`, or so many
    `dollars` at the dearest price. What is left out is taken from all kinds of calls alike. Their most stays: it is the
    bound where replies are longer than any before. Dollars that no price tells of leave them as they are."""
    if tokens is None and (dollars is None or any(row.rates is None for row in rows)):
        return list(rows)
    within = list(rows)
    for rounds in {row.planned.rounds for row in rows if row.planned.rounds and row.planned.rounds[0] > 0}:
        places = [place for place, row in enumerate(rows) if row.planned.rounds == rounds]
        known, ahead = 0.0, 0.0
        for row in (rows[place] for place in places):
            rate = Price(1e6, 1e6) if tokens is not None or row.rates is None else row.rates.most
            known += sum(_dollars(rate, use.prompt_tokens, use.completion_tokens) for use in row.known)
            ahead += _dollars(rate, *row.open_tokens)
        left = (tokens if tokens is not None else dollars or 0.0) * len(rounds) - known
        part = max(0.0, left / ahead) if ahead else 1.0
        for place in places if part < 1.0 else ():
            row = rows[place]
            calls = replace(row.planned.calls, expected=len(row.known) + part * row.open_calls)
            within[place] = replace(row, planned=replace(row.planned, calls=calls))
    return within


@dataclass(frozen=True, slots=True)
class Estimate:
    """All that a run has still to ask, row by row, and its sums."""

    rows: tuple[CallEstimate, ...]

    @property
    def calls(self) -> Calls:
        calls = [row.planned.calls for row in self.rows]
        most = most_of((row.planned, row.planned.calls.most) for row in self.rows)
        return Calls(sum(c.least for c in calls), sum(c.expected for c in calls), int(most))

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
        """What was paid, and the most that is to pay."""
        if self.expected is None or self.to_pay is None or self.most_to_pay is None:
            return None
        return self.expected - self.to_pay + self.most_to_pay

    @property
    def to_pay(self) -> float | None:
        return _sum(row.to_pay for row in self.rows)

    @property
    def most_to_pay(self) -> float | None:
        parts = [(row.planned, row.most_to_pay) for row in self.rows]
        known = [(planned, most) for planned, most in parts if most is not None]
        return most_of(known) if len(known) == len(parts) else None

    def minutes(self, paces: Mapping[Ask, Pace]) -> float | None:
        """What is open takes at least so long at the permitted rates: kinds with one and the same pace go together,
        different teachers one after the other. None where a limit is not known."""
        minutes = 0.0
        for pace in {paces[row.planned.ask] for row in self.rows}:
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
