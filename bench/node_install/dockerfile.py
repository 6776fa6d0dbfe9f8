"""The steps of a Dockerfile, for whoever has no builder of images: the few instructions that the project's own uses.

Owns: reading them. An instruction that it does not know is refused rather than skipped, so that nothing of a Dockerfile
goes untried unnoticed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

KNOWN = ("FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "USER")


@dataclass(frozen=True)
class Step:
    """A command to run: where, as whom, with which variables. `copies` are what is copied into `folder` before it."""

    command: str
    folder: str
    user: str
    environment: Mapping[str, str]
    copies: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Image:
    """What a Dockerfile makes: from which release, by which steps, and what a container then starts with."""

    base: str
    steps: tuple[Step, ...]
    user: str
    folder: str
    environment: Mapping[str, str]


def read(path: Path, arguments: Mapping[str, str], inherited: Mapping[str, str]) -> Image:
    """Reads a Dockerfile. `arguments` replace the defaults of its ARGs, `inherited` are the variables of its base.
    Raises ValueError for an instruction that is not known here."""
    base, user, folder = "", "root", "/"
    environment, built = dict(inherited), dict(arguments)
    steps: list[Step] = []
    copies: list[tuple[str, str]] = []
    for name, rest in instructions(path.read_text(encoding="utf-8")):
        if name == "FROM":
            base = rest
        elif name == "ARG":
            key, _, default = rest.partition("=")
            built.setdefault(key, default)
        elif name == "ENV":
            environment |= {key: _expanded(value, environment) for key, value in _assignments(rest)}
        elif name == "WORKDIR":
            folder = rest
        elif name == "USER":
            user = rest
        elif name == "COPY":
            source, target = rest.split()
            copies.append((source, target))
        elif name == "RUN":
            steps.append(Step(rest, folder, user, {**built, **environment}, tuple(copies)))
            copies = []
        else:
            raise ValueError(f"{path}: {name} is an instruction that is not known here; known are {', '.join(KNOWN)}")
    return Image(base, tuple(steps), user, folder, environment)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction's name and the rest of it, with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def _assignments(rest: str) -> Iterator[tuple[str, str]]:
    for word in shlex.split(rest):
        key, _, value = word.partition("=")
        yield key, value


def _expanded(value: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: environment.get(found[1], ""), value)
