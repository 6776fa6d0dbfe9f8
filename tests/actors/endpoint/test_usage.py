"""What a reply used, in the forms that providers count, and what is booked for it."""

import math
from typing import Any

import pytest

from actors.endpoint.usage import NOTHING_USED, Usage, booked, read_usage, worst_tokens
from reasoning.teacher.prices import Price
from tests.actors.in_process import request

ASKED = request("What is 2 + 2?", max_tokens=64)
OPENAI = {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23}
PRICE = Price(1.0, 10.0)
WORST = PRICE.cost(*worst_tokens(ASKED))


def used(usage: object, text: str = "It is 4.", **content: Any) -> Usage:
    return read_usage(ASKED, {"usage": usage, **content}, text)


# usage, then the tokens of the prompt and of the completion that are booked
COUNTS: list[tuple[dict[str, object], int, int]] = [
    ({"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23}, 14, 9),
    ({"prompt_tokens": 14, "completion_tokens": 9}, 14, 9),
    ({"prompt_tokens": "14", "completion_tokens": "9", "total_tokens": "23"}, 14, 9),
    ({"prompt_tokens": 14.0, "completion_tokens": 8.5}, 14, 9),
    # Far over max_tokens: what is billed is booked.
    ({"prompt_tokens": 14, "completion_tokens": 4200, "total_tokens": 4214}, 14, 4200),
    # Thinking inside of the completion: OpenAI, DeepSeek, OpenRouter.
    (
        {
            "prompt_tokens": 14,
            "completion_tokens": 300,
            "total_tokens": 314,
            "completion_tokens_details": {"reasoning_tokens": 290},
        },
        14,
        300,
    ),
    # Beside it: xAI, and Gemini through some routers.
    (
        {
            "prompt_tokens": 14,
            "completion_tokens": 9,
            "total_tokens": 313,
            "completion_tokens_details": {"reasoning_tokens": 290},
        },
        14,
        299,
    ),
    (
        {
            "prompt_tokens": 21,
            "completion_tokens": 0,
            "total_tokens": 81,
            "completion_tokens_details": {"reasoning_tokens": 60},
        },
        21,
        60,
    ),
    (
        {
            "prompt_tokens": 14,
            "completion_tokens": 9,
            "total_tokens": 23,
            "completion_tokens_details": {"reasoning_tokens": 290},
        },
        14,
        299,
    ),
    ({"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23, "reasoning_tokens": 290}, 14, 299),
    # In the total alone: Gemini.
    ({"prompt_tokens": 20, "completion_tokens": 424, "total_tokens": 1016}, 20, 996),
    # Nobody knows whether it is inside: the larger.
    ({"prompt_tokens": 14, "completion_tokens": 300, "completion_tokens_details": {"reasoning_tokens": 290}}, 14, 590),
    # Caches: within the prompt's tokens (OpenAI, DeepSeek, LiteLLM), or on top of them (Anthropic).
    (
        {
            "prompt_tokens": 140,
            "completion_tokens": 9,
            "total_tokens": 149,
            "prompt_tokens_details": {"cached_tokens": 128},
        },
        140,
        9,
    ),
    (
        {
            "prompt_tokens": 140,
            "completion_tokens": 9,
            "total_tokens": 149,
            "prompt_cache_hit_tokens": 128,
            "prompt_cache_miss_tokens": 12,
        },
        140,
        9,
    ),
    ({"prompt_tokens": 140, "completion_tokens": 9, "total_tokens": 149, "cache_read_input_tokens": 128}, 140, 9),
    ({"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 149, "cache_read_input_tokens": 128}, 140, 9),
    (
        {"input_tokens": 12, "output_tokens": 9, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 28},
        140,
        9,
    ),
    (
        {"input_tokens": 140, "output_tokens": 9, "total_tokens": 149, "input_tokens_details": {"cached_tokens": 128}},
        140,
        9,
    ),
    # In other spellings.
    ({"promptTokens": 14, "completionTokens": 4200, "totalTokens": 4214}, 14, 4200),
    ({"inputTokens": 14, "outputTokens": 9, "totalTokens": 23}, 14, 9),
    (
        {"promptTokenCount": 14, "candidatesTokenCount": 9, "thoughtsTokenCount": 890, "totalTokenCount": 913},
        14,
        899,
    ),
    ({"tokens": {"input_tokens": 14, "output_tokens": 9}, "billed_units": {"input_tokens": 3}}, 14, 9),
    ({"prompt_eval_count": 14, "eval_count": 9}, 14, 9),
    ({"tokens_evaluated": 14, "tokens_predicted": 9}, 14, 9),
    # A cache in Bedrock's words, and what a tool put before the prompt in Google's.
    (
        {"inputTokens": 4, "outputTokens": 9, "totalTokens": 33}
        | {"cacheReadInputTokens": 12, "cacheWriteInputTokens": 8},
        24,
        9,
    ),
    (
        {"promptTokenCount": 14, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 9, "totalTokenCount": 28},
        19,
        9,
    ),
]


@pytest.mark.parametrize(("usage", "prompt", "completion"), COUNTS)
def test_what_a_provider_counts_is_booked(usage: dict[str, object], prompt: int, completion: int) -> None:
    found = used(usage)
    assert (found.prompt_tokens, found.completion_tokens, found.certain) == (prompt, completion, True)
    assert booked(found, PRICE, WORST) == found.priced(PRICE) >= PRICE.cost(0, completion)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        [14, 9],
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 14, "completion_tokens": 0, "total_tokens": 14},  # nothing for something
        {"prompt_tokens": -15, "completion_tokens": -10, "total_tokens": -25},
        {"prompt_tokens": 14, "completion_tokens": -1},
        {"prompt_tokens": "fourteen", "completion_tokens": 9},
        {"prompt_tokens": True, "completion_tokens": 9},
        {"prompt_tokens": 14, "completion_tokens": math.nan},
        {"prompt_tokens": 14, "completion_tokens": math.inf},
        {"prompt_tokens": 10**15, "completion_tokens": 10**15},
        {"completion_tokens": 9},
        {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 3},  # less than its parts
    ],
)
def test_a_count_that_is_missing_or_cannot_be_true_is_booked_at_the_worst_case(usage: object) -> None:
    found = used(usage)
    assert not found.certain and booked(found, PRICE, WORST) is None


def test_thinking_beside_a_completion_is_told_by_the_text_that_needs_its_tokens() -> None:
    """Where the total has the completion alone: of 60 tokens a text of 240 letters cannot have had 20."""
    usage = {"prompt_tokens": 14, "completion_tokens": 60, "total_tokens": 74}
    usage |= {"completion_tokens_details": {"reasoning_tokens": 40}}
    assert used(usage, "word " * 12).completion_tokens == 60
    assert used(usage, "word " * 60).completion_tokens == 100


@pytest.mark.parametrize("content", [{"x_groq": {"usage": OPENAI}}, {"choices": [{"usage": OPENAI}]}])
def test_a_count_may_stand_elsewhere(content: dict[str, Any]) -> None:
    assert read_usage(ASKED, content, "It is 4.") == used(OPENAI)


def test_a_count_too_small_for_its_text_is_not_believed() -> None:
    few = {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17}
    assert used(few, "word " * 4).certain and not used(few, "word " * 400).certain


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 5000},
        {
            "prompt_tokens": 200_000,
            "completion_tokens": 5000,
            "total_tokens": 205_000,
        },  # of a prompt of fourteen letters
        {"completion_tokens": 5000},
    ],
)
def test_of_a_report_and_a_worst_case_that_disagree_the_larger_is_booked(usage: dict[str, int]) -> None:
    found = used(usage)
    assert not found.certain and (booked(found, PRICE, WORST) or 0) >= PRICE.cost(0, 5000) > WORST


