"""How a place is reached and asked in a recipe: its address, its key, and what goes into each request.

Owns: those keys, their defaults, bounds and cross-checks.

Invariants
- No key holds a secret: keys are named by environment variable, in `headers` as `${NAME}`, and an address with a
  password is refused. What is refused for that is not repeated.
- Two spellings of one address are one address: a slash at its end, capitals in its host.
- What Tailor sets itself (the model, the messages, the bound on tokens) cannot be set in `extra_body`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, JsonValue, field_validator, model_validator

from reasoning.recipe.base import Section
from reasoning.teacher.parameters import Parameters, canonical

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(r"api[-_]?key|authorization|secret|password|cookie|(?:auth|access)[-_]?token", re.IGNORECASE)
_KEY_SHAPED = re.compile(
    r"\b(?:sk|gsk|xai|key|hf|pplx|nvapi)[-_][\w\-]{8,}|\bAIza[\w\-]{20,}|Bearer \S+", re.IGNORECASE
)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection", "accept"})
_OWN_BODY = {
    "model": "model",
    "messages": "the prompts",
    "temperature": "teacher.temperature",
    "seed": "send_seed",
    "max_tokens": "teacher.max_tokens",
    "max_completion_tokens": "teacher.max_tokens (and max_tokens_key)",
}
# Other APIs' names for the bound on a reply and for several replies to a request: both raise what a request may cost.
_BOUND = frozenset(
    {
        *("maxtokens", "maxcompletiontokens", "maxoutputtokens", "maxnewtokens", "maxgenlen", "maxtokenstosample"),
        *("numpredict", "npredict"),
    }
)
_SEVERAL = frozenset({"n", "bestof", "candidatecount", "numreturnsequences", "numcompletions", "numgenerations"})
_AZURE = ("azure.com", "azure.us", "azure.cn")


class PlaceSection(Section):
    """Where a teacher answers, and how it is asked there."""

    base_url: str | None = Field(
        default=None, description="The API's address, such as `http://host:8000/v1`. Default: OpenAI's."
    )
    api_version: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]*$",
        description=(
            "Azure's api-version, such as `2024-10-21`: requests go to the deployment that `model` names, and the key "
            "in the header `api-key`. Not needed where `base_url` ends in `/openai/v1`."
        ),
    )
    model: str | None = Field(default=None, description="The model's name there. Default: the teacher's.")
    api_key_env: str | None = Field(
        default=None,
        description=("The name of the environment variable that holds the key. The key itself is never written down."),
    )
    headers: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Further headers of each request. `${NAME}` in a value comes from the environment and is never shown."
        ),
    )
    extra_body: dict[str, JsonValue] = Field(
        default_factory=dict, description="Further parameters of each request, as the API names them."
    )
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None, description="Nucleus sampling. Default: not sent. Further endpoints take over the teacher's."
    )
    reasoning_effort: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description=(
            "How long a reasoning model thinks, such as `low`, `medium` or `high`. Default: not sent. Further "
            "endpoints take over the teacher's."
        ),
    )
    enable_thinking: bool | None = Field(
        default=None,
        description=(
            "Switches the thinking of a hybrid model on or off: in `chat_template_kwargs` (vLLM, SGLang, llama.cpp), "
            "or as a parameter of its own (DashScope, SiliconFlow). Default: not sent. Further endpoints take over the "
            "teacher's."
        ),
    )
    send_seed: bool = Field(
        default=True, description="Send each request's seed. Set it to false for an API that refuses one."
    )
    send_temperature: bool = Field(
        default=True, description="Send the temperature. Set it to false for a model that refuses one."
    )
    max_tokens_key: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="The name by which the API knows the limit of a reply's tokens."
    )

    def secret_names(self) -> set[str]:
        """The names of the secrets that asking there takes."""
        keys = {self.api_key_env} if self.api_key_env is not None else set()
        return keys.union(*(VARIABLE.findall(value) for value in self.headers.values()))

    @field_validator("base_url")
    @classmethod
    def _address_without_secrets(cls, base_url: str | None) -> str | None:
        return None if base_url is None else address(base_url)

    @field_validator("api_key_env")
    @classmethod
    def _a_variable_and_no_key(cls, name: str | None) -> str | None:
        if name is not None and re.fullmatch(r"[A-Z_][A-Z0-9_]*", name) is None:
            raise ValueError("give the name of an environment variable, in capitals, never the key itself")
        return name

    @field_validator("headers")
    @classmethod
    def _headers_without_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(f"{name!r} and its value must be what an HTTP header can carry: plain ASCII, one line")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is set by Tailor itself; leave it out")
            if not VARIABLE.search(value) and (_SECRET_NAME.search(name) or _KEY_SHAPED.search(value)):
                raise ValueError(
                    f"the value of {name} looks like a secret: put it into an environment variable and write ${{NAME}} "
                    "here, or name the variable in api_key_env"
                )
        return headers

    @field_validator("extra_body")
    @classmethod
    def _body_without_what_is_set_elsewhere(cls, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name, key in _OWN_BODY.items():
            if name in body:
                raise ValueError(f"{name} has a key of its own: set {key}")
        if body.get("stream"):
            raise ValueError("stream: replies are read whole; leave it out")
        for name, value in _leaves(body):
            plain = name.lower().replace("_", "")
            if plain in _BOUND and value is not None:
                raise ValueError(f"{name} would pass the bound on a reply by which its cost is: set teacher.max_tokens")
            if plain in _SEVERAL and value not in (1, None):
                raise ValueError(
                    f"{name}: one reply is read of each request; leave it out and ask for more samples in learning"
                )
        for name, value in _texts(body):
            if _SECRET_NAME.search(name) or _KEY_SHAPED.search(value):
                raise ValueError(f"{name} looks like a secret, which is never written down: use headers with ${{NAME}}")
        try:
            canonical(body)
        except ValueError:
            raise ValueError("a number in it is not finite, which JSON cannot say") from None
        return body

    @model_validator(mode="after")
    def _parameters_are_given_once(self) -> PlaceSection:
        within = {name for name, _ in _leaves(self.extra_body)}
        for name in ("top_p", "reasoning_effort", "enable_thinking"):
            if name in within and getattr(self, name) is not None:
                raise ValueError(f"{name} is given twice: as a key and in extra_body")
        return self

    @model_validator(mode="after")
    def _azure_is_whole(self) -> PlaceSection:
        parts = urlsplit(self.base_url or "")
        azure = is_azure(self.base_url or "")
        if self.api_version is not None and self.base_url is None:
            raise ValueError("api_version is for Azure: give base_url, such as https://NAME.openai.azure.com")
        versioned = parts.path.endswith("/v1") or self.api_version is not None
        if (azure and not versioned) or ("/openai/deployments/" in parts.path and self.api_version is None):
            raise ValueError(
                "Azure wants a base_url that ends in /openai/v1, or api_version, such as 2024-10-21, and a base_url "
                "without the path"
            )
        return self

    def parameters(self, teacher: PlaceSection | None = None) -> Parameters:
        """What this place is asked with; a further place takes over from `teacher` what it does not set itself."""

        def taken_over(name: str) -> Any:
            mine = getattr(self, name)
            return getattr(teacher, name) if mine is None and teacher is not None else mine

        said = {name: value for name, value in sorted(self.headers.items()) if not VARIABLE.search(value)}
        return Parameters(
            top_p=taken_over("top_p"),
            reasoning_effort=taken_over("reasoning_effort"),
            enable_thinking=taken_over("enable_thinking"),
            extra_body=canonical(self.extra_body),
            headers=canonical(said),
        )


_CALLS = ("/chat/completions", "/completions", "/models", "/responses", "/messages", "/batches", "/embeddings")


def is_azure(base_url: str) -> bool:
    """Whether `base_url` is a resource of Azure's."""
    host = urlsplit(base_url).hostname or ""
    return host.endswith(tuple(f".{domain}" for domain in _AZURE))


