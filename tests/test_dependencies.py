"""What is imported is declared in pyproject.toml, what is declared is used, and the locks hold all of it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.test_arrows import import_statements

PACKAGES = ("tailor", "reasoning", "actors", "pipelines", "serve", "recipes")  # what a wheel holds
OTHERS = ("bench", "tests")

PROGRAMS = {"pytest-timeout", "ruff", "mypy", "types-pyyaml", "setuptools"}  # used, but by no import
BY_OTHERS = {"accelerate"}  # transformers imports it, and refuses GGUF without it
# Peers that are measured in an environment of their own.
NOT_OURS = {"bench/teacher/curator_peer.py"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def declared(lines: Iterable[str]) -> dict[str, Requirement]:
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


RUNTIME = declared(PROJECT["dependencies"])
VLLM = declared([*EXTRAS["cpu"], *EXTRAS["gpu"]])
# Imported where it is asked for; installed by who wants it.
OPTIONAL = declared([*EXTRAS["eight_bit"], *EXTRAS["wandb"], *EXTRAS["mlflow"], *EXTRAS["harness"]])
DEV = declared(EXTRAS["dev"])


@cache
def imports(packages: tuple[str, ...]) -> dict[str, str]:
    """The top-level modules of others that our modules import, anywhere in them, each with one module that does."""
    found: dict[str, str] = {}
    for path in modules(packages):
        for name in imported(ROOT / path):
            if name not in sys.stdlib_module_names and name not in (*PACKAGES, *OTHERS):
                found.setdefault(name, path)
    return found


def modules(packages: tuple[str, ...]) -> Iterator[str]:
    done = subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        names = [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
    else:  # no git checkout: what is there
        names = [str(path.relative_to(ROOT)) for package in packages for path in (ROOT / package).rglob("*.py")]
    yield from (name for name in names if name.split("/")[0] in packages and name not in NOT_OURS)


def imported(path: Path) -> Iterator[str]:
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif node.level == 0:
            yield str(node.module).split(".")[0]


@cache
def distributions() -> dict[str, set[str]]:
    """The distributions, by canonical name, that have a module of a name. More than one shares some names."""
    return {module: {canonicalize_name(one) for one in owners} for module, owners in packages_distributions().items()}


@pytest.mark.parametrize(("packages", "allowed"), [(PACKAGES, RUNTIME | VLLM), (OTHERS, RUNTIME | VLLM | DEV)])
def test_what_is_imported_is_declared(packages: tuple[str, ...], allowed: dict[str, Requirement]) -> None:
    found = imports(packages)
    assert len(found) > 10
    missing = [
        f"{path} imports {name} (of {', '.join(distributions().get(name, {'nothing installed'}))})"
        for name, path in sorted(found.items())
        if not distributions().get(name, {canonicalize_name(name)}) & {*allowed, *OPTIONAL}
    ]
    assert not missing, "not in pyproject.toml:\n" + "\n".join(missing)


def test_what_is_declared_is_imported() -> None:
    of_packages = {one for name in imports(PACKAGES) for one in distributions().get(name, set())}
    of_others = {one for name in imports(OTHERS) for one in distributions().get(name, set())}
    unused = set(RUNTIME) - of_packages - BY_OTHERS
    assert not unused, f"imported by no package: {sorted(unused)}"
    assert set(VLLM) & of_packages, "vLLM is imported by no package"
    unused = set(DEV) - of_others - PROGRAMS
    assert not unused, f"imported by no test or benchmark: {sorted(unused)}"
    assert not set(DEV) & set(RUNTIME)


@pytest.mark.parametrize(("lock", "extra"), [("cpu.txt", "cpu"), ("gpu.txt", "gpu")])
def test_a_lock_holds_all_that_is_declared_in_a_version_that_fits(lock: str, extra: str) -> None:
    lines = (ROOT / "locks" / lock).read_text(encoding="utf-8").splitlines()
    held = dict(line.split("==") for line in lines if re.fullmatch(r"\S+==\S+", line))
    wanted = RUNTIME | DEV | declared(EXTRAS[extra])
    wrong = {
        name: held.get(name, "absent")
        for name, requirement in wanted.items()
        if not (name in held and requirement.specifier.contains(held[name], prereleases=True))
    }
    assert not wrong
