"""The teacher's sections of a recipe: who is asked, where, how fast, and for how much money.

Owns: the keys of `teacher`, their defaults, bounds and cross-checks, and the settings of the pool that they come to.
The keys of one endpoint are in `reasoning.recipe.endpoint`.

Invariants
- Where a teacher is reached, how fast and at what price changes nothing about what it answers: those keys are no part
  of a run's identity (`THROUGHPUT_KEYS`), nor of any request's key.
- A cap on spending is refused where a price is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reasoning.recipe.base import Fraction, NotNegative, Positive, PositiveInt
from reasoning.recipe.endpoint import EndpointSection
from reasoning.records import stable_id
from reasoning.teacher.calls import TeacherSettings
from reasoning.teacher.parameters import of_places
from reasoning.teacher.prices import Price, load_prices, shipped_prices

OPENAI_API = "https://api.openai.com/v1"
OFFLINE_MODEL = "offline-teacher"

# Keys of a teacher that change nothing about what is learnt from it, and so no part of a run's identity. Those from
# `send_temperature` on say how a place must be asked; what of them shapes an answer is in the request's own key.
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
    "api_version",
    "headers",
    "extra_body",
    "top_p",
    "reasoning_effort",
    "enable_thinking",
)
# Keys that came after recipes had been used: with these values they are no part of a run's identity, which stays what
# it was.
LATER_KEYS = {"thinking": "drop"}


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
    temperature: Annotated[float, Field(ge=0.0, le=2.0)] | None = Field(
        default=0.7, description="The sampling temperature of its replies; null leaves it to the model."
    )
    max_tokens: PositiveInt = Field(default=512, description="The longest reply, in tokens.")
    thinking: Literal["keep", "drop"] = Field(
        default="drop",
        description=(
            "Whether the student learns what the teacher thinks before it answers: `drop` leaves it out, `keep` puts "
            "it before the rationale, between `<think>` and `</think>`."
        ),
    )
    attempts: PositiveInt = Field(
        default=5, description="How many times a request is tried before it counts as failed."
    )
    rate_limit_patience_s: Positive = Field(
        default=600.0,
        description="Seconds that a request may keep being refused for rate limits before it counts as failed.",
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
        if self.kind in ("openai", "serve") and ("model" not in self.model_fields_set or not self.model.strip()):
            raise ValueError(f"kind: {self.kind} needs model, the model's name")
        return self

    @property
    def teaches_thinking(self) -> bool:
        return self.thinking == "keep"

    @property
    def name(self) -> str:
        """The teacher's name in the journal: stable across runs and ports, never a secret. Arguments of a chat template
        shape the answers, and so are part of it."""
        if self.kind == "openai":
            return self.base_url or OPENAI_API
        arguments = self.serve.chat_template_kwargs if self.serve is not None else {}
        return f"{self.kind} {json.dumps(arguments, sort_keys=True)}" if arguments else self.kind

    @property
    def identity(self) -> tuple[str, str]:
        """What its answers are filed under."""
        return self.name, self.model

    @property
    def all_endpoints(self) -> tuple[EndpointSection, ...]:
        """Where this teacher is reached: its own endpoint first, then `endpoints`."""
        return (self, *self.endpoints)

    def request_parameters(self) -> str:
        """What its requests are asked with, for their keys; "" where no such key is used."""
        return of_places(self.parameters(), (endpoint.parameters(self) for endpoint in self.endpoints))

    def price_table(self) -> Mapping[str, Price]:
        """The prices of models, for endpoints without a price of their own. Raises `PriceError`."""
        return load_prices(self.prices) if self.prices else shipped_prices()

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
            settings = endpoint.at(label, base_url or OPENAI_API, model, prices, self)
            endpoints.append(replace(settings, served_here=application is not None))
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

    workers: PositiveInt | None = Field(
        default=None,
        description="How many processes ask it. Default: one for every 256 requests that may be in flight, 8 at most.",
    )
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
