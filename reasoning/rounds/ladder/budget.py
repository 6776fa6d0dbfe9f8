"""A budget that is spent in order: how many of the next requests fit into what is left.

Owns: how dear a request is expected to be, and the unit that is counted (tokens, or nanodollars at a price).

Invariants
- The same replies in the same order give the same decisions: nothing is measured but replies, which the journal keeps.
- Once replies are known, a request counts as dear as the dearest of them would make it. What is spent may pass the
  budget by as much as the replies to the last requests are dearer than that, and by no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reasoning.recipe.tailored import Recipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.teacher.calls import TeacherRequest
from reasoning.teacher.prices import NANO, Price

CHARACTERS_A_TOKEN = 3  # before the first reply: on the safe side for prose


@dataclass(slots=True)
class Budget:
    """What a round's help may take: `limit` tokens, or nanodollars at the `prices` of its teachers (by name and model);
    None for no limit. `reply_tokens` is a first guess at the length of a reply."""

    limit: int | None
    prices: Mapping[tuple[str, str], Price] | None = None
    reply_tokens: float = 0.0
    spent: int = 0
    _prompt_rate: float = field(default=1 / CHARACTERS_A_TOKEN, init=False)
    _measured: bool = field(default=False, init=False)

    def fitting(self, requests: Sequence[Sequence[TeacherRequest]]) -> int:
        """How many of the first `requests` (each may be several) to send now: what fits into what is left, and before
        anything is measured into half of it. 0: no more."""
        if self.limit is None:
            return len(requests)
        left = self.limit - self.spent
        room = left if self._measured else (left + 1) // 2
        count = 0
        for group in requests:
            cost = self.expected(group)
            if cost > room and not (count == 0 and not self._measured and cost <= left):
                break
            room -= cost
            count += 1
        return count

    def expected(self, requests: Sequence[TeacherRequest]) -> int:
        """What these requests are expected to take, in the budget's unit."""
        total = 0
        for request in requests:
            reply = min(self.reply_tokens or request.max_tokens, request.max_tokens)
            total += self._cost(request, self._prompt_tokens(request), int(reply + 0.5))
        return total

    def book(self, request: TeacherRequest, prompt_tokens: int, completion_tokens: int) -> None:
        """Counts what the answer to `request` took."""
        if not self._measured:
            self._measured, self._prompt_rate, self.reply_tokens = True, 0.0, 0.0
        characters = sum(len(content) for _, content in request.messages)
        self._prompt_rate = max(self._prompt_rate, prompt_tokens / max(characters, 1))
        self.reply_tokens = max(self.reply_tokens, completion_tokens)
        self.spent += self._cost(request, prompt_tokens, completion_tokens)

    def book_cut_off(self, request: TeacherRequest) -> None:
        """Counts an answer to `request` that was cut off before its first word: it was paid for, and nothing told."""
        self.book(request, self._prompt_tokens(request), request.max_tokens)

    def _prompt_tokens(self, request: TeacherRequest) -> int:
        return int(sum(len(content) for _, content in request.messages) * self._prompt_rate + 0.5)

    def _cost(self, request: TeacherRequest, prompt_tokens: int, completion_tokens: int) -> int:
        if self.prices is None:
            return prompt_tokens + completion_tokens
        return self.prices[request.endpoint, request.model].cost(prompt_tokens, completion_tokens)


def budget_of_a_round(recipe: Recipe, reply_tokens: float = 0.0) -> Budget:
    """What the ladder of `recipe` may spend in a round. Raises `ValueError` where dollars are given and a teacher has
    no price, `PriceError` for a broken table of prices."""
    ladder = recipe.learning.ladder
    if ladder is None or not ladder.has_budget:
        return Budget(None)
    if ladder.dollars is None:
        return Budget(ladder.teacher_tokens, None, reply_tokens)
    prices = {section.identity: _price(section) for section in (recipe.teacher, recipe.teacher.for_first)}
    return Budget(int(ladder.dollars * NANO), prices, reply_tokens)


def _price(section: TeacherSection) -> Price:
    """The dearest price of a teacher's places."""
    known = [(endpoint.name, endpoint.price) for endpoint in section.settings().endpoints]
    missing = [name for name, price in known if price is None]
    if missing:
        raise ValueError(
            f"learning.ladder.dollars needs a price for {', '.join(missing)}: set teacher.price to {{input: DOLLARS, "
            "output: DOLLARS} per million tokens, or give the budget as teacher_tokens"
        )
    prices = [price for _, price in known if price is not None]
    return Price(max(price.input for price in prices), max(price.output for price in prices))
