"""The teacher's sections of a recipe: who is asked, where, how fast, and for how much money.

Owns: the keys of `teacher`, their defaults, bounds and cross-checks, and the settings of the pool that they come to.

Invariants
- No section holds a secret: keys are named by environment variable, and an address with a password is refused.
- Where a teacher is reached, how fast and at what price changes nothing about what it answers: those keys are no part
  of a run's identity (`THROUGHPUT_KEYS`), nor of any request's key.
- A cap on spending is refused where a price is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from reasoning.recipe.base import Fraction, NotNegative, Positive, PositiveInt, Section
from reasoning.records import stable_id
from reasoning.teacher.calls import BatchSettings, EndpointSettings, TeacherSettings
from reasoning.teacher.prices import DEFAULT_TABLE, Price, load_prices, price_of

OPENAI_API = "https://api.openai.com/v1"
OFFLINE_MODEL = "offline-teacher"

# Keys of a teacher that change nothing about what it is asked; the last two say how some models must be asked it.
THROUGHPUT_KEYS = (
    "workers",
    "weight",
    "requests_per_minute",
    "tokens_per_minute",
    "max_in_flight",
    "timeout_s",
    "attempts",
    "rate_limit_patience_s",
    "api_key_env",
    "latency_s",
    "price",
    "prices",
    "max_cost",
    "batch",
    "serve",
    "endpoints",
    "send_temperature",
    "max_tokens_key",
)


class PriceSection(Section):
    """Dollars for a million tokens; `batch_share` of it by the Batch API (OpenAI: 0.5)."""

    input: NotNegative
    output: NotNegative
    batch_share: Fraction = 1.0

    def price(self) -> Price:
        return Price(self.input, self.output, self.batch_share)


class BatchSection(Section):
    """The Batch API: cheaper, within hours. A batch goes out when `max_requests` are gathered, or none came for
    `linger_s`; it is looked at every `poll_s`."""

    max_requests: Annotated[int, Field(ge=1, le=50_000)] = 50_000
    linger_s: NotNegative = 10.0
    poll_s: Positive = 30.0
    window: str = "24h"

    def settings(self) -> BatchSettings:
        return BatchSettings(self.max_requests, self.linger_s, self.poll_s, self.window)


class ServeSection(Section):
    """A teacher that the run serves itself on the cluster's own GPUs, by Ray Serve and vLLM; `gpus` and `cpus` are per
    replica."""

    replicas: PositiveInt = 1
    gpus: NotNegative = 0.0
    cpus: Positive = 1.0
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: PositiveInt | None = None
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85
    kv_cache_gib: Positive = 1.0
    enforce_eager: bool = True


class PlaceSection(Section):
    """One place where a teacher is reached: another key, another provider, or (`serve`) the cluster's own GPUs. `model`
    is the name it has there, by default the teacher's; `weight` its share of the requests while all have room."""

    base_url: str | None = Field(default=None, description="the API's address; default OpenAI's own")
    model: str | None = None
    api_key_env: str | None = Field(default=None, description="name of the environment variable that holds the key")
    weight: Positive = 1.0
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    max_in_flight: PositiveInt = 256
    timeout_s: Positive = 120.0
    send_seed: bool = True
    send_temperature: bool = Field(default=True, description="false for models that refuse one")
    max_tokens_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    price: PriceSection | None = None
    batch: BatchSection | None = None
    serve: ServeSection | None = None

    @field_validator("base_url")
    @classmethod
    def _address_without_secrets(cls, base_url: str | None) -> str | None:
        if base_url is not None:
            parts = urlsplit(base_url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("an address that begins with http:// or https:// is needed")
            if parts.username or parts.password or parts.query:
                # shown neither here nor anywhere: an address is written to journal and log
                raise ValueError("an address holds no user, password or query; give the key by api_key_env")
        return base_url

    @field_validator("api_key_env")
    @classmethod
    def _a_variable_and_no_key(cls, name: str | None) -> str | None:
        if name is not None and re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) is None:
            raise ValueError("the name of an environment variable, in capitals, is needed here, never the key itself")
        return name

    @model_validator(mode="after")
    def _is_in_one_place(self) -> PlaceSection:
        if self.serve is not None and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError("a teacher that the run serves itself has no base_url and no api_key_env")
        if self.serve is not None and self.batch is not None:
            raise ValueError("batch is for an API: a teacher that the run serves itself answers at once")
        return self

    def at(self, name: str, base_url: str, model: str, table: Mapping[str, Price]) -> EndpointSettings:
        """How the pool asks this place, which it shows as `name` and reaches at `base_url`."""
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
            price=self.price.price() if self.price else price_of(model, table),
            batch=self.batch.settings() if self.batch else None,
        )


