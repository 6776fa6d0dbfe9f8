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
from reasoning.recipe.engine import EngineSection
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

    input: NotNegative = Field(description="Dollars per million tokens sent.")
    output: NotNegative = Field(description="Dollars per million tokens received.")
    batch_share: Fraction = Field(
        default=1.0, description="The share of these prices that the Batch API asks (OpenAI: 0.5)."
    )

    def price(self) -> Price:
        return Price(self.input, self.output, self.batch_share)


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


class EndpointSection(Section):
    """One endpoint of a teacher: another key, another provider, or (`serve`) the cluster's own GPUs. `model`
    is the name it has there, by default the teacher's; `weight` its share of the requests while all have room."""

    base_url: str | None = Field(
        default=None, description="The API's address, such as `http://host:8000/v1`. Default: OpenAI's."
    )
    model: str | None = Field(default=None, description="The model's name there. Default: the teacher's.")
    api_key_env: str | None = Field(
        default=None,
        description=("The name of the environment variable that holds the key. The key itself is never written down."),
    )
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
    send_seed: bool = Field(
        default=True, description="Send each request's seed. Set it to false for an API that refuses one."
    )
    send_temperature: bool = Field(
        default=True, description="Send the temperature. Set it to false for a model that refuses one."
    )
    max_tokens_key: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="The name by which the API knows the limit of a reply's tokens."
    )
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
    def _is_in_one_place(self) -> EndpointSection:
        if self.serve is not None and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError("a teacher that the run serves itself has no base_url and no api_key_env")
        if self.serve is not None and self.batch is not None:
            raise ValueError("batch is for an API: a teacher that the run serves itself answers at once")
        return self

    def at(self, name: str, base_url: str, model: str, table: Mapping[str, Price]) -> EndpointSettings:
        """How the pool asks this endpoint, which it shows as `name` and reaches at `base_url`."""
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


