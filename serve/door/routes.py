"""Which routes a served student has, and how a path that a client writes names one.

Owns: the table of routes. Invariant: only these exist. vLLM's others (metrics, tokenizer, scaling, documents) are not
found, also those that a later vLLM adds.

Clients join a base address and a path in every way: a slash too many, at the end or between, names the same route.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from serve.door.refusals import Refusal

CHAT, COMPLETIONS, ANSWER = "/v1/chat/completions", "/v1/completions", "/v1/answer"
FEEDBACK, MODELS = "/v1/feedback", "/v1/models"
ROUTES = {
    MODELS: "GET",
    COMPLETIONS: "POST",
    CHAT: "POST",
    ANSWER: "POST",
    FEEDBACK: "POST",
    "/health": "GET",
    "/ready": "GET",
}
OPEN = {"/health", "/ready"}  # without a key: load balancers have none
_SLASHES = re.compile(r"/{2,}")


def route_of(path: str, models: Collection[str]) -> tuple[str, str]:
    """The route that `path` names, and its method; `/v1/models/NAME` is one where a student is served by that name.
    Raises `Refusal`."""
    plain = _SLASHES.sub("/", path)
    plain = plain.rstrip("/") or plain
    method = ROUTES.get(plain)
    if method is not None:
        return plain, method
    described, _, name = plain.partition(f"{MODELS}/")
    if name and not described:
        check_model(name, models)
        return plain, "GET"
    raise Refusal(404, f"there is no {path} here, only {', '.join(ROUTES)}", code="not_found")


def check_model(name: str, models: Collection[str]) -> None:
    """Raises `Refusal` where another model than `models` is asked for; "" is any, and none of them is all."""
    if models and name and name not in models:
        there = f"`{'`, `'.join(models)}` {'does' if len(models) == 1 else 'do'}"
        raise Refusal(404, f"The model `{name}` does not exist here; {there}.", code="model_not_found", param="model")


def which_model(models: Collection[str]) -> Refusal:
    """What a request is told that must say which of `models` answers it, and does not."""
    said = f"say which student is asked, as `model`: {', '.join(models)}"
    return Refusal(400, said, code="missing_required_parameter", param="model")


def allowed(method: str) -> str:
    """What a route of this method takes, as the header `Allow` says it."""
    return "GET, HEAD" if method == "GET" else method
