"""One endpoint of a teacher in a recipe: its limits, price, batches and serving.

Owns: the keys that every endpoint of a teacher has, their defaults, bounds and cross-checks. How it is reached and
asked is in `reasoning.recipe.place`.

Invariant: an endpoint has one place: an API's address, or the GPUs of the run's own cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from reasoning.recipe.base import Fraction, NotNegative, Positive, PositiveInt, Section
from reasoning.recipe.engine import EngineSection
from reasoning.recipe.place import PlaceSection
from reasoning.teacher.calls import BatchSettings, EndpointSettings
from reasoning.teacher.prices import Price, for_a_million, price_of


class PriceSection(Section):
    """Dollars for a million tokens; `batch_share` of it by the Batch API (OpenAI: 0.5). `cached` and `cache_write` are
    for tokens of the prompt that a cache held or took, `tiers` for the tiers of service that a reply names."""

    input: NotNegative = Field(description="Dollars per million tokens sent.")
    output: NotNegative = Field(description="Dollars per million tokens received.")
    batch_share: Fraction = Field(
        default=1.0, description="The share of these prices that the Batch API asks (OpenAI: 0.5)."
    )
    cached: NotNegative | None = Field(
        default=None,
        description="Dollars per million tokens sent that the provider had in its cache. Default: as `input`.",
    )
    cache_write: NotNegative | None = Field(
        default=None,
        description="Dollars per million tokens sent that the provider put into its cache. Default: twice `input`.",
    )
    tiers: dict[str, NotNegative] = Field(
        default_factory=dict,
        description=(
            "What a tier of service costs, times these prices, by the name that replies give it, such as "
            "`{flex: 0.5, priority: 2}`. Default: `priority` 2, any other 1."
        ),
    )

    def price(self) -> Price:
        tiers = tuple((tier.lower(), factor) for tier, factor in self.tiers.items())
        return Price(self.input, self.output, self.batch_share, self.cached, self.cache_write, tiers)


class BatchSection(Section):
    """The Batch API: cheaper, within hours. A batch goes out when `max_requests` are gathered, or none came for
    `linger_s`; it is looked at every `poll_s`."""

    max_requests: Annotated[int, Field(ge=1, le=50_000)] = Field(
        default=50_000, description="A batch is sent when it has this many requests."
    )
    linger_s: NotNegative = Field(
        default=10.0, description="A batch is also sent when no request was added for this many seconds."
    )
    poll_s: Positive = Field(default=30.0, description="Seconds between two looks at a batch that was sent.")
    window: str = Field(default="24h", description="The time within which the API promises to answer.")

    def settings(self) -> BatchSettings:
        return BatchSettings(self.max_requests, self.linger_s, self.poll_s, self.window)


class ServeSection(EngineSection):
    """A teacher that the run serves itself on the cluster's own GPUs, by Ray Serve and vLLM; `gpus` and `cpus` are per
    replica."""

    replicas: PositiveInt = Field(default=1, description="How many copies of the model are served.")
    gpus: NotNegative = Field(default=0.0, description="GPUs of each replica.")
    cpus: Positive = Field(default=1.0, description="CPU cores of each replica.")
    reasoning_parser: str | None = Field(
        default=None,
        description=(
            "The parser of vLLM that separates the model's thinking from its answer, such as `qwen3` or `deepseek_r1`. "
            "Default: none; marks such as `<think>` are read all the same."
        ),
    )
    chat_template_kwargs: dict[str, JsonValue] = Field(
        default_factory=dict, description="Arguments of the model's chat template, such as `{enable_thinking: false}`."
    )


class EndpointSection(PlaceSection):
    """One endpoint of a teacher: another key, another provider, or (`serve`) the cluster's own GPUs. `model`
    is the name it has there, by default the teacher's; `weight` its share of the requests while all have room."""

    weight: Positive = Field(
        default=1.0, description="The share of the requests that this endpoint gets while all have room."
    )
    requests_per_minute: Positive | None = Field(
        default=None, description="The limit of requests. Default: learnt from what the API says."
    )
    tokens_per_minute: Positive | None = Field(
        default=None, description="The limit of tokens. Default: learnt from what the API says."
    )
    max_in_flight: PositiveInt = Field(default=256, description="At most this many requests at once.")
    timeout_s: Positive = Field(default=120.0, description="Seconds to wait for a reply.")
    price: PriceSection | None = Field(default=None, description="What it costs. Default: from the table of prices.")
    batch: BatchSection | None = Field(
        default=None,
        description=(
            "Ask through the Batch API: cheaper, and answered within hours. All endpoints of a teacher, or none."
        ),
    )
    serve: ServeSection | None = Field(
        default=None, description="Serve the model in this run, on the cluster's own GPUs."
    )

    @model_validator(mode="after")
    def _is_in_one_place(self) -> EndpointSection:
        if self.serve is not None and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError("a teacher that the run serves itself has no base_url and no api_key_env")
        if self.serve is not None and (self.headers or self.api_version is not None):
            raise ValueError("a teacher that the run serves itself has no headers and no api_version")
        if self.serve is not None and self.batch is not None:
            raise ValueError("batch is for an API: a teacher that the run serves itself answers immediately")
        return self

    def at(
        self, name: str, base_url: str, model: str, table: Mapping[str, Price], teacher: PlaceSection | None = None
    ) -> EndpointSettings:
        """How the pool asks this endpoint, which it shows as `name` and reaches at `base_url`; `teacher` is the one
        whose further endpoint it is. Raises `PriceError` for a price that can be of no million tokens."""
        price = self.price.price() if self.price else price_of(model, table)
        return EndpointSettings(
            name=name,
            base_url=base_url,
            model=model,
            api_key_env=self.api_key_env,
            weight=self.weight,
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            max_in_flight=self.max_in_flight,
            timeout_s=self.timeout_s,
            send_seed=self.send_seed,
            send_temperature=self.send_temperature,
            max_tokens_key=self.max_tokens_key,
            price=for_a_million(model, price) if price else None,
            batch=self.batch.settings() if self.batch else None,
            parameters=self.parameters(teacher),
            headers=tuple(sorted(self.headers.items())),
            api_version=self.api_version,
        )
