"""The probe of an endpoint: what will work passes for nothing, what is wrong is named with its cure."""

import asyncio
from typing import Any

import pytest

from actors.endpoint.api_keys import AuthenticationRefused
from actors.endpoint.probe import EndpointUnreachable, UnknownModel, probe_endpoint
from reasoning.teacher.calls import EndpointSettings
from tests.actors.scripted_server import Server, body, error, hanging


def probe(server: Server, timeout_s: float = 10.0, **more: Any) -> None:
    endpoint = EndpointSettings("offline", **{"base_url": server.base_url, "model": "m", **more})
    asyncio.run(probe_endpoint(endpoint, timeout_s=timeout_s))


def test_the_probe_passes_what_will_work(server: Server) -> None:
    probe(server)
    probe(server, model="big-model")
    for status in (404, 405, 429):
        server.models_fault = error(status)
        probe(server, model="whatever")
    assert server.sent == []  # asking for models costs nothing: no completion was asked for


def test_the_probe_names_what_is_wrong_and_the_cure(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UnknownModel, match=r"offline at http://127.*/v1 does not serve the model 'bigmodel'.*big-model"
    ):
        probe(server, model="bigmodel")
    with pytest.raises(EndpointUnreachable, match=r"http://127\.0\.0\.1:1/v1 cannot be reached.*base_url"):
        probe(server, base_url="http://user:hidden@127.0.0.1:1/v1?token=hidden")
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(AuthenticationRefused, match="set the environment variable TEACHER_KEY"):
        probe(server, api_key_env="TEACHER_KEY")
    server.models_fault = error(401)
    with pytest.raises(AuthenticationRefused, match="api_key_env"):
        probe(server)
    server.models_fault = body("<html>Welcome</html>", "text/html")
    with pytest.raises(EndpointUnreachable, match="usually ends in /v1"):
        probe(server)
    server.models_fault = hanging
    with pytest.raises(EndpointUnreachable, match="no answer within 1 s"):
        probe(server, timeout_s=1.0)
