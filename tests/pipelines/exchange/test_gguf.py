"""A student as a GGUF file: the converter is llama.cpp's; here a stand-in that writes what it was called with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.exchange.commands import said, write_student
from tests.pipelines.report.test_transcripts import two_rounds

WRITES = """
import pathlib, sys
model, outfile = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[sys.argv.index("--outfile") + 1])
outfile.write_text(" ".join(sorted(file.name for file in model.iterdir())))
"""
GIVES_UP = "import sys; print('reading'); sys.exit('BPE pre-tokenizer was not recognized')"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory, _ = two_rounds(tmp_path)
    student = directory.round(0).student
    write_student(student)
    return directory.path


def converter(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "convert_hf_to_gguf.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.thorough  # a Python of its own
def test_the_converter_reads_the_models_folder(run: Path, tmp_path: Path) -> None:
    out, sources = tmp_path / "my.gguf", converter(tmp_path / "llama.cpp", WRITES)
    code, told = said("export", run, "--format", "gguf", "--out", out, "--llama-cpp", sources)
    assert code == 0, told
    assert "chat_template.jinja" in out.read_text().split()
    assert 'TEMPLATE """Question: {{ .Prompt }} Reasoning:"""' in told


@pytest.mark.thorough  # a Python of its own
def test_what_the_converter_says_is_told_and_no_file_is_left(run: Path, tmp_path: Path) -> None:
    out, sources = tmp_path / "out" / "my.gguf", converter(tmp_path / "llama.cpp", GIVES_UP)
    code, told = said("export", run, "--format", "gguf", "--out", out, "--llama-cpp", sources)
    assert code == 1
    assert "did not convert this student (exit code 1): reading BPE pre-tokenizer was not recognized" in told
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize(
    ("out", "sources", "wanted"),
    [
        ("my.gguf", None, "--llama-cpp FOLDER names its sources"),
        ("my.gguf", "empty", "there is no convert_hf_to_gguf.py in it"),
        ("my", "llama.cpp", "a name that ends in .gguf is expected"),
        ("there.gguf", "llama.cpp", "this exists"),
    ],
)
def test_what_cannot_be_written_is_refused(
    run: Path, tmp_path: Path, out: str, sources: str | None, wanted: str
) -> None:
    converter(tmp_path / "llama.cpp", WRITES)
    (tmp_path / "there.gguf").write_text("")
    more = [] if sources is None else ["--llama-cpp", tmp_path / sources]
    code, told = said("export", run, "--format", "gguf", "--out", tmp_path / out, *more)
    assert code == 2 and wanted in told
