"""How published providers differ behind the same API: where the key stands, how errors, models and limits are written.

Owns: the forms, as the providers publish them and their users report them, and an application that answers in one.

Invariant: what a dialect does not say is said as OpenAI says it.
"""

# ruff: noqa: E501 (an error a line)
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any] | list[Any] | str | None
Words = tuple[int, Body]  # status and body of an error


def openai_error(status: int, message: str, code: object = None, type: str = "invalid_request_error") -> Words:
    """An error in OpenAI's form."""
    return status, {"error": {"message": message, "type": type, "param": None, "code": code}}


_WRONG_KEY = openai_error(401, "Incorrect API key provided.", "invalid_api_key")
_UNKNOWN_MODEL = openai_error(404, "The model does not exist or you do not have access to it.", "model_not_found")
_SPENT = openai_error(429, "You exceeded your current quota, please check your plan.", "insufficient_quota")
_BUSY = openai_error(429, "Rate limit reached. Please try again in 20ms.", "rate_limit_exceeded", "requests")


def google_error(status: int, message: str, word: str, *details: Mapping[str, Any]) -> Words:
    """An error in Google's form: in a list."""
    return status, [{"error": {"code": status, "message": message, "status": word, "details": list(details)}}]


def _data(model: str) -> Body:
    return {"object": "list", "data": [{"id": model, "object": "model"}]}