def address(base_url: str) -> str:
    """`base_url` in the one spelling that names it. Raises `ValueError` for what is no address, or holds a secret."""
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        raise ValueError("this is not an address: http:// or https://, a host, perhaps a port and a path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the address must begin with http:// or https://")
    if parts.query.lower().startswith("api-version=") and not parts.username and not parts.password:
        raise ValueError("an address has no query: give api_version, and base_url without what follows the host")
    if parts.username or parts.password or parts.query:
        # shown neither here nor anywhere: an address is written to journal and log
        raise ValueError(
            "an address must not contain a user, password or query; name the key's variable in api_key_env"
        )
    path = parts.path.rstrip("/")
    called = next((call for call in _CALLS if path.endswith(call)), None)
    if called is not None and not is_azure(base_url):
        raise ValueError(f"give the address without {called}, which each call adds: it usually ends in /v1")
    if ":" in path.rpartition("/")[2]:
        raise ValueError(
            "this is one call of another protocol: give the address of the OpenAI-compatible API, such as "
            "https://generativelanguage.googleapis.com/v1beta/openai"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return urlunsplit((parts.scheme, host if port in (None, default) else f"{host}:{port}", path, "", ""))


def _texts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts in `content`, each with the name it has."""
    return ((name, value) for name, value in _leaves(content) if isinstance(value, str))


def _leaves(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values in `content` that hold no others, each with the name it has."""
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield from _leaves(one)
            elif not isinstance(one, list):
                yield name, one
