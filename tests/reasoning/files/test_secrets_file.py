"""Keys that a machine keeps in a file: found by name, and refused where others could read them."""

from pathlib import Path

import pytest

from reasoning.files.secrets_file import SecretsFileError, read_secrets, secret

KEY = "sk-of-the-file"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secrets.env"
    path.touch(mode=0o600)
    monkeypatch.setenv("TAILOR_SECRETS_FILE", str(path))
    return path


@pytest.mark.parametrize(
    "line",
    [
        f"KEY={KEY}",
        f"export KEY={KEY}",
        f"KEY = {KEY}  ",
        f'KEY="{KEY}"',
        f"  KEY='{KEY}'",
        f"# a comment\n\nOTHER=x=y\nKEY={KEY}\r\n",
    ],
)
def test_a_key_is_found_by_its_name(line: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(line + "\n", encoding="utf-8")
    monkeypatch.delenv("KEY", raising=False)
    assert secret("KEY") == KEY
    monkeypatch.setenv("KEY", "of the environment ")
    assert secret("KEY") == "of the environment"


def test_the_usual_place_is_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAILOR_SECRETS_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_secrets() == {}
    place = tmp_path / ".config" / "tailor" / "secrets.env"
    place.parent.mkdir(parents=True)
    place.touch(mode=0o600)
    place.write_text(f"KEY={KEY}\n", encoding="utf-8")
    assert read_secrets() == {"KEY": KEY}


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o777])
def test_a_file_that_everybody_can_read_is_refused(mode: int, file: Path) -> None:
    file.write_text(f"KEY={KEY}\n", encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(SecretsFileError, match=f"chmod 600 {file}"):
        read_secrets()


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o660])
def test_its_owner_and_a_group_may_read_it(mode: int, file: Path) -> None:
    file.write_text(f"KEY={KEY}\n", encoding="utf-8")
    file.chmod(mode)
    assert read_secrets() == {"KEY": KEY}


@pytest.mark.parametrize("line", [KEY, f"1KEY={KEY}", f"MY KEY={KEY}", f"={KEY}"])
def test_a_line_that_names_nothing_is_told_by_its_number_alone(line: str, file: Path) -> None:
    file.write_text(f"# mine\n{line}\n", encoding="utf-8")
    with pytest.raises(SecretsFileError, match=r"secrets\.env:2: this line is no NAME=value") as told:
        read_secrets()
    assert KEY not in str(told.value)


def test_a_named_file_that_is_not_there_or_no_text_is_told(file: Path) -> None:
    file.write_bytes(b"KEY=\xff\xfe")
    with pytest.raises(SecretsFileError, match="cannot be read as UTF-8"):
        read_secrets()
    file.unlink()
    with pytest.raises(SecretsFileError, match="no such file, though TAILOR_SECRETS_FILE names it"):
        read_secrets()
