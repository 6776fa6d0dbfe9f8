"""Tokens, money and time of an estimate, against cases worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reasoning.estimate.call_plan import Calls, Planned
from reasoning.estimate.sums import CallEstimate, CallSize, Estimate, Pace, Rates, Use, rates_of, within_budget
from reasoning.rounds.requests import Ask
from reasoning.teacher.calls import BatchSettings, EndpointSettings
from reasoning.teacher.prices import Price

CHEAP = Price(1.0, 2.0)  # dollars for a million tokens
RATES = Rates(CHEAP, Price(2.0, 4.0))


def row(calls: Calls, size: CallSize, known: tuple[Use, ...] = (), rates: Rates | None = RATES) -> CallEstimate:
    return CallEstimate(Planned(Ask.RATIONALES, 1, (0,), calls, "exact"), size, rates, known)


def test_a_sample_gives_the_mean_and_the_limits_give_the_most() -> None:
    size = CallSize(400, 500, 300, (Use(100, 40), Use(120, 60)))
    one = row(Calls.of(10), size)
    assert (one.prompt_tokens, one.completion_tokens) == (1100, 500)
    assert one.expected == pytest.approx((1100 * 1 + 500 * 2) / 1e6)
    assert one.most == pytest.approx(10 * (500 * 2 + 300 * 4) / 1e6)
    bounds = size.intervals()
    assert bounds is not None
    reach = 12.706 * 10  # Student's t for one degree of freedom, and the error of the mean
    assert (bounds[0].low, bounds[0].high) == pytest.approx((110 - reach, 110 + reach))
    assert CallSize(400, 500, 300, (Use(1, 1),)).intervals() is None


def test_without_a_sample_the_prompt_is_measured_in_characters_and_the_reply_is_as_long_as_it_may_be() -> None:
    one = row(Calls(0, 5.0, 10), CallSize(400, 500, 300))
    assert (one.prompt_tokens, one.completion_tokens) == (500, 1500)
    assert one.most is not None and one.expected is not None and one.most > one.expected


def test_what_is_known_is_not_estimated() -> None:
    uses = (Use(90, 30), Use(110, 50), Use(130, 10))
    whole = row(Calls.of(3), CallSize(400, 500, 300, uses), uses)
    assert (whole.prompt_tokens, whole.completion_tokens) == (330, 90)
    assert whole.to_pay == whole.most_to_pay == 0.0
    assert whole.expected == whole.most == pytest.approx((330 + 180) / 1e6)
    part = row(Calls.of(5), CallSize(400, 500, 300, uses), uses)
    assert part.prompt_tokens == 330 + 2 * 110
    assert part.to_pay == pytest.approx(2 * (110 + 60) / 1e6)
    both = Estimate((whole, part))
    assert both.calls == Calls.of(8) and both.known_calls == 6
    assert both.to_pay == pytest.approx(part.to_pay)
    assert both.expected == pytest.approx((whole.expected or 0) + (part.expected or 0))


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ((None, None), [5, 10, 20, 4]),
        ((3000.0, None), [5, 10, 20, 4]),  # two rounds have 6,000 tokens for 30 calls of 200
        ((1800.0, None), [5, 6, 12, 4]),  # 3,600 for them: 18
        ((None, 0.0012), [5, 4 / 3, 8 / 3, 2]),  # $0.0006 a call at the dearest price, and one is paid in round 1
    ],
)
def test_a_ladders_rounds_expect_no_more_than_their_budget(
    budget: tuple[float | None, float | None], expected: list[float]
) -> None:
    size = CallSize(400, 500, 300, (Use(100, 100),))

    def ladder(ask: Ask, rounds: tuple[int, ...], count: float, known: tuple[Use, ...] = ()) -> CallEstimate:
        return CallEstimate(Planned(ask, 1, rounds, Calls(0, count, 50), "as far"), size, RATES, known)

    rows = [
        row(Calls.of(5), size),  # round 0 has no budget
        ladder(Ask.RATIONALES, (2, 3), 10),
        ladder(Ask.FEEDBACK, (2, 3), 20),
        ladder(Ask.FEEDBACK, (1,), 4, known=(Use(100, 100),)),
    ]
    within = within_budget(rows, *budget)
    assert [one.planned.calls.expected for one in within] == pytest.approx(expected)
    assert [one.most for one in within] == pytest.approx([one.most for one in rows])
    free = [replace(one, rates=None) for one in rows]
    assert within_budget(free, None, 0.0012) == free  # no price tells how far dollars reach


def test_of_rungs_that_share_their_questions_the_dearest_counts_at_most() -> None:
    def rung(
        ask: Ask, rung: Ask | None, rounds: tuple[int, ...], limit: int, known: tuple[Use, ...] = ()
    ) -> CallEstimate:
        planned = Planned(ask, 1, rounds, Calls(0, 10, 50), "each on one rung", rung=rung)
        return CallEstimate(planned, CallSize(0, 0, limit), RATES, known)

    plain = rung(Ask.RATIONALES, Ask.RATIONALES, (1,), 100)
    told = rung(Ask.FEEDBACK, Ask.FEEDBACK, (1,), 200)
    new = [rung(ask, Ask.NEW_QUESTIONS, (1,), 150) for ask in (Ask.NEW_QUESTIONS, Ask.NEW_ANSWERS)]
    first = row(Calls.of(5), CallSize(0, 0, 100))
    assert Estimate((first, plain, told)).most == pytest.approx((first.most or 0) + (told.most or 0))
    assert Estimate((first, plain, told)).calls.most == 55
    assert Estimate((plain, told, *new)).most == pytest.approx(sum(one.most or 0 for one in new))
    later = rung(Ask.FEEDBACK, Ask.FEEDBACK, (2,), 200)
    assert Estimate((plain, told, later)).calls.most == 100  # another exam has other questions
    exact = [rung(ask, None, (1,), 100) for ask in (Ask.RATIONALES, Ask.FEEDBACK)]
    assert (
        Estimate(tuple(exact)).calls.most == 100
    )  # of an exam that was sat: these on the one rung, those on the other
    paid = rung(Ask.RATIONALES, Ask.RATIONALES, (1,), 100, known=(Use(0, 100),) * 20)
    both = Estimate((paid, told))
    assert (both.most_to_pay, both.most) == (
        told.most_to_pay,
        pytest.approx((told.most or 0) + 20 * 100 * RATES.expected.output / 1e6),
    )


def test_a_model_without_a_price_costs_nothing_that_is_known() -> None:
    size = CallSize(400, 500, 300)
    one = Estimate((row(Calls.of(1), size), row(Calls.of(1), size, rates=None)))
    assert one.expected is one.most is one.to_pay is one.most_to_pay is None
    assert one.prompt_tokens == 200


def test_several_places_are_expected_by_weight_and_bounded_by_the_dearest() -> None:
    batched = EndpointSettings(
        "b", "http://b", "m", weight=3, price=Price(4, 8, batch_share=0.5), batch=BatchSettings()
    )
    live = EndpointSettings("a", "http://a", "m", weight=1, price=Price(6, 4))
    assert rates_of([live, batched]) == Rates(Price(3.0, 4.0), Price(6.0, 4.0))
    assert rates_of([live, EndpointSettings("c", "http://c", "m")]) is None


def test_the_time_is_that_of_the_tighter_limit_and_two_teachers_take_turns() -> None:
    size = CallSize(400, 500, 300, (Use(100, 100),))
    first = row(Calls.of(60), size)
    later = CallEstimate(Planned(Ask.FEEDBACK, 1, (1,), Calls.of(30), "exact"), size, RATES)
    slow, fast = Pace(60, 4000), Pace(30, None)
    assert Estimate((first,)).minutes({Ask.RATIONALES: slow}) == pytest.approx(3.0)  # 12000 tokens; 1 by requests
    assert Estimate((first, later)).minutes({Ask.RATIONALES: slow, Ask.FEEDBACK: fast}) == pytest.approx(4.0)
    assert Estimate((first, later)).minutes({Ask.RATIONALES: fast, Ask.FEEDBACK: fast}) == pytest.approx(3.0)
    assert Estimate((first,)).minutes({Ask.RATIONALES: Pace(None, None)}) is None
