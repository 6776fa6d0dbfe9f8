"""A machine in a folder: what it is given of this machine's configuration. That commands run in it is asked by
`tests/shipped/test_installs.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.node_install.chroot import configured, folders_in, why_not


def test_indexes_and_certificates_are_handed_on_and_keys_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "/somewhere")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert configured()["PIP_FIND_LINKS"] == "/somewhere"
    assert "OPENAI_API_KEY" not in configured()


def test_folders_of_packages_that_are_configured_are_seen(tmp_path: Path) -> None:
    (tmp_path / "index/simple").mkdir(parents=True)
    seen = {Path(*tmp_path.parts[:3])}
    assert folders_in(f"{tmp_path}/index") == folders_in(f"file://{tmp_path}/index/simple {tmp_path}/none") == seen
    assert folders_in("https://index.example.org/simple 180 relative/folder /etc/ssl/certs /nowhere/at/all") == set()


@pytest.mark.parametrize(("user", "said"), [(1000, "needs root"), (0, "debootstrap")])
def test_what_is_missing_is_told(user: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("PATH", "/nowhere")
    assert said in str(why_not())
