"""The body of a request: how it is read, and what of it the engine's server is spared.

Owns: reading a body as JSON's object, and the words for one that is none; parts of a body that say nothing.

Invariants
- What reaches the application is a JSON object in UTF-8, and is called so: stock clients say `application/json`, `curl
  -d` alone does not.
- Nothing of a body is in a refusal but names of its keys.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from types import UnionType
from typing import Any

from serve.door.limits import DoorSection
from serve.door.refusals import Refusal
from serve.door.routes import CHAT, check_model

Body = dict[str, Any]
Headers = list[tuple[bytes, bytes]]

_ABOUT_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_KINDS: dict[str, tuple[UnionType | type, str]] = {
    "messages": (list, "a list of messages"),
    "structured_outputs": (dict | None, "an object"),
}
_COUNTS = ("n", "best_of", "samples")  # keys that ask for several answers
_CALLS = {"tools": "tool_choice", "functions": "function_call"}  # the second as OpenAI's API had it first


def read_body(content: bytes, encoding: str) -> Body:
    """The object in `content`, sent with this `Content-Encoding`. Raises `Refusal`."""
    if encoding.strip().lower() not in ("", "identity"):
        raise Refusal(
            415,
            "compressed bodies are not accepted: send it as it is, without the header Content-Encoding",
            code="unsupported_media_type",
        )
    if not content.strip():
        raise Refusal(400, "the body is empty; a JSON object is expected", code="invalid_json")
    try:
        body = json.loads(content)
        if b"\\ud" in content.lower() or b"\xed" in content:  # as JSON writes such a half, and as UTF-8 would
            json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refusal(400, "the body has an unpaired surrogate, which is not valid text", code="invalid_json") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error}", code="invalid_json") from None
    except UnicodeDecodeError as error:
        raise Refusal(400, f"the body is not UTF-8: {error.reason}", code="invalid_json") from None
    except (ValueError, RecursionError):
        raise Refusal(400, "the body's JSON is nested too deep or has too long a number", code="invalid_json") from None
    if not isinstance(body, dict):
        raise Refusal(400, "the body must be a JSON object: {...}", code="invalid_json")
    return body


def check_body(path: str, body: Body, models: Collection[str], limits: DoorSection) -> None:
    """Raises `Refusal` for what is not served here: another model, too many answers, a call of tools; and for a value
    whose kind vLLM's server takes for granted, so that it would answer 500."""
    asked = body.get("model")
    if isinstance(asked, str):
        check_model(asked, models)
    prompts = body.get("prompt")
    several = isinstance(prompts, list) and bool(prompts) and not isinstance(prompts[0], int)
    count = len(prompts) if several and isinstance(prompts, list) else 1
    key = max(_COUNTS, key=lambda name: _number(body.get(name)))
    if count * max(_number(body.get(key)), 1) > limits.samples:
        raise Refusal(
            400, f"{path}: a request may ask for at most {limits.samples} answers", code="too_many", param=key
        )
    for name, (kind, said) in _KINDS.items():
        if name in body and not isinstance(body[name], kind):
            raise Refusal(400, f"`{name}` must be {said}", code="invalid_type", param=name)
    for name, choice in _CALLS.items() if path == CHAT else ():
        if body.get(name) and body.get(choice) != "none":
            raise Refusal(
                400,
                f'tool calls are not supported: leave `{name}` out, or send `"{choice}": "none"`',
                code="unsupported_parameter",
                param=name,
            )


def _number(value: object) -> int:
    """How many answers a key asks for, also where it says so as vLLM's server understands it: "9", 9.0."""
    try:
        return int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 1


def what_is_said(path: str, body: Body) -> Body:
    """`body` without what says nothing: keys that are null, and what clients send of tools when they have none (`[]`,
    "auto"), which vLLM's server refuses."""
    empty = _ABOUT_TOOLS if path == CHAT and not body.get("tools") else ()
    said = {name: value for name, value in body.items() if value is not None and name not in empty}
    return said if len(said) < len(body) else body


def described_as(content: bytes, headers: Headers) -> Headers:
    """`headers` for `content`, which is JSON and perhaps of another length than before."""
    length = str(len(content)).encode()
    kept = [
        (name, length if name == b"content-length" else value) for name, value in headers if name != b"content-type"
    ]
    return [*kept, (b"content-type", b"application/json")]
