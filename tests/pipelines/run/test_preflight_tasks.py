"""Preflight on tasks of the table and of a user's own: every fault of the data is told, with its line."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actors.ray_api.machines.capacity import Capacity
from pipelines.cli import app
from pipelines.run.preflight import PreflightError, check
from reasoning.recipe.tailored import Recipe, parse_recipe

LAPTOP = Capacity.of_one({"CPU": 4.0})


def own_task(folder: Path, bad: int = 0) -> Recipe:
    rows = [{"q": f"What is {i} + 1?", "a": i + 1 if i >= bad else "many"} for i in range(30)]
    path = folder / "my.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    form = "{question: q, answer: a, kind: number}"
    return parse_recipe(f"task: {{name: mine, source: file, path: {path}, form: {form}}}", "mine.yaml")


def test_a_task_of_ones_own_can_be_examined(tmp_path: Path) -> None:
    checked = check(own_task(tmp_path), "mine.yaml", LAPTOP, teacher=False)
    assert len(checked.data.test) == 9 and checked.data.test[0].task == "mine"


def test_the_offline_teacher_says_that_it_cannot_teach_it(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="the offline teacher cannot solve mine") as caught:
        check(own_task(tmp_path), "mine.yaml", LAPTOP)
    assert [fault.place for fault in caught.value.faults] == ["teacher.kind"]


def test_every_bad_row_is_a_fault_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(PreflightError) as caught:
        check(own_task(tmp_path, bad=3), "mine.yaml", LAPTOP, teacher=False)
    assert [fault.place for fault in caught.value.faults] == [f"{tmp_path / 'my.jsonl'}, line {i}" for i in (1, 2, 3)]


def test_a_task_without_a_form_is_told_how_to_have_one() -> None:
    recipe = parse_recipe("task: {name: mine, source: file, path: my.jsonl}", "mine.yaml")
    with pytest.raises(
        PreflightError, match=r"task\.name: no task 'mine'\. Known are .* task\.form: \{question: FIELD"
    ):
        check(recipe, "mine.yaml", LAPTOP)


def test_test_questions_alone_are_for_an_exam(tmp_path: Path) -> None:
    text = "".join(json.dumps({"question": f"{i} + 1?", "answer": f"#### {i + 1}"}) + "\n" for i in range(5))
    (tmp_path / "gsm8k_test.jsonl").write_text(text, encoding="utf-8")
    recipe = parse_recipe(f"task: {{name: gsm8k, source: file, path: {tmp_path}}}", "mine.yaml")
    checked = check(recipe, "mine.yaml", LAPTOP, teacher=False)
    assert len(checked.data.test) == 5 and not checked.data.train and "test questions only" in checked.notes[0]
    with pytest.raises(PreflightError, match=r"gsm8k_train\.jsonl: no such file"):
        check(recipe, "mine.yaml", LAPTOP)


# Files as people have them, through the command ----------------------------------------------------------------------

ROWS = [{"q": f"What is {i} + 1?", "a": str(i + 1)} for i in range(12)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
TABLE = "q,a\n" + "".join(f"{row['q']},{row['a']}\n" for row in ROWS)
BROKEN = {
    "cut.jsonl": (LINES[:-9], ", line 12", "malformed JSON", "fix or remove that line"),
    "null.jsonl": (LINES.replace('"a": "3"', '"a": null'), ", line 3", "its answer is missing", "fix or remove it"),
    "word.jsonl": (LINES.replace('"a": "3"', '"a": "x"'), ", line 3", "not a number", "fix or remove it"),
    "twice.jsonl": (LINES + '{"q": "What is 2 + 1?", "a": 9}', ", line 3", "different answers", "remove the wrong one"),
    "names.csv": (TABLE.replace("q,a", "Q,A", 1), "", "none of its 12 rows has the fields 'q', 'a'", "question: Q"),
    "no names.csv": (TABLE[4:], "", "no row of column names", "such as q,a"),
    "title.csv": ("My questions\n" + TABLE, ", line 1", "not named before line 2", "remove the lines above"),
    "wide.csv": (TABLE.replace("1 + 1", "1, 1"), ", row 3", "3 cells, but the first row has 2", "in double quotes"),
    "quote.csv": (TABLE + '"What', ", row 14", "malformed table", "unpaired double quote"),
    "latin.csv": (TABLE.replace("What", "Qué").encode("latin-1"), ", line 2", "invalid UTF-8", "as UTF-8"),
    "cut.csv.gz": (gzip.compress(TABLE.encode())[:-9], "", "damaged gzip data", "download or pack it again"),
    "book.xlsx": (b"PK\x03\x04cut", "", "zip archive", "unpack it"),
    "cut.parquet": (b"PAR1\x15\x04", "", "a damaged Parquet or Arrow file", "write it again"),
    "pointer.json": ("version https://git-lfs.github.com/spec/v1\n", "", "a Git LFS pointer", "git lfs pull"),
    "page.json": ("<!DOCTYPE html><html></html>", "", "a page of a web site", "download the file itself"),
    "empty.jsonl": ("", "", "the file is empty", "give the task's file"),
}


@pytest.fixture(scope="module")
def teacher() -> Iterator[tuple[str, list[str]]]:
    """An API that lists no models, so that only a question could tell; and what was asked of it."""
    asked: list[str] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_before_the_teacher_is_asked(
    tmp_path: Path, teacher: tuple[str, list[str]], name: str
) -> None:
    content, place, what, cure = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    base_url, asked = teacher
    (tmp_path / "mine.yaml").write_text(
        f"""
task: {{name: mine, source: file, path: "{path}", form: {{question: q, answer: a, kind: number}}}}
teacher: {{kind: openai, model: m, base_url: "{base_url}"}}
storage: {{path: "{tmp_path / "runs"}"}}
""",
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["run", str(tmp_path / "mine.yaml")])
    assert result.exit_code == 2 and not (tmp_path / "runs").exists() and not asked
    said = " ".join(result.output.split())
    assert f" {path}{place}: " in said and what in said and cure.lower() in said.lower()
    assert "nothing was started" in result.output and "Traceback" not in result.output
