"""Reading a Dockerfile's steps, and what the project's own says of the image."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bench.node_install.dockerfile import instructions, read
from tests.conftest import ROOT

OURS = ROOT / "recipes/clusters/Dockerfile"
SENT = {line.removeprefix("!") for line in Path(f"{OURS}.dockerignore").read_text().splitlines() if line[:1] == "!"}


def test_a_step_has_its_folder_user_variables_and_copies(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(
        "# syntax\nFROM debian:12\nARG LOCK=a.txt\nENV HOME=/h PATH=/x:$PATH\nRUN one && \\\n    two\n"
        "WORKDIR /w\nCOPY . .\nUSER me\nRUN three\n"
    )
    image = read(path, {"LOCK": "b.txt"}, {"PATH": "/bin"})
    first, second = image.steps
    assert (first.command, first.folder, first.user, first.copies) == ("one && two", "/", "root", ())
    assert first.environment == {"LOCK": "b.txt", "HOME": "/h", "PATH": "/x:/bin"}
    assert (second.command, second.folder, second.user, second.copies) == ("three", "/w", "me", ((".", "."),))
    assert (image.base, image.user, image.folder) == ("debian:12", "me", "/w")
    assert image.environment == {"HOME": "/h", "PATH": "/x:/bin"}  # an ARG is not there in a container


def test_an_unknown_instruction_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:12\nADD x y\n")
    with pytest.raises(ValueError, match="ADD is an instruction that is not known here"):
        read(path, {}, {})


def test_the_image_starts_no_ray_without_a_token_and_nothing_as_root() -> None:
    image = read(OURS, {}, {"PATH": "/bin"})
    assert image.base == "debian:bookworm-slim"
    assert image.environment["RAY_AUTH_MODE"] == "token" and not any("TOKEN" in name for name in image.environment)
    assert image.environment["PATH"].split(":")[0] == f"{image.environment['VENV']}/bin"
    assert image.user == "ray" and any("useradd --uid 1000 " in step.command for step in image.steps)
    assert "LOCK=$LOCK bash recipes/clusters/install.sh" in image.steps[-1].command
    assert image.steps[-1].environment["LOCK"] == "locks/gpu.txt"


def test_the_image_holds_every_package_and_no_run_or_repository() -> None:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = {name.removesuffix("*") for name in found}
    assert packages | {"Makefile", "README.md", "LICENSE", "pyproject.toml", "locks"} == SENT
    assert next(instructions(OURS.read_text()))[0] == "FROM"
