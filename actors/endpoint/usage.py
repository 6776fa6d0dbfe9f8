"""What one sending used, as its endpoint counts, and what is booked for it.

Owns: the reading of a reply's `usage` in the forms that providers send, and the money that follows from it.

Invariants
- What is booked is never less than what the endpoint reports: not by its tokens, and not by the cost that it names.
- Where the report is missing, cannot be true or contradicts itself, it is not less than the request's worst case
  either.
- Thinking counts as completion, wherever it stands: in `completion_tokens`, beside them, or in `total_tokens` alone.
  Where nothing tells which, the larger count stands.
- A count above what any model has room for is ignored.

Forms: OpenAI's (`prompt_tokens`, `completion_tokens`, `total_tokens` and their details), and beside them DeepSeek's
`prompt_cache_hit_tokens`, Anthropic's `input_tokens`, `cache_read_input_tokens` and `cache_creation_input_tokens`,
xAI's `reasoning_tokens` outside of the completion's and its `cost_in_usd_ticks`, OpenRouter's `cost` and
`cost_details`, DeepInfra's `estimated_cost`, Vercel's `provider_metadata`, LiteLLM's header, Google's `usageMetadata`,
Cohere's `tokens`, Ollama's and llama.cpp's counts; names in any spelling (`completionTokens`). Of several reports the
one that counts most is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reasoning.teacher.calls import TeacherRequest
from reasoning.teacher.prices import NANO, Price, Tokens, most_prompt_tokens

_MOST_TOKENS = 10_000_000  # the largest window that a model is offered with
_MOST_DOLLARS = 100_000.0
_OVER, _OWN_WORDS = 4, 2_000  # an endpoint may put words of its own before a prompt, but not any number of them
_PROMPT = (
    *("prompt_tokens", "input_tokens", "prompt_token_count", "input_token_count"),
    *("prompt_eval_count", "tokens_evaluated"),
)
_COMPLETION = (
    *("completion_tokens", "output_tokens", "generated_tokens"),
    *("candidates_token_count", "output_token_count", "eval_count", "tokens_predicted", "generated_token_count"),
)
_TOTAL = ("total_tokens", "total_token_count")
_READ = (
    *("prompt_cache_hit_tokens", "cache_read_input_tokens", "cache_read_input_token_count", "cached_tokens"),
    *("num_cached_tokens", "cached_content_token_count"),
)
_WRITTEN = ("cache_creation_input_tokens", "cache_write_input_tokens", "cache_write_input_token_count")
_COUNTS = (*_PROMPT, *_COMPLETION, *_TOTAL)
_TICKS = 10**10  # in a dollar: xAI's
_COST_HEADER = "x-litellm-response-cost"
_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")
_BYTES_OF_A_TEXT_A_TOKEN = 12  # at most, on the average: prose has four or five
_BYTES_A_TOKEN = 32  # a text has no fewer tokens than that: they have about four bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens that one sending has used. `cached` and `cache_written` are among those of the prompt. `cost` is what
    the endpoint says it charges, in nanodollars, and `tier` the tier of service it names. `certain` False: it may have
    been more, and the worst case stands if that is more."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: int = 0
    cache_written: int = 0
    cost: int = 0
    tier: str = ""
    certain: bool = True

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def priced(self, price: Price | None, *, batch: bool = False) -> int:
        """Nanodollars for these tokens; never less than the endpoint names."""
        if price is None:
            return self.cost
        counted = Tokens(self.prompt_tokens, self.completion_tokens, self.cached, self.cache_written)
        return max(self.cost, price.cost_of(counted, tier=self.tier, batch=batch))

    def with_cost_of(self, headers: Mapping[str, str]) -> Usage:
        """The same, with the cost that a response's headers name where that is more."""
        return replace(self, cost=max(self.cost, math.ceil(_money(headers.get(_COST_HEADER)) * NANO)))


NOTHING_USED = Usage()


def worst_tokens(request: TeacherRequest) -> tuple[int, int]:
    """The most tokens that `request` can use where its limit is kept: of the prompt, and of the completion."""
    if request.scoring is not None:
        return len(request.scoring.tokens), request.max_tokens
    return most_prompt_tokens(request.messages), request.max_tokens


def booked(usage: Usage | None, price: Price | None, worst_cost: int, *, batch: bool = False) -> int | None:
    """Nanodollars to book for a sending whose worst case is `worst_cost`. None: the worst case, as it was reserved."""
    if usage is None:
        return 0 if price is None else None
    cost = usage.priced(price, batch=batch)
    return cost if usage.certain or price is None or cost > worst_cost else None


