"""What all commands of `tailor` have alike, each of them tried: help that teaches, `--json`, errors and exit codes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.command_line.answer import Answer
from pipelines.command_line.app import CommandLine
from pipelines.errors import Refused, RunFailed
from tests.conftest import ROOT
from tests.pipelines.report.test_tailored import finished_run

RUNNER = CliRunner()


def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by what is typed for it, such as "journal stats"."""
    found: dict[str, Any] = {}
    for name, command in (group or get_command(app)).commands.items():
        inner = commands(command, (*path, name)) if hasattr(command, "commands") else {" ".join((*path, name)): command}
        found |= inner
    return found


COMMANDS = commands()


def document(*arguments: object) -> tuple[int, Any]:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, json.loads(result.stdout)


def test_every_command_is_here() -> None:
    assert {"init", "run", "estimate", "eval", "grade", "report", "status", "journal stats"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_with_an_example_and_where_to_read_on(name: str) -> None:
    command = COMMANDS[name]
    shown = RUNNER.invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and shown.stdout.count("Example: tailor ") == 1
    assert len(command.help.splitlines()[0]) > 20 and command.help.splitlines()[0][0].isupper()
    example, more = command.epilog.split("\n\n")
    words = shlex.split(example.removeprefix("Example: [bold]").removesuffix("[/bold]"))
    assert words[: 1 + len(name.split())] == ["tailor", *name.split()]
    with command.make_context(name, words[1 + len(name.split()) :], resilient_parsing=True) as context:
        assert not context.args  # all of it is understood
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options
    pages = more.removeprefix("More: ").split(", ")
    assert all((ROOT / page).is_file() for page in pages), pages


@pytest.mark.parametrize("name", COMMANDS)
def test_with_json_a_wrong_call_is_one_document_too(name: str) -> None:
    code, told = document(*name.split(), "--no-such-option", "--json")
    assert code == 2 and told["error"]["type"] == "NoSuchOption" and told["error"]["exit_code"] == 2
    assert "--no-such-option" in told["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("run gone.yaml", "gone.yaml"),
        ("fine-tune-cot gone.yaml", "gone.yaml"),
        ("estimate gone.yaml", "gone.yaml"),
        ("submit gone.yaml", "gone.yaml"),
        ("eval gone.yaml", "gone.yaml"),
        ("serve gone", "gone"),
        ("report gone", "gone"),
        ("export gone --format recorded --out x.jsonl", "gone"),
        ("import gone.json --task coin_flip --out x.jsonl", "gone.json"),
        ("grade --task coin_flip --input gone.jsonl", "gone.jsonl"),
        ("grade --input gone.jsonl", "--task"),
        ("init README.md", "README.md: this file exists"),
        ("status --address http://127.0.0.1:1", "127.0.0.1:1"),
        ("logs mine --address http://127.0.0.1:1", "127.0.0.1:1"),
        ("stop mine --address http://127.0.0.1:1", "127.0.0.1:1"),
        ("journal stats gone.sqlite", "gone.sqlite"),
        ("journal export gone.sqlite x.jsonl", "gone.sqlite"),
        ("journal import gone.jsonl gone.sqlite", "gone"),
        ("journal verify gone.sqlite", "gone.sqlite"),
        ("journal retry gone.sqlite", "gone.sqlite"),
    ],
)
def test_with_json_an_error_is_the_document_and_is_said_on_standard_error_as_ever(arguments: str, part: str) -> None:
    result = RUNNER.invoke(app, [*arguments.split(), "--json"])
    told = json.loads(result.stdout)["error"]
    assert result.exit_code == told["exit_code"] == 2
    assert part in told["message"] and part in " ".join(result.stderr.split())


def test_json_may_come_first_and_the_version_has_a_document() -> None:
    assert document("--json", "report", "gone") == document("report", "gone", "--json")
    for arguments in (("--json", "--version"), ("--version", "--json")):
        code, told = document(*arguments)
        assert code == 0 and list(told) == ["version"] and told["version"][0].isdigit()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ("report {run}/round-000", "it is in the run {run}: give that"),
        ("report {run} {run} --out {run}", "{run}: is a directory: check this path"),
        ("export {run} --format recorded --out x.jsonl", "records are of questions that are no longer in its data"),
        ("init {run}/recipe.yaml/x.yaml --data recipes/own_task.jsonl", "check this path"),
        ("run README.md --storage {run}/recipe.yaml", "README.md"),
        ("run recipes/fine_tune_cot.yaml", "tailor fine-tune-cot recipes/fine_tune_cot.yaml"),
        ("fine-tune-cot recipes/gsm8k.yaml", "tailor run recipes/gsm8k.yaml"),
        ("run recipes/own_task.jsonl", "tailor init my-run.yaml --data recipes/own_task.jsonl"),
        ("estimate recipes/own_task.jsonl", "tailor init my-run.yaml --data recipes/own_task.jsonl"),
        ("eval gone", "gone: neither a run's folder nor a recipe is there"),
        ("serve {run} --replicas 4-1", "--replicas"),
    ],
)
def test_what_is_mixed_up_is_told_with_what_was_meant(arguments: str, part: str, tmp_path: Path) -> None:
    run = finished_run(tmp_path).path
    code, told = document(*arguments.format(run=run).split(), "--json")
    assert part.format(run=run) in told["error"]["message"]
    assert code == 2


