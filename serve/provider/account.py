"""What really happened at the faulty provider: its own count, which no fault falsifies.

Owns: the count of requests, tokens and dollars. No I/O: times are passed in. Invariants
- Billed is what reached the model, once for each time it did, whether or not the client saw the answer.
- Nothing here names a key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from serve.provider.admission_control import Cause
from serve.provider.chat_completion import Answer
from serve.provider.faults import FaultKind


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars per million tokens; a line of a batch costs `batch_discount` times that."""

    input_price: float
    output_price: float
    batch_discount: float

    def cost(self, prompt_tokens: int, completion_tokens: int, batch: bool = False) -> float:
        dollars = (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1e6
        return dollars * self.batch_discount if batch else dollars


@dataclass(frozen=True, slots=True)
class ProviderStats:
    """The count since the start or the last reset.

    `arrived`: live requests for a completion, also refused ones. `admitted`: those within the limits, with the tokens
    counted against them. `served`: those answered to the end on the provider's side, billed faults included; `answered`
    those that left the client with the whole text. `billed`, tokens and `cost` (dollars): live requests and batch
    lines; `batch_*`: the lines' part of it. `client_gone`: the client hung up before the end. Times are Unix seconds.
    `sent_more_than_once`: requests that arrived again after they were admitted or refused; `answered_more_than_once`:
    requests whose whole text the client was given twice, which is money lost.
    """

    arrived: int
    bad_requests: int
    refused: dict[str, int]
    admitted: int
    admitted_tokens: int
    faults: dict[str, int]
    served: int
    answered: int
    client_gone: int
    in_flight: int
    most_in_flight: int
    billed: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    batch_lines: int
    batch_billed: int
    batch_prompt_tokens: int
    batch_completion_tokens: int
    batch_cost: float
    distinct: int
    sent_more_than_once: int
    answered_more_than_once: int
    first_arrived_at: float | None
    first_served_at: float | None
    last_served_at: float | None


class _Bill:
    def __init__(self) -> None:
        self.requests = self.prompt_tokens = self.completion_tokens = 0

    def add(self, answer: Answer) -> None:
        self.requests += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


class Account:
    """Counts. `sent` and `answered` hold every request's identity: memory grows with distinct requests."""

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.arrived = self.bad_requests = self.admitted = self.admitted_tokens = self.client_gone = (
            self.batch_lines
        ) = 0
        self.most_in_flight = 0
        self.refused: Counter[Cause] = Counter()
        self.faults: Counter[FaultKind] = Counter()
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.served: list[tuple[float, int]] = []
        self.live, self.batch = _Bill(), _Bill()
        self.first_arrived_at: float | None = None

    def arrive(self, identity: str, now: float) -> None:
        self.arrived += 1
        self.sent[identity] += 1
        if self.first_arrived_at is None:
            self.first_arrived_at = now

    def arrive_badly(self) -> None:
        self.arrived += 1
        self.bad_requests += 1

    def arrive_in_batch(self, identity: str) -> None:
        self.sent[identity] += 1

    def admit(self, tokens: int, in_flight: int, fault: FaultKind | None) -> None:
        self.admitted += 1
        self.admitted_tokens += tokens
        self.most_in_flight = max(self.most_in_flight, in_flight)
        if fault is not None:
            self.faults[fault] += 1

    def serve(self, identity: str, now: float, answer: Answer, whole: bool) -> None:
        """`whole`: the client has the text."""
        self.served.append((now, answer.prompt_tokens + answer.completion_tokens))
        if whole:
            self.answered[identity] += 1

    def stats(self, in_flight: int) -> ProviderStats:
        live, batch, served = self.live, self.batch, self.served
        batch_cost = self.prices.cost(batch.prompt_tokens, batch.completion_tokens, batch=True)
        return ProviderStats(
            arrived=self.arrived,
            bad_requests=self.bad_requests,
            refused={cause.value: self.refused[cause] for cause in Cause},
            admitted=self.admitted,
            admitted_tokens=self.admitted_tokens,
            faults={kind.value: count for kind, count in sorted(self.faults.items())},
            served=len(served),
            answered=self.answered.total(),
            client_gone=self.client_gone,
            in_flight=in_flight,
            most_in_flight=self.most_in_flight,
            billed=live.requests + batch.requests,
            prompt_tokens=live.prompt_tokens + batch.prompt_tokens,
            completion_tokens=live.completion_tokens + batch.completion_tokens,
            cost=self.prices.cost(live.prompt_tokens, live.completion_tokens) + batch_cost,
            batch_lines=self.batch_lines,
            batch_billed=batch.requests,
            batch_prompt_tokens=batch.prompt_tokens,
            batch_completion_tokens=batch.completion_tokens,
            batch_cost=batch_cost,
            distinct=len(self.sent),
            sent_more_than_once=sum(count > 1 for count in self.sent.values()),
            answered_more_than_once=sum(count > 1 for count in self.answered.values()),
            first_arrived_at=self.first_arrived_at,
            first_served_at=served[0][0] if served else None,
            last_served_at=served[-1][0] if served else None,
        )
