"""How a place is reached and asked: one spelling of an address, no secret anywhere, and what a further place takes over."""

# ruff: noqa: E501 (a case a line)
from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from reasoning.recipe.place import address
from reasoning.recipe.tailored import RecipeError, parse_recipe
from reasoning.recipe.teacher import TeacherSection
from reasoning.teacher.parameters import Parameters


def openai(**keys: Any) -> TeacherSection:
    return TeacherSection.model_validate({"kind": "openai", "model": "m", **keys})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://x/v1/", "http://x/v1"),
        ("http://x/v1//", "http://x/v1"),
        (" http://x/v1 ", "http://x/v1"),
        ("HTTP://X:80/v1", "http://x/v1"),
        ("https://API.example:443/v1", "https://api.example/v1"),
        ("https://api.example:8443/v1", "https://api.example:8443/v1"),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)  # fmt: skip
def test_two_spellings_of_an_address_are_one(written: str, read: str) -> None:
    assert address(written) == read
    section = openai(base_url=written)
    assert section.name == section.settings().endpoints[0].base_url == read


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"base_url": "https://a.example/v1/chat/completions"}, "without /chat/completions"),
        ({"base_url": "https://api.anthropic.com/v1/messages"}, "without /messages"),
        ({"base_url": "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent"}, "OpenAI-compatible"),
        ({"base_url": "https://a.example:port/v1"}, "not an address"),
        ({"base_url": "https://mine.openai.azure.com"}, "ends in /openai/v1, or api_version"),
        ({"base_url": "https://mine.openai.azure.com/openai/deployments/d"}, "api_version"),
        ({"base_url": "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"}, "give api_version"),
        ({"api_version": "2024-10-21"}, "give base_url"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"extra_body": {"model": "x"}}, "model has a key of its own"),
        ({"extra_body": {"max_tokens": 9}}, "teacher.max_tokens"),
        ({"extra_body": {"temperature": 0}}, "teacher.temperature"),
        ({"extra_body": {"stream": True}}, "read whole"),
        ({"extra_body": {"n": 4}}, "one reply"),
        ({"extra_body": {"best_of": 4}}, "one reply"),
        ({"extra_body": {"generationConfig": {"candidateCount": 2}}}, "one reply"),
        ({"extra_body": {"max_output_tokens": 9}}, "teacher.max_tokens"),
        ({"extra_body": {"max_new_tokens": 9}}, "teacher.max_tokens"),
        ({"extra_body": {"options": {"num_predict": 9}}}, "teacher.max_tokens"),
        ({"extra_body": {"generationConfig": {"maxOutputTokens": 9}}}, "teacher.max_tokens"),
        ({"extra_body": {"chat_template_kwargs": {"enable_thinking": True}}, "enable_thinking": False}, "given twice"),
        ({"extra_body": {"top_p": 0.5}, "top_p": 0.5}, "given twice"),
        ({"extra_body": {"x": float("nan")}}, "not finite"),
        ({"headers": {"Content-Type": "text/plain"}}, "set by Tailor"),
        ({"headers": {"X Y": "1"}}, "ASCII"),
        ({"headers": {"X": "two\nlines"}}, "one line"),
        ({"kind": "serve", "headers": {"X": "1"}}, "no headers"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        openai(**keys)


@pytest.mark.parametrize(
    "keys",
    [
        "headers: {api-key: hunter2hunter2}",
        "headers: {Authorization: Bearer hunter2hunter2}",
        "headers: {X-Thing: sk-hunter2hunter2}",
        "extra_body: {api_key: hunter2hunter2}",
        "extra_body: {provider: {x: [{token: sk-hunter2hunter2}]}}",
    ],
)
def test_a_secret_is_refused_and_not_repeated(keys: str) -> None:
    with pytest.raises(RecipeError, match="secret") as refused:
        parse_recipe(f"teacher: {{kind: openai, model: m, {keys}}}", "r.yaml")
    assert "hunter2" not in str(refused.value)


def test_a_variable_stands_for_a_secret() -> None:
    section = openai(base_url="http://x/v1", headers={"api-key": "${AZURE_KEY}", "X-Title": "Tailor"})
    (endpoint,) = section.settings().endpoints
    assert endpoint.headers == (("X-Title", "Tailor"), ("api-key", "${AZURE_KEY}"))
    assert endpoint.parameters.headers == '{"X-Title":"Tailor"}'  # who pays shapes no answer


def test_a_further_place_takes_over_what_is_asked_and_not_how_a_provider_spells_it() -> None:
    further = [{"base_url": "http://y/v1"}, {"base_url": "http://z/v1", "top_p": 0.5, "extra_body": {"b": 2}}]
    section = openai(top_p=0.9, reasoning_effort="low", extra_body={"a": 1}, headers={"X-A": "1"}, endpoints=further)
    first, second, third = section.settings().endpoints
    assert first.parameters == Parameters(0.9, "low", None, '{"a":1}', '{"X-A":"1"}')
    assert second.parameters == Parameters(0.9, "low") and second.headers == ()
    assert third.parameters == Parameters(0.5, "low", None, '{"b":2}')


PLAIN = "teacher: {kind: openai, model: m}"


@pytest.mark.parametrize(
    "keys",
    ["send_seed: false", "send_temperature: false", "max_tokens_key: max_completion_tokens", "top_p: 0.9", "temperature: null",
     "extra_body: {stop: [x]}", "headers: {X-A: b}", "reasoning_effort: low", "enable_thinking: false"],
)  # fmt: skip
def test_what_a_provider_makes_one_change_does_not_begin_a_run_anew(keys: str) -> None:
    plain, changed = parse_recipe(PLAIN, "r"), parse_recipe(f"teacher: {{kind: openai, model: m, {keys}}}", "r")
    assert plain.differences(changed) == changed.differences(plain) == []


def test_another_temperature_is_another_run() -> None:
    other = parse_recipe("teacher: {kind: openai, model: m, temperature: 0.2}", "r")
    assert parse_recipe(PLAIN, "r").differences(other) == ["teacher.temperature"]
    with_seed = parse_recipe("teacher: {kind: openai, model: m, send_seed: false}", "r")
    assert with_seed.fingerprint() != parse_recipe(PLAIN, "r").fingerprint()  # as it always was
