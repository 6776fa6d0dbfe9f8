"""The house keeps its measures: small folders, short files, and tests that stand where the source stands."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_ENTRIES = 16
MOST_LINES = 400
MIRRORED = ("reasoning", "actors", "pipelines", "serve", "bench")
# In the README of a room of tests: "- `pool.py`: `test_worker.py`, `tests/pipelines/test_tailored.py`"
TESTED_ELSEWHERE = re.compile(r"^- `(?P<module>\w+\.py)`: (?P<tests>`[\w/.]+`(?:, `[\w/.]+`)*)", re.MULTILINE)


@pytest.fixture(scope="module")
def files() -> list[PurePosixPath]:
    """Every file of the project: what git tracks, and what it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [PurePosixPath(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_no_folder_has_more_entries_than_a_person_takes_in(files: list[PurePosixPath]) -> None:
    entries = {inner for file in files for inner in (file, *file.parents) if inner.name}
    counts = Counter(entry.parent for entry in entries if not entry.name.startswith("."))
    assert not {str(folder): count for folder, count in counts.items() if count > MOST_ENTRIES}


def test_no_file_is_longer_than_a_person_reads(files: list[PurePosixPath]) -> None:
    lengths = {str(file): (ROOT / file).read_bytes().count(b"\n") for file in files if file.suffix == ".py"}
    assert lengths
    assert not {file: length for file, length in lengths.items() if length > MOST_LINES}


def test_every_module_has_its_test_or_says_where_it_is_tested(files: list[PurePosixPath]) -> None:
    there = {str(file) for file in files}
    missing = []
    for file in files:
        if file.parts[0] not in MIRRORED or file.suffix != ".py" or file.name.startswith("__"):
            continue
        room = PurePosixPath("tests") / file.parent
        if str(room / f"test_{file.name}") not in there and file.name not in elsewhere(room):
            missing.append(f"{file}: no {room}/test_{file.name}, and no line about it in {room}/README.md")
    assert not missing, "\n".join(missing)


def test_what_is_said_of_tests_elsewhere_is_true(files: list[PurePosixPath]) -> None:
    there = {str(file) for file in files}
    wrong = []
    for readme in [file for file in files if file.parts[0] == "tests" and file.name == "README.md"]:
        room, source = readme.parent, readme.parent.relative_to("tests")
        for module, tests in elsewhere(room).items():
            if str(source / module) not in there:
                wrong.append(f"{readme}: there is no {source / module}")
            if str(room / f"test_{module}") in there:
                wrong.append(f"{readme}: {module} has a test of its own")
            wrong += [f"{readme}: there is no {test}" for test in tests if not {test, str(room / test)} & there]
    assert not wrong, "\n".join(wrong)


def elsewhere(room: PurePosixPath) -> dict[str, list[str]]:
    """The modules that the README of a room of tests names, each with the files in which it is tested."""
    readme = ROOT / room / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return {line["module"]: re.findall(r"`([^`]+)`", line["tests"]) for line in TESTED_ELSEWHERE.finditer(text)}


PATH = re.compile(r"`((?:reasoning|actors|pipelines|serve|tests|docs|recipes|bench|locks)/[\w./-]+)`")


def test_what_a_page_points_to_is_there(files: list[PurePosixPath]) -> None:
    pages = [file for file in files if file.suffix == ".md" and file.name != "CHANGELOG.md"]
    named = {(str(page), path) for page in pages for path in PATH.findall((ROOT / page).read_text(encoding="utf-8"))}
    assert {"docs/architecture.md", ".github/CONTRIBUTING.md"} <= {page for page, _ in named}
    placeholders = ("NAME", "colour")  # of what a reader is to add
    assert not [
        (page, path) for page, path in named if not (ROOT / path).exists() and not any(p in path for p in placeholders)
    ]
