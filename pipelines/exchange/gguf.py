"""A run's student as a GGUF file, written by llama.cpp's own converter.

Owns: finding that converter and having it read the folder that `--format model` writes. What a GGUF file of which
architecture holds is llama.cpp's to say, and no package on PyPI brings its converter to import: its sources are named.

Invariant: a file that the converter did not finish is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pipelines.errors import Refused, RunFailed
from pipelines.exchange.asking import CHAT_TEMPLATE, end_by
from pipelines.exchange.publishing import write_model
from reasoning.files.durable import new_file
from reasoning.fine_tune_cot.directory import student_directory

CONVERTER = "convert_hf_to_gguf.py"
_SHOWN = 6  # last lines of a converter that gave up
WHERE_TO_GET_IT = (
    "GGUF is written by llama.cpp's own converter: --llama-cpp FOLDER names its sources, a clone of "
    "https://github.com/ggml-org/llama.cpp, or vendor/llama.cpp of llama-cpp-python's source package "
    "(pip download --no-deps --no-binary :all: llama-cpp-python)"
)


def write_gguf(folder: Path, out: Path, round: int | None, llama_cpp: Path | None, notes: list[str]) -> dict[str, int]:
    """Writes the student of `round` (None: the best one) to the file `out`. `llama_cpp` is the folder of llama.cpp's
    sources. Raises `RunDirectoryError`, `Refused`, `RunFailed` with the converter's last words."""
    if llama_cpp is None:
        raise Refused(f"--format gguf: {WHERE_TO_GET_IT}")
    converter = llama_cpp.expanduser().resolve() / CONVERTER
    if not converter.is_file():
        raise Refused(f"--llama-cpp {llama_cpp}: there is no {CONVERTER} in it. {WHERE_TO_GET_IT}")
    if out.suffix != ".gguf" or out.exists():
        raise Refused(f"--out {out}: {'this exists' if out.exists() else 'a name that ends in .gguf is expected'}")
    with tempfile.TemporaryDirectory(prefix="tailor-gguf-") as there, new_file(out) as part:
        model = Path(there) / "student"
        write_model(folder, model, round, notes)
        form, chats = student_directory(folder).form(), (model / CHAT_TEMPLATE).is_file()
        end_by(model, form.frame.end)
        arguments = [sys.executable, str(converter), str(model), "--outfile", str(part), "--outtype", "auto"]
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )
        if done.returncode or not part.is_file():
            last = "\n  ".join(done.stdout.strip().splitlines()[-_SHOWN:])
            raise RunFailed(f"{converter} did not convert this student (exit code {done.returncode}):\n  {last}")
        bytes_written = part.stat().st_size
    notes.append("llama-quantize of llama.cpp makes it smaller.")
    if chats:
        notes.append(
            "Its chat template asks as the student learnt (llama-server, llama-cli --jinja). Ollama reads none that it "
            f'does not know: in its Modelfile, TEMPLATE """{form.prompt("{{ .Prompt }}")}""" and '
            "PARAMETER temperature 0."
        )
    return {"bytes": bytes_written}