def test_a_refusal_costs_nothing_and_what_is_unknown_the_worst_case() -> None:
    assert booked(NOTHING_USED, PRICE, WORST) == 0
    assert booked(None, PRICE, WORST) is None
    assert booked(None, None, 0) == 0  # without a price there is no money


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost": 0.0423}, 0.0423),
        ({"cost": "0.0423"}, 0.0423),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}}, 0.042),
        ({"cost": 0.002, "cost_details": {"upstream_inference_cost": 0.04}}, 0.042),
        ({"cost": 0.0423, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0423}}, 0.0423),
        ({"cost": {"input_tokens_cost": 0.0003, "request_cost": 0.042, "total_cost": 0.0423}}, 0.0423),  # Perplexity
        ({"estimated_cost": 0.0423}, 0.0423),  # DeepInfra
        ({"response_cost": "$0.0423"}, 0.0423),
        ({"cost_details": {"total_cost": 0.0423}}, 0.0423),
        ({"cost": None}, 0.000104),
        ({"cost": 0}, 0.000104),
        ({"cost": -1}, 0.000104),
        ({"cost": 0.00001}, 0.000104),  # the price says more
        ({"cost": math.inf}, 0.000104),
    ],
)
def test_the_cost_that_a_provider_names_is_booked_where_it_is_more(usage: dict[str, object], dollars: float) -> None:
    found = used({"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23, **usage})
    assert booked(found, PRICE, WORST) == pytest.approx(dollars * 1e9, abs=1)


@pytest.mark.parametrize(
    "content", [{"cost": 0.0423}, {"total_cost": "0.0423"}, {"_hidden_params": {"response_cost": 0.0423}}]
)
def test_a_cost_beside_the_count_is_booked(content: dict[str, Any]) -> None:
    assert booked(used(OPENAI, **content), PRICE, WORST) == 42_300_000


@pytest.mark.parametrize(
    "usage",
    [
        {"PromptTokens": 14, "CompletionTokens": 4200, "TotalTokens": 4214},
        {"prompt_tokens": "14", "completion_tokens": "4,200", "total_tokens": "4,214"},
    ],
)
def test_a_count_in_another_spelling_is_booked(usage: dict[str, object]) -> None:
    assert (used(usage).prompt_tokens, used(usage).completion_tokens) == (14, 4200)


def test_what_a_cache_took_by_its_age_is_booked() -> None:
    by_age = {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 40}
    found = used({"input_tokens": 14, "output_tokens": 9, "cache_creation": by_age})
    assert (found.prompt_tokens, found.cache_written) == (254, 240)


def test_what_a_cache_held_and_took_has_prices_of_its_own() -> None:
    price = Price(10.0, 100.0, cached=1.0, cache_write=12.5)
    anthropic = used(
        {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    )
    assert anthropic.priced(price) == (10 * 10 + 100 * 1 + 20 * 12.5 + 5 * 100) * 1000
    openai = used(
        {
            "prompt_tokens": 110,
            "completion_tokens": 5,
            "total_tokens": 115,
            "prompt_tokens_details": {"cached_tokens": 100},
        }
    )
    assert openai.priced(price) == (10 * 10 + 100 * 1 + 5 * 100) * 1000
    assert openai.priced(Price(10.0, 100.0)) == (110 * 10 + 5 * 100) * 1000  # no price of its own: no discount


@pytest.mark.parametrize(("tier", "factor"), [("default", 1), ("priority", 2), ("Priority", 2), ("flex", 1), (None, 1)])
def test_a_tier_of_service_costs_what_is_known_of_it(tier: str | None, factor: float) -> None:
    usage = {"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 23}
    found = used(usage, service_tier=tier)
    assert found.priced(PRICE) == factor * PRICE.cost(14, 9)
    own = Price(1.0, 10.0, tiers=(("flex", 0.5), ("priority", 1.75)))
    assert used(usage, service_tier="flex").priced(own) == 0.5 * PRICE.cost(14, 9)
    assert used(usage, service_tier="priority").priced(own) == 1.75 * PRICE.cost(14, 9)


def test_of_several_reports_the_one_that_counts_most_is_booked() -> None:
    more = {"prompt_tokens": 14, "completion_tokens": 4200, "total_tokens": 4214}
    for content in ({"x_groq": {"usage": more}}, {"usageMetadata": more}, {"choices": [{"usage": more}]}):
        assert used(OPENAI, **content).completion_tokens == 4200
    assert used([OPENAI, more]).completion_tokens == 4200


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        ({"prompt_tokens": 14, "completion_tokens": 9, "num_cached_tokens": 12}, 12),
        ({"promptTokenCount": 14, "cachedContentTokenCount": 12, "candidatesTokenCount": 9, "totalTokenCount": 23}, 12),
        ({"inputTokens": 2, "outputTokens": 9, "totalTokens": 23, "cacheReadInputTokenCount": 12}, 12),
    ],
)
def test_what_came_from_a_cache_is_known_in_other_spellings(usage: dict[str, object], cached: int) -> None:
    found = used(usage)
    assert (found.prompt_tokens, found.completion_tokens, found.cached, found.certain) == (14, 9, cached, True)


def test_a_cost_that_vercels_gateway_names_is_booked() -> None:
    told = {"provider_metadata": {"gateway": {"cost": "0.0012"}}}
    for content in (told, {"choices": [told]}, {"choices": [{"message": told}]}):
        assert used(OPENAI, **content).cost == 1_200_000


def test_a_cost_in_xais_ticks_is_booked() -> None:
    assert used({**OPENAI, "cost_in_usd_ticks": 5_000_000_000}).cost == 500_000_000
    assert used({**OPENAI, "cost_in_usd_ticks": -5}).cost == used({**OPENAI, "cost_in_usd_ticks": "much"}).cost == 0