class TeacherSection(EndpointSection):
    """One teacher. `offline` and `recorded` are served by the run itself, `serve` is any model that vLLM runs, served
    by the run itself; `openai` is any OpenAI-compatible API. `endpoints` are further ones."""

    kind: Literal["offline", "recorded", "openai", "serve"] = Field(
        default="offline",
        description=(
            "Who is asked: `offline`, the built-in program that solves the generated tasks; "
            "`recorded`, a file of replies; `openai`, any API that is compatible with OpenAI's; "
            "`serve`, a model that the run serves itself."
        ),
    )
    model: str = Field(default=OFFLINE_MODEL, description="The model's name. Needed for `openai` and `serve`.")
    recorded: Path | None = Field(default=None, description="For kind `recorded`: a JSONL file of completions.")
    error_rate: Fraction = Field(
        default=0.0, description="For kind `offline`: the share of its replies that are wrong."
    )
    latency_s: NotNegative = Field(default=0.0, description="For kind `offline`: the seconds that a reply takes.")
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        default=0.7, description="The sampling temperature of its replies."
    )
    max_tokens: PositiveInt = Field(default=512, description="The longest reply, in tokens.")
    attempts: PositiveInt = Field(default=5, description="How often a request is tried before it counts as failed.")
    rate_limit_patience_s: Positive = Field(
        default=600.0, description="Seconds that a request may spend refused for its rate before it counts as failed."
    )
    prices: Path | None = Field(default=None, description="A table of prices to use instead of Tailor's own.")
    endpoints: tuple[EndpointSection, ...] = Field(
        default=(),
        description=(
            "Further endpoints of the same teacher: another key, another provider, or the cluster's own GPUs."
        ),
    )

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
    def _kind_has_its_keys(self) -> TeacherSection:
        if self.kind == "recorded" and self.recorded is None:
            raise ValueError("kind: recorded needs recorded, a JSONL file of recorded completions")
        if self.kind != "recorded" and self.recorded is not None:
            raise ValueError("recorded needs kind: recorded")
        if self.kind != "openai" and (self.base_url is not None or self.api_key_env is not None):
            raise ValueError(f"base_url and api_key_env need kind: openai (kind is {self.kind})")
        if self.kind != "openai" and self.batch is not None:
            raise ValueError(f"batch needs kind: openai (kind is {self.kind})")
        if len({endpoint.batch is None for endpoint in self.all_endpoints}) > 1:
            raise ValueError(
                "batch is for all endpoints of a teacher or for none: give it here and in all of endpoints"
            )
        if self.kind != "serve" and self.serve is not None:
            raise ValueError(f"serve needs kind: serve (kind is {self.kind}), or an endpoint of its own in endpoints")
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
    def all_endpoints(self) -> tuple[EndpointSection, ...]:
        """Where this teacher is reached: its own endpoint first, then `endpoints`."""
        return (self, *self.endpoints)

    def price_table(self) -> Mapping[str, Price]:
        """The prices of models, for endpoints without a price of their own. Raises `PriceError`."""
        return load_prices(self.prices or DEFAULT_TABLE)

    def model_at(self, endpoint: EndpointSection) -> str:
        """The name that this teacher has at `endpoint`."""
        return endpoint.model or self.model

    def application(self, endpoint: EndpointSection) -> str | None:
        """The name of the Ray Serve application that answers at `endpoint`, which is one of this run; None where
        somebody else serves it. The same model served alike is one application, whichever teacher asks it."""
        if endpoint is self and self.kind in ("offline", "recorded"):
            return f"{self.kind}-{stable_id(self.model, self.error_rate, str(self.recorded), self.latency_s)[:8]}"
        if endpoint.serve is None:
            return None
        return f"model-{stable_id(self.model_at(endpoint), endpoint.serve.model_dump())[:8]}"

    def settings(
        self, base_urls: Mapping[str, str] | None = None, *, run: str = "", max_cost: float | None = None
    ) -> TeacherSettings:
        """How the teacher pool asks this teacher. `base_urls` gives the addresses of the applications that the run
        serves itself, which cost nothing unless they have a price.

        Raises `PriceError` for a broken table, `ValueError` for a cap on spending without prices."""
        table = self.price_table()
        endpoints = []
        for label, endpoint in zip(self.labels(), self.all_endpoints, strict=True):
            application, model = self.application(endpoint), self.model_at(endpoint)
            base_url = (base_urls or {}).get(application) if application else endpoint.base_url
            prices = {model: Price(0.0, 0.0)} if application else table
            endpoints.append(endpoint.at(label, base_url or OPENAI_API, model, prices))
        return TeacherSettings(
            name=self.name,
            endpoints=tuple(endpoints),
            attempts=self.attempts,
            rate_limit_patience_s=self.rate_limit_patience_s,
            max_cost=max_cost,
            run=run,
        )

    def labels(self) -> list[str]:
        """What the endpoints are called in messages and metrics: each differently, none with a secret."""
        further = [f"serve {self.model_at(p)}" if p.serve else p.base_url or OPENAI_API for p in self.endpoints]
        named = [self.name, *further]
        shared = Counter(named)
        keyed = [
            f"{label} ({endpoint.api_key_env or endpoint.model or 'no key'})" if shared[label] > 1 else label
            for label, endpoint in zip(named, self.all_endpoints, strict=True)
        ]
        again = Counter(keyed)
        return [f"{label} #{number}" if again[label] > 1 else label for number, label in enumerate(keyed, 1)]


class RunTeacherSection(TeacherSection):
    """The teacher of a run, whatever the run teaches. `workers` are the processes that ask. `max_cost` is the most, in
    dollars, that the run may spend: it stops before it could pass it, and goes on when it is raised."""

    workers: PositiveInt = Field(default=2, description="How many processes ask it.")
    max_cost: NotNegative | None = Field(
        default=None,
        description=(
            "The most that a run may spend, in dollars. It stops before it would pass it, and goes on "
            "when the cap is raised. Default: no cap."
        ),
    )
    demonstrations: Path | None = Field(
        default=None, description="A file of few-shot examples, for a prompt that shows them."
    )


class TailoredTeacherSection(RunTeacherSection):
    """The teacher that answers mistakes; `first`, when given, is another one for round 0's rationales, and `max_cost`
    is for both."""

    first: TeacherSection | None = Field(
        default=None, description="Another teacher for round 0's rationales. Default: the same one."
    )
    first_prompt: str = Field(default="plain", description="The prompt that asks for round 0's rationales.")
    feedback_prompt: str = Field(default="tailored", description="The prompt that asks about a mistake.")

    @model_validator(mode="after")
    def _answers_are_told_apart(self) -> TailoredTeacherSection:
        """Answers are filed by the teacher's kind and its model's name."""
        mine, first = self.application(self), self.first.application(self.first) if self.first is not None else None
        if mine and first and mine != first and self.first is not None and self.identity == self.first.identity:
            raise ValueError(
                f"first is another {self.kind} teacher, and their answers would be taken for one another's: give one "
                "of them a model name of its own (model)"
            )
        return self

    @property
    def for_first(self) -> TeacherSection:
        return self.first or self