def test_with_json_each_result_is_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be asked for without Ray; `test_command.py` of the doctor and of estimates have theirs."""
    monkeypatch.chdir(tmp_path)
    run = finished_run(tmp_path).path
    lines = [{"question": "Is it?", "gold": "yes", "completion": "So the answer is yes."}]
    Path("completions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    code, told = document("init", "mine.yaml", "--json")
    assert code == 0 and told["recipe"] == "mine.yaml" and told["question"] == ["question"]
    code, told = document("report", run, "--json")
    assert code == 0 and told["report"] == str(run / "report.html") and told["best"] == 0
    (student,) = told["students"]
    assert student["test_accuracy"] == 0.5 and student["phases"]["train"]["metrics"]["steps"] == 60
    code, told = document("grade", "--task", "coin_flip", "--input", "completions.jsonl", "--json")
    assert code == 0 and (told["n"], told["accuracy"]) == (1, 100.0)


def test_help_is_for_people_also_beside_json() -> None:
    shown = RUNNER.invoke(app, ["report", "--json", "--help"])
    assert shown.exit_code == 0 and "Usage" in shown.stdout


SAYING = """
from pipelines.command_line.answer import Answer
from pipelines.command_line.app import CommandLine
app = CommandLine(add_completion=False)
@app.added(example="x", more="y")
def do() -> Answer:
    return Answer({"n": 1}, lambda console: console.print("✓ done, id :key:"))
app()
"""


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "✓"), ("latin-1", "?"), ("ascii", "?"), ("ascii:surrogateescape", "?")]
)
def test_a_terminal_of_another_encoding_loses_a_character_and_not_the_command(encoding: str, said: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", SAYING]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, f"{said} done, id :key:\n"), done.stderr.decode()


WAITING = """
import time
from pipelines.command_line.app import CommandLine
app = CommandLine(add_completion=False)
@app.added(example="x", more="y")
def do() -> None:
    print("began", flush=True)
    time.sleep(60)
app()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_command_that_is_ended_says_so_by_its_code(number: int, arguments: list[str]) -> None:
    command = [sys.executable, "-c", WAITING, *arguments]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **piped) as process:  # type: ignore[call-overload]
        told = process.stderr if arguments else process.stdout  # what is printed meanwhile
        assert told.readline() == "began\n"
        process.send_signal(number)
        out, said = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in said
    interrupted = {"error": {"type": "Interrupted", "message": "interrupted", "exit_code": 130}}
    assert (json.loads(out) == interrupted) if arguments else out == ""


def small() -> CommandLine:
    one = CommandLine(add_completion=False)

    @one.added(example="x", more="y")
    def do(way: str) -> Answer | None:
        """Do."""
        match way:
            case "yes":
                return Answer({"n": 1}, lambda console: console.print("one"))
            case "no":
                return Answer({"n": 0}, lambda console: console.print("none"), exit_code=1)
            case "refused":
                raise Refused("nothing [was] started")
            case "failed":
                raise RunFailed("it stopped")
            case "interrupted":
                raise KeyboardInterrupt
            case "left":
                raise typer.Exit(3)
            case "bug":
                raise ZeroDivisionError("division")
        print("said while it worked")
        return None

    @one.added(example="x", more="y")
    def other() -> None:
        """Nothing."""

    return one


@pytest.mark.parametrize(
    ("way", "code", "told"),
    [
        ("yes", 0, {"n": 1}),
        ("no", 1, {"n": 0}),
        ("refused", 2, {"error": {"type": "Refused", "message": "nothing [was] started", "exit_code": 2}}),
        ("failed", 1, {"error": {"type": "RunFailed", "message": "it stopped", "exit_code": 1}}),
        ("interrupted", 130, {"error": {"type": "Interrupted", "message": "interrupted", "exit_code": 130}}),
        ("left", 3, {"exit_code": 3}),
        ("bug", 1, {"error": {"type": "ZeroDivisionError", "message": "division", "exit_code": 1}}),
        ("nothing", 0, {"exit_code": 0}),
    ],
)
def test_every_way_a_command_can_end(way: str, code: int, told: object) -> None:
    asked = RUNNER.invoke(small(), ["do", way, "--json"])
    assert (asked.exit_code, json.loads(asked.stdout)) == (code, told)
    assert asked.stdout.count("\n") == 1
    shown = RUNNER.invoke(small(), ["do", way])
    assert shown.exit_code == code and "{" not in shown.stdout
    assert "one" in shown.stdout or way not in ("yes", "no")
