"""The command that writes docs/recipe.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_the_page_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    command = [sys.executable, "-m", "pipelines.recipe.reference", str(page)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    assert page.read_bytes() == (ROOT / "docs" / "recipe.md").read_bytes()
