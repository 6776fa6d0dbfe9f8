"""A key comes from the environment and reaches no message."""

import pytest

from actors.endpoint.api_keys import AuthenticationRefused, read_api_key, scrub, shown_address
from reasoning.teacher.calls import EndpointSettings

SETTINGS = EndpointSettings("east", "https://user:word@api.example/v1?key=1", "m", api_key_env="TAILOR_TEST_KEY")


def test_a_key_is_read_without_the_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_TEST_KEY", " sk-abc\n")
    assert read_api_key(SETTINGS) == "sk-abc"


@pytest.mark.parametrize("key", ["", "two words", "sk-\N{SNOWMAN}"])
def test_what_is_no_key_is_refused_without_being_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_TEST_KEY", key)
    with pytest.raises(AuthenticationRefused, match="TAILOR_TEST_KEY") as caught:
        read_api_key(SETTINGS)
    assert "word@" not in str(caught.value) and (not key or key not in str(caught.value))


def test_no_key_is_wanted_where_none_is_named() -> None:
    assert read_api_key(EndpointSettings("east", "http://127.0.0.1:1/v1", "m")) is None


def test_a_message_is_scrubbed_of_the_key_and_an_address_of_its_password() -> None:
    assert scrub("wrong key secret-1 at https://me:pw@host/", "secret-1") == "wrong key [key] at https://host/"
    assert shown_address(SETTINGS.base_url) == "https://api.example/v1"
