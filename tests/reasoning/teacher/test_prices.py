"""What tokens cost, and bounds that hold before anything is sent."""

import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoning.teacher.prices import (
    NANO,
    Price,
    PriceError,
    Tokens,
    dollars,
    for_a_million,
    load_prices,
    most_prompt_tokens,
    price_of,
    shipped_prices,
)

prices = st.builds(Price, st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 1))
tokens = st.integers(0, 10_000_000)


def test_a_million_tokens_cost_what_the_table_says() -> None:
    price = Price(0.15, 0.60, batch_share=0.5)
    assert price.cost(1_000_000, 0) == 0.15 * NANO
    assert price.cost(0, 1_000_000) == 0.60 * NANO
    assert price.cost(1_000_000, 1_000_000, batch=True) == 0.375 * NANO
    assert price.cost(0, 0) == 0 and price.cost(1, 0) == 150  # nanodollars
    assert dollars(price.cost(1_000_000, 0)) == 0.15


def test_whatever_is_not_free_costs_something() -> None:
    assert Price(1e-9, 0.0).cost(1, 0) == 1


@given(prices, tokens, tokens, st.booleans())
def test_costs_are_exact_to_a_nanodollar_in_a_billion(price: Price, prompt: int, completion: int, batch: bool) -> None:
    exact = (prompt * Fraction(price.input) + completion * Fraction(price.output)) * 1000
    exact *= Fraction(price.batch_share) if batch else 1
    cost = price.cost(prompt, completion, batch=batch)
    assert exact - 1e-9 * float(exact) <= cost <= exact + 1 + 1e-9 * float(exact)


@given(prices, tokens, tokens, tokens, tokens, st.booleans())
def test_fewer_tokens_never_cost_more(
    price: Price, prompt: int, completion: int, more: int, longer: int, batch: bool
) -> None:
    assert price.cost(prompt, completion, batch=batch) <= price.cost(prompt + more, completion + longer, batch=batch)


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=5))
def test_a_prompt_never_has_more_tokens_than_its_bound(messages: list[tuple[str, str]]) -> None:
    """Were every byte of the roles and contents a token, and eight more a message for the template."""
    template = sum(8 + len(role) for role, _ in messages) + 8
    assert most_prompt_tokens(messages) >= template + sum(
        len(content.encode("utf-8", "replace")) for _, content in messages
    )


def test_text_that_is_not_valid_unicode_has_a_bound_too() -> None:
    assert most_prompt_tokens([("user", "\ud800")]) > 0


@pytest.mark.parametrize("wrong", [(-1.0, 1.0), (1.0, math.nan), (math.inf, 1.0), (1.0, 1.0, -0.5)])
def test_impossible_prices_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        Price(*wrong)


TABLE = {
    name: Price(number, number)
    for number, name in enumerate(["gpt-4o", "gpt-4o-mini", "gpt-5", "claude-sonnet-4", "gemini-2.0-flash", "my/own"])
}


@pytest.mark.parametrize(
    ("model", "known_as"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("my/own", "my/own"),
        ("own", None),
        ("gpt-4o-audio", None),
        ("gpt-5-1", None),  # not a version of gpt-5: nothing is guessed
        ("gpt", None),
        ("claude-sonnet", None),
        ("", None),
    ],
)
def test_a_model_has_its_price_under_every_name_of_a_version(model: str, known_as: str | None) -> None:
    assert price_of(model, TABLE) == (TABLE[known_as] if known_as is not None else None)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini", (0.00015, 0.0006)),  # of a thousand tokens
        ("openai/gpt-4o-2024-08-06", (0.0025, 0.01)),
        ("my/own", (1.5e-7, 6e-7)),  # of one
        ("my/own", (0.0, 0.0009)),
    ],
)
def test_a_price_that_can_be_of_no_million_tokens_is_refused(model: str, price: tuple[float, float]) -> None:
    with pytest.raises(PriceError, match=rf"{price[1]:g}.*{price[1] * 1e3:g}.*{price[1] * 1e6:g}"):
        for_a_million(model, Price(*price))


@pytest.mark.parametrize("price", [Price(0.0, 0.0), Price(0.005, 0.01), Price(0.05, 0.0)])
def test_a_cheap_or_free_model_has_its_price(price: Price) -> None:
    assert for_a_million("my/own", price) is price


def test_the_table_that_comes_with_tailor_can_be_read() -> None:
    table = load_prices()
    assert price_of("gpt-4o-mini", table) == Price(0.15, 0.60, 0.5, cached=0.075)
    assert all(price.input <= price.output and 0 < price.batch_share <= 1 for price in table.values())


def test_a_table_of_one_s_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("m: {input: 1, output: 2.5}\norg/n: {input: 0, output: 0, batch_share: 0.5}\n")
    assert load_prices(path) == {"m": Price(1, 2.5), "org/n": Price(0, 0, 0.5)}
    path.write_text("")
    assert load_prices(path) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("m: {input: 1}", r"m\.output"),
        ("m: {input: -1, output: 1}", r"m\.input"),
        ("m: {input: cheap, output: 1}", r"m\.input"),
        ("m: {input: .inf, output: 1}", r"m\.input"),
        ("m: {input: 1, output: 1, batch_share: 2}", r"m\.batch_share"),
        ("m: {input: 1, output: 1, per: token}", r"m\.per"),
        ("- m", "the table"),
        ("m: [", "not YAML"),
        ("m: \udcff", "cannot be read"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_what_would_be_right(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(PriceError, match=rf"prices\.yaml: {said}"):
        load_prices(path)


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match=r"absent\.yaml: cannot be read"):
        load_prices(tmp_path / "absent.yaml")


def test_cached_input_of_the_shipped_table_costs_less_and_is_booked_so() -> None:
    discounts = {model: price for model, price in shipped_prices().items() if price.cached is not None}
    assert {"gpt-4o-mini", "gpt-5", "claude-sonnet-4"} <= set(discounts)
    for price in discounts.values():
        assert 0 < (price.cached or 0) <= price.input / 2
        assert price.cost_of(Tokens(2_000, 10, cached=1_500)) < price.cost_of(Tokens(2_000, 10))
    mini = discounts["gpt-4o-mini"]
    assert mini.cost_of(Tokens(2_000, 100, cached=1_024)) == 976 * 150 + 1_024 * 75 + 100 * 600  # nanodollars
