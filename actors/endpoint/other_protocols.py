"""Answers in another protocol than OpenAI's chat completions, or within another object, as chat completions.

Owns: which forms are known, and what each calls the text, its end and its tokens. The tokens are only handed on
(`actors.endpoint.usage`), and so are the parts of a text (`actors.endpoint.messages`).

Invariant: what is no answer (an error, an empty list of choices) stays what it is.

Forms: choices as an object; a completion within `data` (routers), `result` (Cloudflare), `output` (DashScope),
`response`, `body` (also as JSON text: Amazon's gateway) or the first of `results` (watsonx); Anthropic's messages,
Google's candidates, OpenAI's Responses, Bedrock's and Cohere's own replies; one text with its end beside it, as of
Ollama, TGI, llama.cpp, DashScope and Baidu.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_WITHIN = ("data", "result", "output", "response", "body", "results")
_TEXTS = ("response", "generated_text", "result", "text", "content")
_ENDS = ("finish_reason", "done_reason", "stop_type", "stop_reason")
_COUNTS = (
    *("prompt_eval_count", "eval_count", "tokens_evaluated", "tokens_predicted"),
    *("input_token_count", "generated_token_count", "generated_tokens"),
)
_DEEPEST = 3
_USAGES = ("usage", "usageMetadata", "usage_metadata")


def as_chat_completion(content: Any, depth: int = 0) -> dict[str, Any] | None:
    """The chat completion that `content` holds; None where it is no answer in any known form."""
    if not isinstance(content, Mapping):
        return None
    choices = content.get("choices")
    if isinstance(choices, list) and choices:
        return dict(content)
    if isinstance(choices, Mapping) and choices:
        listed = [choices] if "message" in choices else list(choices.values())
        return {**content, "choices": listed}
    for form in (_of_anthropic, _of_google, _of_responses, _of_bedrock, _of_one_message):
        if (found := form(content)) is not None:
            return found
    for name in _WITHIN if depth < _DEEPEST else ():
        if (inner := as_chat_completion(_written(content.get(name)), depth + 1)) is not None:
            beside = {key: content[key] for key in _USAGES if key in content and not any(k in inner for k in _USAGES)}
            return {**inner, **beside}
    return None


def _written(value: Any) -> Any:
    """What a text of JSON holds, or the first of a list; anything else as it is."""
    if isinstance(value, list):
        return value[0] if value else None
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return json.loads(value, strict=False)
    except (ValueError, RecursionError):
        return None


def _of_anthropic(body: Mapping[str, Any]) -> dict[str, Any] | None:
    parts = body.get("content")
    if not isinstance(parts, list | str) or not ("stop_reason" in body or body.get("type") == "message"):
        return None
    return _completion(body, parts, body.get("stop_reason"))


def _of_google(body: Mapping[str, Any]) -> dict[str, Any] | None:
    candidates = body.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    if not isinstance(first, Mapping):
        return None
    content = first.get("content")
    parts = content.get("parts") if isinstance(content, Mapping) else content
    found = _completion(body, parts, first.get("finishReason", first.get("finish_reason")))
    return found | {"model": body.get("modelVersion", body.get("model"))}


def _of_responses(body: Mapping[str, Any]) -> dict[str, Any] | None:
    items = body.get("output")
    if not isinstance(items, list):
        return None
    spoken = any(isinstance(one, Mapping) and one.get("type") == "message" for one in items)
    if not spoken and body.get("status") not in ("completed", "incomplete"):
        return None
    parts: list[Any] = []
    for one in items:
        if isinstance(one, Mapping) and one.get("type") == "message":
            said = one.get("content")
            parts += said if isinstance(said, list) else [said]
        elif isinstance(one, Mapping) and one.get("type") == "reasoning":
            parts.append(one)
    details = body.get("incomplete_details")
    why = details.get("reason") if isinstance(details, Mapping) else None
    return _completion(body, parts, why or body.get("status"))


def _of_bedrock(body: Mapping[str, Any]) -> dict[str, Any] | None:
    output = body.get("output")
    message = output.get("message") if isinstance(output, Mapping) else None
    if not isinstance(message, Mapping) or "stopReason" not in body:
        return None
    return _completion(body, message.get("content"), body["stopReason"])


def _of_one_message(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """One message, or one text, with its end beside it or in its `details`."""
    details = body.get("details")
    told = {**details, **body} if isinstance(details, Mapping) else body
    message, end = body.get("message"), next((told[name] for name in _ENDS if isinstance(told.get(name), str)), None)
    ended = "done" in body or end is not None
    if isinstance(message, Mapping) and "content" in message and ended:
        said: Mapping[str, Any] = message
    elif (text := next((body[name] for name in _TEXTS if isinstance(body.get(name), str)), None)) is not None and (
        ended or isinstance(body.get("usage"), Mapping)
    ):
        said = {"content": text}
    else:
        return None
    choice = {"message": said} | ({"finish_reason": end} if end is not None or body.get("done") is False else {})
    counts = {name: told[name] for name in _COUNTS if name in told}
    return {**({"usage": counts} if counts else {}), **_shared(body), "choices": [choice]}


def _completion(body: Mapping[str, Any], parts: Any, end: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": parts}, "finish_reason": end}
    return {**_shared(body), "choices": [choice]}


def _shared(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("model", "error", "service_tier", *_USAGES) if name in body}
