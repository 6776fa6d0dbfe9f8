"""Where calls go and what stands in their head: Azure's forms above all, and secrets that go nowhere else."""

# ruff: noqa: E501 (a case a line)
from __future__ import annotations

import pytest

from actors.endpoint.address import files_root_of, headers_of, query_of, root_of, secrets_of
from actors.endpoint.api_keys import AuthenticationRefused
from reasoning.teacher.calls import EndpointSettings

AZURE = "https://mine.openai.azure.com"


def place(base_url: str, model: str = "my model", **more: object) -> EndpointSettings:
    return EndpointSettings("east", base_url, model, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("base_url", "version", "root", "files"),
    [
        ("http://x/v1", None, "http://x/v1", "http://x/v1"),
        ("http://x/v1/", None, "http://x/v1", "http://x/v1"),
        (AZURE, "2024-10-21", f"{AZURE}/openai/deployments/my%20model", f"{AZURE}/openai"),
        (f"{AZURE}/openai", "2024-10-21", f"{AZURE}/openai/deployments/my%20model", f"{AZURE}/openai"),
        (f"{AZURE}/openai/deployments/d", "2024-10-21", f"{AZURE}/openai/deployments/d", f"{AZURE}/openai"),
        (f"{AZURE}/openai/v1", None, f"{AZURE}/openai/v1", f"{AZURE}/openai/v1"),
        (f"{AZURE}/openai/v1", "preview", f"{AZURE}/openai/v1", f"{AZURE}/openai/v1"),
        ("https://mine.services.ai.azure.com/models", "2024-05-01-preview", "https://mine.services.ai.azure.com/models", "https://mine.services.ai.azure.com/models"),
    ],
)  # fmt: skip
def test_calls_go_where_the_place_wants_them(base_url: str, version: str | None, root: str, files: str) -> None:
    settings = place(base_url, api_version=version)
    assert (root_of(settings), files_root_of(settings)) == (root, files)
    assert query_of(settings) == ({"api-version": version} if version else {})


def test_the_key_travels_in_the_header_that_the_place_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert headers_of(place("https://api.groq.com/openai/v1"), "k") == {"Authorization": "Bearer k"}
    assert headers_of(place("http://x/v1"), None) == {"Authorization": "Bearer none"}
    assert headers_of(place("http://x", api_version="2024-10-21"), "k") == {"api-key": "k"}
    assert headers_of(place(f"{AZURE}/openai/v1"), "k") == {"api-key": "k"}
    monkeypatch.setenv("OTHER", " secret ")
    own = place("http://x/v1", headers=(("x-api-key", "${OTHER}"), ("X-Title", "Tailor")))
    assert headers_of(own, None) == {"x-api-key": "secret", "X-Title": "Tailor"}
    token = place(f"{AZURE}/openai/v1", headers=(("Authorization", "Bearer ${OTHER}"),))
    assert headers_of(token, None) == {"Authorization": "Bearer secret"}
    assert secrets_of(token, "k") == ("k", "secret")


@pytest.mark.parametrize("value", ["", "two\nlines", "sn\N{SNOWMAN}w"])
def test_a_variable_that_no_header_can_carry_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OTHER", value)
    with pytest.raises(AuthenticationRefused, match=r"header x-token.*OTHER|OTHER.*header x-token") as told:
        headers_of(place("http://x/v1", headers=(("x-token", "${OTHER}"),)), None)
    assert not value or value not in str(told.value)