class EndpointSection(PlaceSection):
    """One teacher. `offline` and `recorded` are served by the run itself, `serve` is any model that vLLM runs, served
    by the run itself; `openai` is any OpenAI-compatible API. `endpoints` are further places where it is reached."""

    kind: Literal["offline", "recorded", "openai", "serve"] = "offline"
    model: str = OFFLINE_MODEL
    recorded: Path | None = Field(default=None, description="kind recorded: JSONL of recorded completions")
    error_rate: Fraction = Field(default=0.0, description="kind offline: share of replies that are wrong")
    latency_s: NotNegative = Field(default=0.0, description="kind offline: seconds a reply takes")
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.7
    max_tokens: PositiveInt = 512
    attempts: PositiveInt = 5
    rate_limit_patience_s: Positive = 600.0
    prices: Path | None = Field(default=None, description="table of prices, instead of the one that comes with Tailor")
    endpoints: tuple[PlaceSection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _kind_gives_defaults(cls, content: Any) -> Any:
        if not isinstance(content, Mapping):
            return content
        if content.get("kind") == "serve" and content.get("serve") is None:
            return {**content, "serve": {}}
        if content.get("kind") == "recorded" and content.get("model", OFFLINE_MODEL) == OFFLINE_MODEL:
            return {**content, "model": "recorded-teacher"}
        return content

    @model_validator(mode="after")
    def _kind_has_its_keys(self) -> EndpointSection:
        if self.kind == "recorded" and self.recorded is None:
            raise ValueError("kind: recorded needs recorded, a JSONL file of recorded completions")
        if self.kind != "recorded" and self.recorded is not None:
            raise ValueError("recorded needs kind: recorded")
        if self.kind != "openai" and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError(f"base_url and api_key_env need kind: openai (kind is {self.kind})")
        if self.kind != "openai" and self.batch is not None:
            raise ValueError(f"batch needs kind: openai (kind is {self.kind})")
        if len({place.batch is None for place in self.places}) > 1:
            raise ValueError("batch is for all places of a teacher or for none: give it here and in all of endpoints")
        if self.kind != "serve" and self.serve is not None:
            raise ValueError(f"serve needs kind: serve (kind is {self.kind}), or a place of its own in endpoints")
        if self.kind != "offline" and (self.error_rate or self.latency_s):
            raise ValueError("error_rate and latency_s need kind: offline")
        if self.kind in ("openai", "serve") and self.model == OFFLINE_MODEL:
            raise ValueError(f"kind: {self.kind} needs model, the name the teacher is known by")
        return self

    @property
    def name(self) -> str:
        """The teacher's name in the journal: stable across runs and ports, never a secret."""
        return self.base_url or OPENAI_API if self.kind == "openai" else self.kind

    @property
    def identity(self) -> tuple[str, str]:
        """What its answers are filed under."""
        return self.name, self.model

    @property
    def places(self) -> tuple[PlaceSection, ...]:
        """Where this teacher is reached: its own place first, then `endpoints`."""
        return (self, *self.endpoints)

    def price_table(self) -> Mapping[str, Price]:
        """The prices of models, for places without a price of their own. Raises `PriceError`."""
        return load_prices(self.prices or DEFAULT_TABLE)

    def model_at(self, place: PlaceSection) -> str:
        """The name that this teacher has at `place`."""
        return place.model or self.model

    def application(self, place: PlaceSection) -> str | None:
        """The name of the Ray Serve application that answers at `place`, which is one of this run; None where somebody
        else serves it. The same model served alike is one application, whichever teacher asks it."""
        if place is self and self.kind in ("offline", "recorded"):
            return f"{self.kind}-{stable_id(self.model, self.error_rate, str(self.recorded), self.latency_s)[:8]}"
        if place.serve is None:
            return None
        return f"model-{stable_id(self.model_at(place), place.serve.model_dump())[:8]}"

    def settings(
        self, base_urls: Mapping[str, str] | None = None, *, run: str = "", max_cost: float | None = None
    ) -> TeacherSettings:
        """How the teacher pool asks this teacher. `base_urls` gives the addresses of the applications that the run
        serves itself, which cost nothing unless they have a price.

        Raises `PriceError` for a broken table, `ValueError` for a cap on spending without prices."""
        table = self.price_table()
        endpoints = []
        for label, place in zip(self.labels(), self.places, strict=True):
            application, model = self.application(place), self.model_at(place)
            base_url = (base_urls or {}).get(application) if application else place.base_url
            prices = {model: Price(0.0, 0.0)} if application else table
            endpoints.append(place.at(label, base_url or OPENAI_API, model, prices))
        return TeacherSettings(
            name=self.name,
            endpoints=tuple(endpoints),
            attempts=self.attempts,
            rate_limit_patience_s=self.rate_limit_patience_s,
            max_cost=max_cost,
            run=run,
        )

    def labels(self) -> list[str]:
        """What the places are called in messages and metrics: each differently, none with a secret."""
        further = [f"serve {self.model_at(p)}" if p.serve else p.base_url or OPENAI_API for p in self.endpoints]
        named = [self.name, *further]
        shared = Counter(named)
        keyed = [
            f"{label} ({place.api_key_env or place.model or 'no key'})" if shared[label] > 1 else label
            for label, place in zip(named, self.places, strict=True)
        ]
        again = Counter(keyed)
        return [f"{label} #{number}" if again[label] > 1 else label for number, label in enumerate(keyed, 1)]


class RunTeacherSection(EndpointSection):
    """The teacher of a run, whatever the run teaches. `workers` are the processes that ask. `max_cost` is the most, in
    dollars, that the run may spend: it stops before it could pass it, and goes on when it is raised."""

    workers: PositiveInt = 2
    max_cost: NotNegative | None = None
    demonstrations: Path | None = Field(default=None, description="few-shot examples for a prompt that shows them")


class TeacherSection(RunTeacherSection):
    """The teacher that answers mistakes; `first`, when given, is another one for round 0's rationales, and `max_cost`
    is for both."""

    first: EndpointSection | None = None
    first_prompt: str = Field(default="plain", description="asks for round 0's rationales")
    feedback_prompt: str = Field(default="tailored", description="asks for an answer to a mistake")

    @model_validator(mode="after")
    def _answers_are_told_apart(self) -> TeacherSection:
        """Answers are filed by the teacher's kind and its model's name."""
        mine, first = self.application(self), self.first.application(self.first) if self.first is not None else None
        if mine and first and mine != first and self.first is not None and self.identity == self.first.identity:
            raise ValueError(
                f"first is another {self.kind} teacher, and their answers would be taken for one another's: give one "
                "of them a model name of its own (model)"
            )
        return self

    @property
    def for_first(self) -> EndpointSection:
        return self.first or self
