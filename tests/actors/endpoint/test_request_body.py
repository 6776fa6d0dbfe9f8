"""The body of a request: what is used is sent under the name that the place knows, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from actors.endpoint.request_body import request_body
from reasoning.teacher.calls import EndpointSettings, TeacherRequest
from reasoning.teacher.parameters import Parameters
from reasoning.teacher.scoring import Scoring, scoring_body

ASKED = TeacherRequest("east", "teacher", (("user", "Hi"),), 0.7, 64, 3)
PLAIN = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 64, "temperature": 0.7}


def sent(base_url: str = "http://x/v1", request: TeacherRequest = ASKED, **more: Any) -> dict[str, Any]:
    return request_body(EndpointSettings("east", base_url, "m", **more), request)


def test_a_place_without_wishes_is_sent_what_it_always_was() -> None:
    assert sent() == PLAIN and list(sent()) == list(PLAIN)
    assert sent(send_seed=True) == {**PLAIN, "seed": 3}


def test_scores_of_tokens_are_asked_for_in_a_body_of_their_own() -> None:
    asked = TeacherRequest("east", "teacher", (), None, 1, scoring=Scoring((5, 6, 7), 1, 4))
    body = sent(request=asked, send_seed=True, parameters=Parameters(top_p=0.9))
    assert body == scoring_body("m", Scoring((5, 6, 7), 1, 4))


def test_a_temperature_of_none_is_not_sent() -> None:
    assert "temperature" not in sent(request=TeacherRequest("east", "teacher", (("user", "Hi"),), None, 64))
    assert "temperature" not in sent(send_temperature=False)


@pytest.mark.parametrize(
    ("base_url", "parameters", "more"),
    [
        ("http://x/v1", Parameters(top_p=0.9, reasoning_effort="high"), {"top_p": 0.9, "reasoning_effort": "high"}),
        ("http://x/v1", Parameters(enable_thinking=False), {"chat_template_kwargs": {"enable_thinking": False}}),
        (
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            Parameters(enable_thinking=False),
            {"enable_thinking": False},
        ),
        ("https://api.siliconflow.cn/v1", Parameters(enable_thinking=True), {"enable_thinking": True}),
        ("http://x/v1", Parameters(extra_body='{"top_k":20}'), {"top_k": 20}),
        (
            "http://x/v1",
            Parameters(enable_thinking=True, extra_body='{"chat_template_kwargs":{"thinking_budget":9}}'),
            {"chat_template_kwargs": {"enable_thinking": True, "thinking_budget": 9}},
        ),
        (
            "http://x/v1",
            Parameters(extra_body='{"extra_body":{"google":{"thinking_config":{"thinking_budget":0}}}}'),
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
        ),
    ],
)
def test_what_is_used_is_sent_as_the_place_names_it(base_url: str, parameters: Parameters, more: object) -> None:
    assert sent(base_url, parameters=parameters) == {**PLAIN, **more}  # type: ignore[dict-item]
