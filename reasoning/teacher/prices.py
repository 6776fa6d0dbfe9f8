"""What a teacher's tokens cost, and the most that a request can cost before it is sent.

Owns: prices per million tokens, the table of them, and the bounds on a request's tokens.

Invariants
- A bound on tokens is a bound: whatever a byte-level tokenizer makes of a text, it makes no more tokens than bytes.
- Money is counted in whole nanodollars, rounded up, so that sums are exact whatever their order.
- A model that the table does not know has no price: nothing is guessed.
- A price that can only be that of one token, or of a thousand, is refused: a cap would be passed as many times over.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reasoning.files.resources import resource
from reasoning.files.yaml_text import read_yaml

NANO = 1_000_000_000  # nanodollars in a dollar
DEFAULT_TABLE = resource("reasoning.teacher", "prices.yaml")

# A chat message brings its role and separators, a request its opening and the teacher's turn: at most so many tokens.
_TOKENS_A_MESSAGE = 16
_TOKENS_A_REQUEST = 128

# What comes after a model's name to tell its versions apart: a date, whole or short, or a number of three digits. A
# shorter number is part of the name: gpt-5 and claude-sonnet-4 are models.
_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{3,4})$")


class PriceError(ValueError):
    """A table of prices that cannot be used. The message names the file, the model and what would be right."""


_LEAST_OUTPUT = 0.001  # dollars for a million tokens: no provider asks less
_FAR_BELOW = 100.0  # times less than the table has for the model

# What is booked where a price does not say: the most that a provider is known to ask, never a discount.
_CACHE_WRITE = 2.0  # times the input's price: Anthropic, for an hour
_TIERS = {"priority": 2.0}  # times all prices: OpenAI


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one request, as its endpoint counts them; `cached` (read from a cache) and `cache_written` are among
    those
    of the prompt."""

    prompt: int
    completion: int
    cached: int = 0
    cache_written: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens of the prompt and of the completion; `batch_share` of it in a Batch API. `cached` is
    for tokens of the prompt that were read from a cache, `cache_write` for those that were written to one (None: the
    input's price, and twice that). `tiers`: what a tier of service takes, times these prices, by the tier's name."""

    input: float
    output: float
    batch_share: float = 1.0
    cached: float | None = None
    cache_write: float | None = None
    tiers: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        named = [(name, getattr(self, name)) for name in ("input", "output", "batch_share", "cached", "cache_write")]
        for name, value in [*named, *((f"tiers.{tier}", factor) for tier, factor in self.tiers)]:
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"price: {name} must be 0 or more, not {value}")

    def cost(self, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> int:
        """Nanodollars for so many tokens, rounded up."""
        return self.cost_of(Tokens(prompt_tokens, completion_tokens), batch=batch)

    def cost_of(self, tokens: Tokens, *, tier: str = "", batch: bool = False) -> int:
        """Nanodollars for `tokens` in this tier of service ("": the usual one), rounded up."""
        share = (self.batch_share if batch else 1.0) * {**_TIERS, **dict(self.tiers)}.get(tier, 1.0)
        dollars = tokens.prompt * self.input + tokens.completion * self.output
        if tokens.cached or tokens.cache_written:
            cached = self.input if self.cached is None else self.cached
            written = _CACHE_WRITE * self.input if self.cache_write is None else self.cache_write
            dollars += tokens.cached * (cached - self.input) + tokens.cache_written * (written - self.input)
        if share <= 0 or dollars <= 0:
            return 0
        return max(1, math.ceil(share * dollars * (NANO / 1e6)))  # a product of tiny numbers may come out as 0


def for_a_million(model: str, price: Price) -> Price:
    """`price`, which somebody gives for `model`. Raises `PriceError` where it is of fewer tokens than a million."""
    known = price_of(model, shipped_prices())
    least = max(_LEAST_OUTPUT, known.output / _FAR_BELOW if known else 0.0)
    if 0 < price.output < least:
        raise PriceError(
            f"the price of {model}, output: {price.output:g}, is too low for a million tokens, which prices are of; "
            f"is it of a thousand (then write {price.output * 1e3:g}) or of one ({price.output * 1e6:g})?"
        )
    return price


def most_prompt_tokens(messages: Sequence[tuple[str, str]]) -> int:
    """More tokens than any byte-level tokenizer makes of these (role, content) pairs, chat template included."""
    sizes = (
        len(role.encode("utf-8", "replace")) + len(content.encode("utf-8", "replace")) for role, content in messages
    )
    return sum(sizes) + _TOKENS_A_MESSAGE * len(messages) + _TOKENS_A_REQUEST


def dollars(nanodollars: int) -> float:
    return nanodollars / NANO


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    batch_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    cached: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cache_write: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    tiers: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(default_factory=dict)

    def price(self) -> Price:
        tiers = tuple((tier.lower(), factor) for tier, factor in self.tiers.items())
        return Price(self.input, self.output, self.batch_share, self.cached, self.cache_write, tiers)


def load_prices(path: Path = DEFAULT_TABLE) -> Mapping[str, Price]:
    """The table at `path`: YAML, one model a key, dollars per million tokens (`input`, `output`, and where the provider
    has them `batch_share`, `cached`, `cache_write` and `tiers`). Raises `PriceError`."""
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
        rows = TypeAdapter(dict[str, _Row]).validate_python(content or {})
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise PriceError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the table"
        raise PriceError(
            f"{path}: {where}: {problem['msg']}; a row is `model: {{input: 0.15, output: 0.60}}`"
        ) from None
    return {model: row.price() for model, row in rows.items()}


@functools.cache
def shipped_prices() -> Mapping[str, Price]:
    """The table that comes with Tailor, read once."""
    return load_prices()


def price_of(model: str, table: Mapping[str, Price]) -> Price | None:
    """The price of `model`, or of the model that it is a dated version of ("gpt-4o-mini-2024-07-18"), with or without
    the provider's name before it; None where the table has neither."""
    for name in (model, model.rpartition("/")[2]):
        if name in table:
            return table[name]
        undated = _VERSION.sub("", name)
        if undated in table:
            return table[undated]
    return None
