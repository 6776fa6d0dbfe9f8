"""A budget is spent in order, and passed by no more than the last replies surprise."""

from __future__ import annotations

import random

import pytest

from reasoning.recipe.tailored import parse_recipe
from reasoning.rounds.ladder.budget import Budget, budget_of_a_round
from reasoning.teacher.calls import TeacherRequest
from reasoning.teacher.prices import Price


def request(number: int, characters: int = 400) -> TeacherRequest:
    return TeacherRequest("t", "m", (("user", f"{number:04d}" + "x" * (characters - 4)),), 0.7, 512)


def spend(budget: Budget, requests: list[TeacherRequest], rng: random.Random) -> list[TeacherRequest]:
    sent: list[TeacherRequest] = []
    while requests:
        count = budget.fitting([[one] for one in requests])
        if not count:
            break
        now, requests = requests[:count], requests[count:]
        for one in now:
            budget.book(one, 100, rng.randint(60, 90))
        sent += now
    return sent


@pytest.mark.parametrize("limit", [200, 1_000, 5_000, 20_000])
def test_what_fits_is_sent_in_order_and_no_more(limit: int) -> None:
    every = [request(number) for number in range(300)]
    budget = Budget(limit)
    sent = spend(budget, list(every), random.Random(0))
    assert sent == every[: len(sent)]
    assert limit - 2 * 190 <= budget.spent <= limit + 30 or not sent
    again = Budget(limit)
    assert spend(again, list(every), random.Random(0)) == sent and again.spent == budget.spent


def test_no_limit_and_no_room() -> None:
    every = [[request(number)] for number in range(5)]
    assert Budget(None).fitting(every) == 5
    assert Budget(100).fitting(every) == 0
    assert Budget(400, reply_tokens=50).fitting(every) == 1  # before anything is measured, half of it


def test_an_answer_that_was_cut_off_before_its_first_word_was_paid_for() -> None:
    budget, every = Budget(2_000, reply_tokens=50), [[request(number)] for number in range(9)]
    budget.book_cut_off(every[0][0])
    assert budget.spent == 133 + 512 and budget.fitting(every[1:]) == 2


def test_dollars_are_counted_at_the_price_of_each_teacher() -> None:
    budget = Budget(1_000_000, {("t", "m"): Price(1.0, 4.0)})
    budget.book(request(0), 100, 50)
    assert budget.spent == 300_000  # nanodollars
    assert budget.fitting([[request(n)] for n in range(1, 9)]) == 2


def test_the_recipe_gives_the_budget_and_dollars_need_a_price() -> None:
    assert budget_of_a_round(parse_recipe("learning: {help: ladder}", "r")).limit is None
    tokens = parse_recipe("learning: {help: ladder, ladder: {teacher_tokens: 900}}", "r")
    assert budget_of_a_round(tokens).limit == 900
    text = "teacher: {kind: openai, model: nobody-knows}\nlearning: {help: ladder, ladder: {dollars: 0.5}}"
    with pytest.raises(ValueError, match="needs a price"):
        budget_of_a_round(parse_recipe(text, "r"))
    priced = text.replace("nobody-knows", "gpt-4o-mini")
    assert budget_of_a_round(parse_recipe(priced, "r")).limit == 500_000_000