def _openai_limits(left: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": "100ms",
    }


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's forms. `root` is the path before `/chat/completions`; `bearer` whether the key is sent as a bearer's,
    otherwise in `api-key`; `models` the list of models, which is `public` where it is shown without a key; `limits` the headers of a reply, and `limit` the requests a
    minute that they come to (None: it tells of none); `refused` parameters that it does not know."""

    root: str = "/v1"
    bearer: bool = True
    models: Callable[[str], Body] = _data
    public: bool = False
    wrong_key: Words = _WRONG_KEY
    unknown_model: Words = _UNKNOWN_MODEL
    spent: Words = _SPENT
    busy: Words = _BUSY
    busy_headers: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    limit: float | None = None
    refused: tuple[str, ...] = ()
    refusal: Callable[[str], Words] = lambda name: openai_error(
        400, f"Unsupported parameter: '{name}' is not supported with this model.", "unsupported_parameter"
    )


_RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.02s"}
_BARE_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


def _extra_forbidden(name: str) -> Words:
    problem = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}
    return 422, {"object": "error", "message": {"detail": [problem]}, "type": "invalid_request_error"}


def _anthropic_error(status: int, message: str, type: str) -> Words:
    return status, {"type": "error", "error": {"type": type, "message": message}}


DIALECTS: Mapping[str, Dialect] = {
    "OpenAI": Dialect(
        limits=_openai_limits(599),
        limit=600,
        refused=("max_tokens", "temperature"),
    ),
    "Azure": Dialect(
        root="/openai/deployments/teacher",
        bearer=False,
        models=lambda _: {"object": "list", "data": [{"id": "gpt-4o-2024-08-06"}]},
        wrong_key=(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}),
        unknown_model=(404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}),
        busy=(429, {"error": {"code": "429", "message": "Requests have exceeded call rate limit. Please retry after 0.02 seconds."}}),
        limits={"x-ratelimit-remaining-requests": "99"},
    ),
    "Azure, v1": Dialect(
        root="/openai/v1",
        models=lambda _: {"object": "list", "data": [{"id": "gpt-4o-2024-08-06"}]},
        wrong_key=(401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}),
        unknown_model=(404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}),
    ),
    "Anthropic": Dialect(
        wrong_key=_anthropic_error(401, "invalid x-api-key", "authentication_error"),
        unknown_model=_anthropic_error(404, "model: claude-9", "not_found_error"),
        spent=_anthropic_error(400, "Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
        busy=_anthropic_error(429, "Number of requests has exceeded your per-minute rate limit", "rate_limit_error"),
        busy_headers={"retry-after": "0.02"},
        limits={"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49"},
        limit=50,
    ),
    "Gemini": Dialect(
        root="/v1beta/openai",
        models=lambda model: {"object": "list", "data": [{"id": f"models/{model}"}]},
        wrong_key=google_error(400, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", _BARE_KEY),
        unknown_model=google_error(404, "models/x is not found for API version v1main", "NOT_FOUND"),
        spent=google_error(
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "RESOURCE_EXHAUSTED",
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
            _RETRY,
        ),
        busy=google_error(429, "You exceeded your current quota, please check your plan.", "RESOURCE_EXHAUSTED", _RETRY),
        refused=("seed",),
        refusal=lambda name: google_error(400, f'Invalid JSON payload received. Unknown name "{name}"', "INVALID_ARGUMENT"),
    ),
    "Mistral": Dialect(
        wrong_key=(401, {"detail": "Unauthorized"}),
        unknown_model=(400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
        busy=(429, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"}),
        busy_headers={"retry-after-ms": "20"},
        limits={"x-ratelimit-limit-req-minute": "720", "x-ratelimit-remaining-req-minute": "717"},
        limit=720,
        refused=("seed",),
        refusal=_extra_forbidden,
    ),
    "Together": Dialect(
        models=lambda model: [{"id": "other"}, {"id": model}],
        wrong_key=openai_error(401, "Invalid API key provided.", "invalid_api_key"),
        unknown_model=openai_error(404, "Unable to access model x.", "model_not_available"),
        spent=(402, {"error": {"message": "Credit limit exceeded", "type": "credit_limit", "code": None}}),
        limits={"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1"},
        limit=600,
    ),
    "Groq": Dialect(
        root="/openai/v1",
        limits={
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-reset-requests": "2m59.56s",
        },
        refused=("logit_bias",),
    ),
    "DeepSeek": Dialect(
        root="",
        wrong_key=openai_error(401, "Authentication Fails, Your api key: ****cret is invalid", "invalid_request_error"),
        unknown_model=openai_error(400, "Model Not Exist", "invalid_request_error"),
        spent=openai_error(402, "Insufficient Balance", "invalid_request_error", "unknown_error"),
    ),
    "OpenRouter": Dialect(
        root="/api/v1",
        public=True,
        wrong_key=(401, {"error": {"message": "No auth credentials found", "code": 401}}),
        unknown_model=(400, {"error": {"message": "x is not a valid model ID", "code": 400}}),
        spent=(402, {"error": {"message": "Insufficient credits. Add more using https://openrouter.ai/credits", "code": 402}}),
        busy=(429, {"error": {"message": "Provider returned error", "code": 429, "metadata": {"headers": {"Retry-After": "0.02"}}}}),
    ),
    "DashScope": Dialect(
        root="/compatible-mode/v1",
        unknown_model=openai_error(404, "The model `x` does not exist.", "model_not_found"),
        spent=openai_error(400, "Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"),
    ),
    "vLLM": Dialect(
        wrong_key=(401, {"error": "Unauthorized"}),
        unknown_model=(404, {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}),
    ),
    "Ollama": Dialect(
        unknown_model=(404, {"error": {"message": 'model "x" not found, try pulling it first', "type": "api_error"}}),
    ),
    "llama.cpp": Dialect(
        wrong_key=(401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}),
    ),
    "LM Studio": Dialect(
        unknown_model=(400, {"error": "No models loaded. Please load a model in the developer page."}),
    ),
}  # fmt: skip


class DialectApp:
    """An API in one dialect, which has one model and takes one key. `spent`: the account has nothing left; `busy`: so
    many requests are told to come back."""

    def __init__(self, dialect: Dialect, model: str, key: str | None) -> None:
        self._dialect, self._model, self._key = dialect, model, key
        self.spent = False
        self.busy = 0
        self.bodies: list[dict[str, Any]] = []
        self.queries: list[dict[str, str]] = []

    def build(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get(f"{self._dialect.root}/models", self._models),
                web.post(f"{self._dialect.root}/chat/completions", self._chat),
            ]
        )
        return app

    def _may(self, request: web.Request) -> bool:
        said = request.headers.get("Authorization" if self._dialect.bearer else "api-key")
        return self._key is None or said == (f"Bearer {self._key}" if self._dialect.bearer else self._key)

    async def _models(self, request: web.Request) -> web.Response:
        if not self._dialect.public and not self._may(request):
            return _answer(self._dialect.wrong_key)
        return web.json_response(self._dialect.models(self._model))

    async def _chat(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.bodies.append(said)
        self.queries.append(dict(request.query))
        if not self._may(request):
            return _answer(self._dialect.wrong_key)
        if said.get("model") != self._model:
            return _answer(self._dialect.unknown_model)
        if self.spent:
            return _answer(self._dialect.spent)
        for name in self._dialect.refused:
            if name in said:
                return _answer(self._dialect.refusal(name))
        if self.busy:
            self.busy -= 1
            return _answer(self._dialect.busy, self._dialect.busy_headers)
        message = {"role": "assistant", "content": "Yes."}
        usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {"id": "1", "object": "chat.completion", "model": self._model, "choices": choices, "usage": usage}
        return web.json_response(body, headers=dict(self._dialect.limits))


def _answer(words: Words, headers: Mapping[str, str] | None = None) -> web.Response:
    status, body = words
    return web.json_response(body, status=status, headers=dict(headers or {}))
