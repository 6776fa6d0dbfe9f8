"""The probe of an endpoint: what will work passes, what cannot be known is a warning, what is wrong names its cure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.endpoint.api_keys import AuthenticationRefused
from actors.endpoint.probe import EndpointUnreachable, QuotaSpent, SettingRefused, UnknownModel, probe_endpoint
from reasoning.teacher.calls import EndpointSettings
from reasoning.teacher.parameters import Parameters
from tests.actors.scripted_server import Fault, Server, body, error, hanging, said


def probe(server: Server, ask: bool = True, **more: Any) -> str | None:
    endpoint = EndpointSettings("east", **{"base_url": server.base_url, "model": "m", **more})
    return asyncio.run(probe_endpoint(endpoint, timeout_s=1.0, ask=ask))


def test_a_model_that_is_listed_costs_nothing(server: Server) -> None:
    assert probe(server) is None
    assert probe(server, model="big-model") is None
    assert server.sent == []


def test_a_list_that_anybody_is_shown_proves_no_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_KEY", "a-wrong-key")
    assert probe(server, api_key_env="TEACHER_KEY") is None and len(server.sent) == 1
    warning = probe(server, ask=False, api_key_env="TEACHER_KEY")
    assert warning is not None and "not known whether it takes the key" in warning and len(server.sent) == 1
    for answer, refused in ((error(401), AuthenticationRefused), (error(402), QuotaSpent)):
        server.faults.append(answer)
        with pytest.raises(refused):
            probe(server, api_key_env="TEACHER_KEY")
    for passing in (error(429), error(503), error(400, None, "Odd.")):
        server.faults.append(passing)
        assert probe(server, api_key_env="TEACHER_KEY") is None


LISTS: dict[str, Fault] = {
    "a bare list": body('[{"id": "m"}, {"id": "other"}]'),
    "a list of names": body('{"data": ["m"]}'),
    "models": body('{"models": [{"name": "m"}]}'),
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_a_list_in_another_form_is_read(server: Server, listed: Fault) -> None:
    server.models_fault = listed
    assert probe(server) is None and server.sent == []


UNREADABLE: dict[str, Fault] = {
    "null": body("null"),
    "data null": body('{"data": null}'),
    "empty": body('{"data": []}'),
    "odd entries": body('{"data": [null, 7, {"id": null}]}'),
    "HTML": body("<html>Welcome</html>", "text/html"),
    "forbidden": error(403, None, "Missing scopes: api.model.read"),
    "unauthorized": error(401),
    "no such path": error(404),
    "not allowed": error(405),
    "busy": error(429),
    "broken": error(500),
    "paginated, without it": body('{"data": [{"id": "other"}], "has_more": true}'),
    "an error with status 200": body('{"error": "Unexpected endpoint or method. (GET /v1/models)"}'),
    "an alias": body('{"data": [{"id": "m-2024-07-18"}]}'),
    "hanging": hanging,
}


@pytest.mark.parametrize("listed", UNREADABLE.values(), ids=UNREADABLE)
def test_where_the_list_does_not_tell_one_token_decides(server: Server, listed: Fault) -> None:
    server.models_fault = listed
    assert probe(server) is None
    (sent,) = server.sent
    assert sent["max_tokens"] == 1 and sent["model"] == "m"


def test_without_a_request_it_stays_unknown(server: Server) -> None:
    server.models_fault = error(404)
    warning = probe(server, ask=False)
    assert warning is not None and "not known whether it serves 'm'" in warning and server.sent == []


@pytest.mark.parametrize(
    ("answer", "refused", "words"),
    [
        (error(401, "invalid_api_key", "Incorrect API key"), AuthenticationRefused, "refuses the key.*TEACHER_KEY"),
        (error(400, None, "API key not valid."), AuthenticationRefused, "API key not valid"),
        (error(403, "unsupported_country_region_territory"), AuthenticationRefused, "region"),
        (error(429, "insufficient_quota", "no money"), QuotaSpent, "Top it up"),
        (error(400, None, "Your credit balance is too low to access the API"), QuotaSpent, "credit balance"),
        (error(402), QuotaSpent, "nothing left"),
        (error(404, "model_not_found"), UnknownModel, "does not serve the model 'm'"),
        (error(400, None, "Model Not Exist"), UnknownModel, "Model Not Exist"),
        (body("<html>Log in</html>", "text/html"), EndpointUnreachable, "usually ends in /v1"),
        (body('{"error": "Unexpected endpoint or method. (POST /chat/completions)"}'), UnknownModel, "ends in /v1"),
        (error(503, None, "down"), EndpointUnreachable, "status 503"),
        (hanging, EndpointUnreachable, "no answer within 1 s"),
        (
            error(400, "unsupported_parameter", "'max_tokens' is not supported. Use 'max_completion_tokens' instead."),
            SettingRefused,
            "max_tokens_key: max_completion_tokens",
        ),
        (error(400, "unsupported_value", "'temperature' does not support 1.0"), SettingRefused, "send_temperature"),
        (error(422, None, "body.seed: Extra inputs are not permitted"), SettingRefused, "send_seed: false"),
    ],
)
def test_what_every_request_would_meet_is_refused_with_its_cure(
    server: Server, monkeypatch: pytest.MonkeyPatch, answer: Fault, refused: type[Exception], words: str
) -> None:
    monkeypatch.setenv("TEACHER_KEY", "a-secret-value")
    server.models_fault = error(500)
    server.faults.extend([answer] * 3)
    with pytest.raises(refused, match=words) as told:
        probe(server, api_key_env="TEACHER_KEY", send_seed=True)
    assert "a-secret-value" not in str(told.value) and server.base_url in str(told.value)


@pytest.mark.parametrize("answer", [error(429), error(503), error(400, None, "Odd."), hanging])
def test_what_says_nothing_of_the_requests_to_come_is_a_warning(server: Server, answer: Fault) -> None:
    server.models_fault = body('{"data": []}')
    server.faults.append(answer)
    warning = probe(server)
    assert warning is not None and "not known whether requests will pass" in warning


@pytest.mark.parametrize(
    "words",
    [
        "Could not finish the message because max_tokens or model output limit was reached. Please try again",
        "Invalid 'max_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
        "max_tokens must be at least 16",
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
    ],
)
def test_a_model_that_refuses_one_token_is_asked_for_more(server: Server, words: str) -> None:
    server.models_fault = error(404)
    server.faults.append(error(400, None, words))
    assert probe(server) is None
    assert [sent["max_tokens"] for sent in server.sent] == [1, 16]
    server.faults.extend([error(400, None, words)] * 3)
    assert probe(server) is None  # it answers, and to the real bound it has not been asked


@pytest.mark.parametrize("answer", [said("", "length"), said(None, "content_filter"), said("Yes", "stop")])
def test_an_answer_of_any_kind_shows_that_requests_pass(server: Server, answer: Fault) -> None:
    server.models_fault = error(404)
    server.faults.append(answer)
    assert probe(server) is None


def test_a_model_that_is_refused_is_named_with_those_that_are_served(server: Server) -> None:
    server.faults.append(error(404, "model_not_found"))
    with pytest.raises(UnknownModel, match=r"at http://127.*/v1 does not serve the model 'bigmodel'.*big-model"):
        probe(server, model="bigmodel")


def test_the_token_is_asked_for_as_the_requests_will_be(server: Server) -> None:
    server.models_fault = error(404)
    parameters = Parameters(top_p=0.9, reasoning_effort="low")
    probe(server, send_temperature=False, max_tokens_key="max_completion_tokens", parameters=parameters)
    (sent,) = server.sent
    assert sent.keys() == {"model", "messages", "max_completion_tokens", "top_p", "reasoning_effort"}


def test_nothing_that_answers_is_told_with_its_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EndpointUnreachable, match=r"http://127\.0\.0\.1:1/v1 cannot be reached.*base_url"):
        probe(server, base_url="http://127.0.0.1:1/v1")
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(AuthenticationRefused, match="set the environment variable TEACHER_KEY"):
        probe(server, api_key_env="TEACHER_KEY")
