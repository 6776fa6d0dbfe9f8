"""Which setting a refusal is about, in providers' words, and which key of the recipe cures it."""

# ruff: noqa: E501 (a case a line)
from __future__ import annotations

import json
from typing import Any

import pytest

from actors.endpoint.errors.refused_settings import cure_of, refused_parameter
from actors.endpoint.errors.responses import ErrorResponse, read_error_response
from actors.endpoint.wire import Response

BODY: dict[str, Any] = {
    "model": "m",
    "messages": [],
    "max_tokens": 9,
    "temperature": 0.7,
    "seed": 1,
    "top_p": 0.9,
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": False},
    "top_k": 5,
}


def read(message: str, code: str | None = None, param: str | None = None, status: int = 400) -> ErrorResponse:
    error = {"message": message, "code": code, "param": param, "type": "invalid_request_error"}
    return read_error_response(Response(status, {}, json.dumps({"error": error}).encode()))


CASES = [
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens", "max_tokens_key: max_completion_tokens"),
    ("Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is supported.", "temperature", "send_temperature: false"),
    ("temperature: range: 0..1", "temperature", "teacher.temperature"),
    ("Only one of temperature and top_p may be set", "temperature", "Leave out top_p"),
    ("seed must fit in 32 bits", "seed", "send_seed: false"),
    ("top_p has to be between 0 and 1", "top_p", "Leave out top_p"),
    ("Json document validation error: 'seed' is not a known property", "seed", "send_seed: false"),
    ("Invalid 'max_output_tokens': Expected a value >= 16, but got 9 instead.", "max_tokens", "teacher.max_tokens"),
    ("Bad request: max_new_tokens cannot exceed 8192", "max_tokens", "teacher.max_tokens"),
    ("`temperature` must be less than or equal to 1", "temperature", "teacher.temperature"),
    ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "temperature", "Leave out top_p"),
    ("body.seed: Extra inputs are not permitted", "seed", "send_seed: false"),
    ("Unrecognized request argument supplied: seed", "seed", "send_seed: false"),
    ("property 'seed' is unsupported", "seed", "send_seed: false"),
    ("Unknown parameter: 'top_p'.", "top_p", "Leave out top_p"),
    ("reasoning_effort: Input should be 'high' or 'none'; invalid", "reasoning_effort", "reasoning_effort"),
    ("Unrecognized request argument supplied: chat_template_kwargs", "chat_template_kwargs", "enable_thinking"),
    ("top_k is not permitted", "top_k", "extra_body"),
    ("max_tokens is too large: 50000. This model supports at most 16384 completion tokens", "max_tokens", "teacher.max_tokens"),
    ("parameter.enable_thinking must be set to false for non-streaming calls", "enable_thinking", "enable_thinking: false"),
    ("Invalid value for messages: too many images", None, ""),
    ("Model grok-4 does not support parameter reasoningEffort.", "reasoning_effort", "Leave out reasoning_effort"),
    ("Temperature should be in [0.0, 2.0)", "temperature", "teacher.temperature"),
    ("Invalid parameter: topP is not supported by this model", "top_p", "Leave out top_p"),
    ("Seed values are not supported", None, ""),
    ("Something went wrong", None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("message", "parameter", "cure"), CASES)
def test_the_refused_parameter_is_found_and_its_cure_named(message: str, parameter: str | None, cure: str) -> None:
    found = refused_parameter(read(message), BODY, message)
    assert found == parameter
    assert parameter is None or cure in cure_of(parameter, message)


def test_the_provider_s_own_word_for_the_parameter_comes_first() -> None:
    said = "This value is not supported with this model, see max_tokens"
    assert refused_parameter(read(said, "unsupported_value", "temperature"), BODY, said) == "temperature"
    nested = {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}
    error = read_error_response(Response(422, {}, json.dumps(nested).encode()))
    assert refused_parameter(error, BODY, error.message) == "seed"


def test_what_was_not_sent_or_is_no_refusal_of_a_setting_is_none() -> None:
    said = "Unsupported parameter: 'seed'"
    assert refused_parameter(read(said), {"model": "m", "messages": []}, said) is None
    assert refused_parameter(read(said, status=503), BODY, said) is None
    assert refused_parameter(read("too long", None, "messages"), BODY, "too long") is None
