"""Which routes a served student has, and how a path that a client writes names one.

Owns: the table of routes. Invariant: only these exist. vLLM's others (metrics, tokenizer, scaling, documents) are not
found, also those that a later vLLM adds.

Clients join a base address and a path in every way: a slash too many, at the end or between, names the same route.
"""

from __future__ import annotations

import re

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


def route_of(path: str, model: str) -> tuple[str, str]:
    """The route that `path` names, and its method; `/v1/models/NAME` is one where `model` is served by that name.
    Raises `Refusal`."""
    plain = _SLASHES.sub("/", path)
    plain = plain.rstrip("/") or plain
    method = ROUTES.get(plain)
    if method is not None:
        return plain, method
    described, _, name = plain.partition(f"{MODELS}/")
    if name and not described:
        check_model(name, model)
        return plain, "GET"
    raise Refusal(404, f"there is no {path} here, only {', '.join(ROUTES)}", code="not_found")


def check_model(name: str, model: str) -> None:
    """Raises `Refusal` where another model than `model` is asked for; "" is any."""
    if model and name not in ("", model):
        raise Refusal(
            404, f"The model `{name}` does not exist here; `{model}` does.", code="model_not_found", param="model"
        )


def allowed(method: str) -> str:
    """What a route of this method takes, as the header `Allow` says it."""
    return "GET, HEAD" if method == "GET" else method