def read_usage(request: TeacherRequest, content: Mapping[str, Any], text: str, thought: str = "") -> Usage:
    """What a completion's body says of the tokens of `request`; `text` is what it says for them after what it
    `thought`."""
    told = _told(content)
    size, thought_size = (len(one.encode("utf-8", "replace")) for one in (text, thought))
    sent, made = (
        (_first(told, *_PROMPT) or 0) + (_first(told, "tool_use_prompt_token_count") or 0),
        _first(told, *_COMPLETION) or 0,
    )
    total, thinking = _first(told, *_TOTAL), _thinking(told)
    read, written, beside = _cached(told, sent)
    if total is None:
        beside = beside or "cache_read_input_tokens" in told
    elif total == sent + made + read + written:
        beside = True
    prompt = sent + (read + written if beside else 0)
    agrees = total is None or total >= prompt + made
    completion = max(made, (total or 0) - prompt)
    too_few = (
        made - thinking
    ) * _BYTES_OF_A_TEXT_A_TOKEN < size  # for the text, if thinking were among the completion's
    if thinking > completion or (thinking and (total is None or (completion == made and too_few))):
        completion = made + thinking  # beside the completion's, or nobody knows
    most_prompt, _ = worst_tokens(request)
    plausible = (
        0 < prompt <= _OVER * most_prompt + _OWN_WORDS
        and completion >= (size + thought_size) // _BYTES_A_TOKEN
        and (completion > 0 or not (text or thought))
    )
    counts = [told[name] for name in _COUNTS if told.get(name) is not None]
    certain = plausible and agrees and all(_count(count) is not None for count in counts)
    cost = max(_dollars(report) for report in (told, content, *_beside(content)))
    return Usage(prompt, completion, read, written, cost, _tier(content, told), certain)


def _beside(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Where routers name a cost besides: LiteLLM's hidden parameters, Vercel's gateway."""
    yield _details(content, "_hidden_params")
    choices = content.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    for place in (content, first, _details(first, "message")):
        yield _details(_details(place, "provider_metadata", "providerMetadata"), "gateway")


def _told(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report on tokens: where OpenAI has it, or where some streams and routers put it."""
    groq, choices = content.get("x_groq"), content.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    places = [place for place in (content, groq, first) if isinstance(place, Mapping)]
    found = (place.get(name) for name in ("usage", "usageMetadata", "usage_metadata") for place in places)
    listed = (one for usage in found for one in (usage if isinstance(usage, list) else [usage]))
    reports = [_spelled(usage) for usage in listed if isinstance(usage, Mapping)]
    return max((_details(report, "tokens") or report for report in reports), key=_counted, default={})


def _spelled(usage: Mapping[str, Any]) -> dict[str, Any]:
    """`usage` with its names as OpenAI spells them: `promptTokens` and `PromptTokens` are `prompt_tokens`."""
    return {_CAPITAL.sub(lambda found: f"_{found[0]}", str(name)).lower(): value for name, value in usage.items()}


def _counted(told: Mapping[str, Any]) -> int:
    return max(_first(told, *_TOTAL) or 0, (_first(told, *_PROMPT) or 0) + (_first(told, *_COMPLETION) or 0))


def _first(told: Mapping[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := _count(told.get(name))) is not None), None)


def _count(value: object) -> int | None:
    """A count of tokens, from a number or a text that is one; None for what is none."""
    if isinstance(value, str):
        try:
            value = float(value.replace(",", ""))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_TOKENS:
        return None
    return math.ceil(value)


def _details(told: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((found for name in names if isinstance(found := told.get(name), Mapping)), {})


def _thinking(told: Mapping[str, Any]) -> int:
    details = _details(told, "completion_tokens_details", "output_tokens_details", "completion_token_details")
    inside = _first(details, "reasoning_tokens", "thinking_tokens", "thoughts_tokens")
    beside = _first(told, "reasoning_tokens", "thinking_tokens", "thoughts_tokens", "thoughts_token_count")
    return max(inside or 0, beside or 0)


def _cached(told: Mapping[str, Any], prompt: int) -> tuple[int, int, bool]:
    """Tokens read from a cache and written to one, and whether they come on top of the prompt's."""
    details = _details(told, "prompt_tokens_details", "input_tokens_details")
    read = _first(told, *_READ) or 0
    read = max(read, _first(details, "cached_tokens", "cache_read_input_tokens") or 0)
    written = _first(told, *_WRITTEN) or 0
    written = max(
        written, _first(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens") or 0
    )
    by_age = _details(told, "cache_creation")  # Anthropic's, of five minutes and of an hour
    written = max(written, sum(count for age in by_age.values() if (count := _count(age)) is not None))
    anthropic = "prompt_tokens" not in told and ("cache_read_input_tokens" in told or bool(by_age))
    return read, written, anthropic or read + written > prompt


def _dollars(told: Mapping[str, Any]) -> int:
    """The cost that an endpoint names, in nanodollars; 0 where it names none."""
    cost, details = told.get("cost"), _details(told, "cost_details")
    if isinstance(cost, Mapping):  # Perplexity's
        cost = cost.get("total_cost")
    upstream, byok = _money(details.get("upstream_inference_cost")), told.get("is_byok")
    if byok is False or (byok is not True and upstream <= _money(cost)):
        upstream = 0.0  # it is in the cost already; with a key of one's own it comes on top
    ticks = _money(told.get("cost_in_usd_ticks"), _MOST_DOLLARS * _TICKS) / _TICKS
    others = [_money(told.get(name)) for name in ("estimated_cost", "total_cost", "response_cost")]
    others += [_money(details.get(name)) for name in ("total_cost", "total")]
    return math.ceil(max(ticks, _money(cost) + upstream, *others) * NANO)


def _money(value: object, most: float = _MOST_DOLLARS) -> float:
    if isinstance(value, str):
        try:
            value = float(value.strip().removeprefix("$").replace(",", ""))
        except ValueError:
            return 0.0
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    return float(value) if known and isinstance(value, int | float) else 0.0


def _tier(content: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    tier = content.get("service_tier") or told.get("service_tier")
    return tier.lower() if isinstance(tier, str) else ""
