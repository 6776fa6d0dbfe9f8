"""The secrets file of a machine: keys that its processes may use, by their names.

Owns: where the file lies (`TAILOR_SECRETS_FILE`, else `~/.config/tailor/secrets.env`), its format, who may read it, and
the order in which a key is looked for: the environment first, then this file.

The format is that of an env file: `NAME=value` on each line, `export` and quotes allowed, `#` begins a comment line.

Invariants
- A file that other users of the machine can read is refused, as ssh refuses such a key.
- No message holds a line of the file, only its number.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "TAILOR_SECRETS_FILE"
DEFAULT = "~/.config/tailor/secrets.env"
_LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")


class SecretsFileError(ValueError):
    """A secrets file that cannot be used. The message names it, what is wrong and what to do."""


def secret(name: str, environment: Mapping[str, str] | None = None) -> str:
    """What `name` stands for on this machine, without surrounding space; empty where it is not set. Raises
    `SecretsFileError`."""
    value = (os.environ if environment is None else environment).get(name, "").strip()
    return value or read_secrets().get(name, "")


def secrets_path() -> Path:
    """Where this machine's secrets file is, if it has one."""
    return Path(os.environ.get(VARIABLE, "").strip() or DEFAULT).expanduser()


def read_secrets() -> dict[str, str]:
    """The secrets of this machine's file by name; none where there is no file. Raises `SecretsFileError`, also when
    `TAILOR_SECRETS_FILE` names a file that is not there."""
    path = secrets_path()
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o007:
            raise SecretsFileError(f"{path}: every user of this machine can read it. Run: chmod 600 {path}")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if os.environ.get(VARIABLE, "").strip():
            raise SecretsFileError(f"{path}: no such file, though {VARIABLE} names it") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SecretsFileError(f"{path}: cannot be read as UTF-8 text ({type(error).__name__})") from None
    return dict(_entry(path, number, line) for number, line in enumerate(text.splitlines(), 1) if _counts(line))


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _entry(path: Path, number: int, line: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise SecretsFileError(f"{path}:{number}: this line is no NAME=value")
    value = found["value"].strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return found["name"], value
