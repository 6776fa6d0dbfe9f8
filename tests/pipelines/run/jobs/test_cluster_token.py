"""A cluster's token is found where Ray looks for it, and said to be missing where Ray would end the process."""

from pathlib import Path

import pytest

from pipelines.run.jobs.cluster_token import ClusterError, cluster_token

TOKEN = "a" * 64


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_it_is_in_the_environment_in_a_named_file_or_at_home(
    nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster_token() is None
    (nothing_set / ".ray").mkdir()
    (nothing_set / ".ray" / "auth_token").write_text(f"{TOKEN}\n", encoding="utf-8")
    assert cluster_token() == TOKEN
    (nothing_set / "other").write_text("b" * 64, encoding="utf-8")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nothing_set / "other"))
    assert cluster_token() == "b" * 64
    monkeypatch.setenv("RAY_AUTH_TOKEN", " " + "c" * 64)
    assert cluster_token() == "c" * 64


@pytest.mark.parametrize("token", ["abc\ndef", "abc def", "\u201cabc\u201d", "abc\x00", "abc\x7f"])
def test_one_that_was_copied_wrongly_is_told_and_not_shown(
    token: str, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing_set / "token").write_text(token, encoding="utf-8")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nothing_set / "token"))
    with pytest.raises(ClusterError, match=r"token in .*/token has characters that no token has.*Copy it") as refused:
        cluster_token()
    assert "abc" not in str(refused.value)


def test_one_that_is_asked_for_and_missing_is_told(nothing_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "Token")
    with pytest.raises(ClusterError, match=r"there is no token in .*auth_token or RAY_AUTH_TOKEN\. Set"):
        cluster_token()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nothing_set / "gone"))
    with pytest.raises(ClusterError, match=r"cannot be read from .*gone, which RAY_AUTH_TOKEN_PATH names"):
        cluster_token()
