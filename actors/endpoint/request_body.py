"""The body of a chat completion's request, as an endpoint wants it.

Owns: which parameters are sent, and under which names.

Invariant: `extra_body` adds to what is sent and is merged into it where both name the same object; what it names last
holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from reasoning.teacher.calls import EndpointSettings, TeacherRequest
from reasoning.teacher.scoring import scoring_body

# Whose `enable_thinking` is a parameter of its own; elsewhere it is an argument of the model's chat template.
_THINKING_AT_THE_TOP = ("aliyuncs.com", "siliconflow.cn", "siliconflow.com")


def request_body(settings: EndpointSettings, request: TeacherRequest) -> dict[str, Any]:
    """The JSON that asks for `request`'s completion, or for scores of its tokens."""
    if request.scoring is not None:
        return scoring_body(settings.model, request.scoring)
    body: dict[str, Any] = {
        "model": settings.model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        settings.max_tokens_key: request.max_tokens,
    }
    if settings.send_temperature and request.temperature is not None:
        body["temperature"] = request.temperature
    if settings.send_seed:
        body["seed"] = request.sample
    used = settings.parameters
    if used.top_p is not None:
        body["top_p"] = used.top_p
    if used.reasoning_effort is not None:
        body["reasoning_effort"] = used.reasoning_effort
    if used.enable_thinking is not None:
        body |= _thinking(settings.base_url, used.enable_thinking)
    return _merged(body, json.loads(used.extra_body)) if used.extra_body else body


def _thinking(base_url: str, enabled: bool) -> dict[str, Any]:
    host = urlsplit(base_url).hostname or ""
    switch = {"enable_thinking": enabled}
    return (
        switch
        if f".{host}".endswith(tuple(f".{one}" for one in _THINKING_AT_THE_TOP))
        else {"chat_template_kwargs": switch}
    )


def _merged(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(body)
    for name, value in more.items():
        mine = merged.get(name)
        merged[name] = _merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged
