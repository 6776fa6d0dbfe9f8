"""The document on standard output: valid JSON, and alone there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.command_line.answer import error_document, plain, standard_output_for_the_document
from reasoning.files.data_error import DataError
from reasoning.records import Verdict
from tests.conftest import ROOT


@dataclass(frozen=True, slots=True)
class Record:
    file: Path
    verdict: Verdict
    counts: dict[Verdict, int]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Record(Path("a/b"), Verdict.WRONG, {Verdict.CORRECT: 3}),
            {"file": "a/b", "verdict": "wrong", "counts": {"correct": 3}},
        ),
        ((1, True, None, "x"), [1, True, None, "x"]),
        ([float("nan"), float("inf"), 0.5], [None, None, 0.5]),
        ({1: {2}}, {"1": [2]}),
    ],
)
def test_records_become_plain_values(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == expected


def test_an_error_has_its_type_its_words_and_its_faults() -> None:
    told = error_document(DataError("file.csv, line 3", "no gold answer", "add it"), 2)["error"]
    assert (told["type"], told["exit_code"]) == ("DataError", 2) and "line 3" in told["message"]
    assert told["faults"] == [{"place": "file.csv, line 3", "what": "no gold answer", "cure": "add it"}]
    assert "faults" not in error_document(ValueError("why"), 1)["error"]


def test_what_else_is_printed_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with standard_output_for_the_document() as tell:
        print("a line of progress")
        tell({"path": Path("x"), "bad\udc80": 1})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"path": "x", "bad\udc80": 1} and err == "a line of progress\n"


@pytest.mark.thorough
def test_nothing_of_the_process_or_its_children_reaches_standard_output() -> None:
    """In a process of its own, whose standard output is a pipe."""
    program = (
        "import os, subprocess; from pipelines.command_line.answer import standard_output_for_the_document as only\n"
        "with only() as tell:\n    os.write(1, b'raw\\n'); subprocess.run(['echo', 'child']); tell({'n': 1})\n"
        "print('after')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split(os.linesep) == ['{"n": 1}', "after", ""]
    assert done.stderr.split() == ["raw", "child"]
