"""A wheel is whole: built, installed into an empty environment and used from a folder far from the sources.

Its dependencies are those of the environment of the tests, which the new one sees behind its own packages; the editable
install of the sources is not among them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.packaging

PACKAGES = ("tailor", "reasoning", "actors", "pipelines", "serve", "recipes")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"what belongs to a wheel is what git tracks, and this is no git checkout: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@dataclass(frozen=True, slots=True)
class Built:
    """A wheel and a source distribution of the files that are tracked."""

    tracked: frozenset[str]
    wheel: Path
    sdist: Path

    @property
    def in_packages(self) -> set[str]:
        return {name for name in self.tracked if name.split("/")[0] in PACKAGES}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    sources, out = folder / "sources", folder / "out"
    names = tracked()
    for name in names:
        target = sources / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)

    def make(hook: str) -> Path:
        command = [sys.executable, "-c", BUILD, hook, str(out)]
        done = subprocess.run(command, cwd=sources, env=clean_environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return out / done.stdout.splitlines()[-1]

    return Built(frozenset(names), make("build_wheel"), make("build_sdist"))


def clean_environment() -> dict[str, str]:
    """Without what would lead a process to the sources."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "RAY_ADDRESS")}


def test_a_wheel_holds_all_of_the_packages_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licence = wheel.read("tailor-0.1.0.dist-info/licenses/LICENSE")
    assert names == built.in_packages
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert {f"{package}/py.typed" for package in PACKAGES[:-1]} < names


def test_a_source_distribution_holds_all_that_a_wheel_is_built_from(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {member.name.split("/", 1)[1] for member in sdist.getmembers() if member.isfile()}
    assert built.in_packages | {"pyproject.toml", "README.md", "LICENSE"} <= names


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that holds the wheel, and a folder far from the sources."""

    environment: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str, timeout_s: float = 120) -> str:
        """What a program of the environment prints, run elsewhere."""
        command = [str(self.environment / "bin" / program), *arguments]
        done = subprocess.run(
            command, cwd=self.elsewhere, env=clean_environment(), capture_output=True, text=True, timeout=timeout_s
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    environment, elsewhere = folder / "environment", folder / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(built.wheel)], env=clean_environment(), check=True)
    (own,) = environment.glob("lib/python*/site-packages")
    # A line of a .pth file is a folder to import from; that folder's own .pth files (an editable install) are not read.
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "dependencies.pth").write_text("\n".join(sorted(folders)) + "\n", encoding="utf-8")
    return Installed(environment, elsewhere)


def test_installed_packages_are_those_of_the_wheel(installed: Installed) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor package in ({', '.join(PACKAGES)}): print(package.__file__)"
    files = [Path(line) for line in installed.run("python", "-c", code).split()]
    assert len(files) == len(PACKAGES)
    assert all(file.is_relative_to(installed.environment) for file in files), files


def test_the_command_is_there_and_says_what_it_can(installed: Installed) -> None:
    said = installed.run("tailor", "--help")
    assert all(command in said for command in ("run", "eval", "grade", "serve", "estimate"))


def test_completions_are_graded(installed: Installed) -> None:
    row = {"question": "How many?", "gold": "18", "completion": "3 and 15.\nAnswer: 18", "finish_reason": "stop"}
    (installed.elsewhere / "completions.jsonl").write_text(json.dumps(row), encoding="utf-8")
    said = installed.run("tailor", "grade", "--task", "gsm8k", "--input", "completions.jsonl")
    assert json.loads(said)["accuracy"] == 100.0


def test_the_demo_finds_its_recipe_and_the_recipe_its_student_and_prompts(installed: Installed) -> None:
    code = (
        "from pipelines.demo.demo import RECIPE\n"
        "from reasoning.prompts.run_prompts import prompt_files\n"
        "from reasoning.recipe.tailored import load_recipe\n"
        "recipe = load_recipe(RECIPE)\n"
        "print(RECIPE, recipe.student.source, *(file.path for file in prompt_files(recipe).values()), sep='\\n')"
    )
    found = [Path(line) for line in installed.run("python", "-c", code).splitlines()]
    assert len(found) > 3
    assert all(path.exists() and path.is_relative_to(installed.environment) for path in found), found


@pytest.mark.engine
def test_the_embedded_student_sits_an_exam(installed: Installed) -> None:
    """About 30 s on two cores. The student answers on `transformers`, since vLLM's start would take half a minute more
    and finds nothing of Tailor's that this does not."""
    recipe = "name: wheel\ntask: {name: coin_flip, source: generated}\ncluster: {sampler: transformers}\n"
    (installed.elsewhere / "wheel.yaml").write_text(recipe, encoding="utf-8")
    arguments = ("eval", "wheel.yaml", "--limit", "20", "--out", "attempts.parquet")
    installed.run("tailor", *arguments, timeout_s=400)

    from reasoning.files.tables import read_table
    from reasoning.records import Attempt

    attempts = read_table(installed.elsewhere / "attempts.parquet", Attempt)
    assert len({attempt.problem_id for attempt in attempts}) == 20
    assert all(attempt.tokens > 0 for attempt in attempts)
