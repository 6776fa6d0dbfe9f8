"""An endpoint's keys: what is refused, secrets above all, and how the pool asks it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reasoning.recipe.tailored import RecipeError, parse_recipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.teacher.calls import BatchSettings


def test_a_batch_api_is_asked_as_its_section_says() -> None:
    keys = {"kind": "openai", "model": "m", "batch": {"max_requests": 100, "linger_s": 0, "poll_s": 1}}
    (endpoint,) = TeacherSection.model_validate(keys).settings().endpoints
    assert endpoint.batch == BatchSettings(100, 0.0, 1.0, "24h")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "openai", "model": "m", "base_url": "api.example/v1"}, "http:// or https://"),
        ({"kind": "openai", "model": "m", "base_url": "ftp://api.example"}, "http:// or https://"),
        ({"endpoints": [{"serve": {}, "base_url": "https://a.example/v1"}]}, "no base_url"),
        ({"endpoints": [{"serve": {}, "batch": {}}]}, "answers immediately"),
        ({"endpoints": [{"weight": 0}]}, "weight"),
        ({"endpoints": [{"kind": "openai"}]}, "kind"),
        ({"tokens_per_minute": 0}, "tokens_per_minute"),
        ({"price": {"input": 1}}, "output"),
        ({"price": {"input": -1, "output": 1}}, "input"),
        ({"batch": {"max_requests": 50_001}}, "max_requests"),
        ({"serve": {"gpu_memory_utilization": 1.5}}, "gpu_memory_utilization"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TeacherSection.model_validate(keys)


@pytest.mark.parametrize(
    "keys",
    [
        "base_url: 'https://me:hunter2@api.example/v1'",
        "base_url: 'https://api.example/v1?key=hunter2'",
        "api_key_env: sk-hunter2",
        "endpoints: [{base_url: 'https://me:hunter2@api.example/v1'}]",
        "endpoints: [{api_key_env: sk-hunter2}]",
    ],
)
def test_a_secret_is_refused_wherever_it_is_put_and_not_repeated(keys: str) -> None:
    with pytest.raises(RecipeError, match="api_key_env") as refused:
        parse_recipe(f"teacher: {{kind: openai, model: m, {keys}}}", "r.yaml")
    assert "hunter2" not in str(refused.value)
