"""What a teacher's tokens cost, and the most that a request can cost before it is sent.

Owns: prices per million tokens, the table of them, and the bounds on a request's tokens.

Invariants
- A bound on tokens is a bound: whatever a byte-level tokenizer makes of a text, it makes no more tokens than bytes.
- Money is counted in whole nanodollars, rounded up, so that sums are exact whatever their order.
- A model that the table does not know has no price: nothing is guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from reasoning.files.resources import resource

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


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens of the prompt and of the completion; `batch_share` of it in a Batch API."""

    input: float
    output: float
    batch_share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("input", "output", "batch_share"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"price: {name} must be 0 or more, not {value}")

    def cost(self, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> int:
        """Nanodollars for so many tokens, rounded up."""
        share = self.batch_share if batch else 1.0
        return math.ceil(share * (prompt_tokens * self.input + completion_tokens * self.output) * (NANO / 1e6))


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


def load_prices(path: Path = DEFAULT_TABLE) -> Mapping[str, Price]:
    """The table at `path`: YAML, one model a key, dollars per million tokens (`input`, `output`, and `batch_share`
    where the provider has a Batch API). Raises `PriceError`."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
    return {model: Price(row.input, row.output, row.batch_share) for model, row in rows.items()}


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
