"""The command line: bad input is told in one message, with its place and cure, and nothing is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.run.options import runs_here

RUNNER = CliRunner()


def said(*arguments: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(arguments))
    return result.exit_code, " ".join(result.output.split())


def recipe(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning: {round: 3}", ("learning.round: unknown key", "rounds")),
        ("learning: {rounds: -1}", ("learning.rounds", "must be at least 0")),
        ("task: {name: sudoku}", ("task.name", "sudoku", "coin_flip")),
        ("task: {source: file, path: /no/such/file}", ("/no/such/file",)),
        ("student: {model: ./no-such-student}", ("student.model", "no-such-student")),
        ("cluster: {sampler_gpus: 64}", ("cluster", "GPU")),
        (
            "teacher: {kind: openai, model: m, base_url: 'http://127.0.0.1:9/v1'}",
            ("teacher", "http://127.0.0.1:9/v1"),
        ),
        (
            "teacher: {kind: openai, model: m, api_key_env: TAILOR_TEST_NO_SUCH_KEY}",
            ("TAILOR_TEST_NO_SUCH_KEY", "environment"),
        ),
    ],
)
def test_bad_input_is_refused_before_anything_starts(text: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    storage = tmp_path / "runs"
    code, output = said("run", recipe(tmp_path, text), "--storage", str(storage))
    assert code == 2
    assert all(part in output for part in expected), output
    assert "Traceback" not in output
    assert not storage.exists()


def test_a_malformed_data_line_is_named_by_its_number(tmp_path: Path) -> None:
    good = '{"question": "What is 1 + %d?", "answer": "So it is. #### %d"}\n'
    lines = [good % (i, i + 1) for i in range(30)]
    lines[16] = '{"question": "half a line\n'
    for name in ("gsm8k_train.jsonl", "gsm8k_test.jsonl"):
        (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    text = f"task: {{name: gsm8k, source: file, path: {tmp_path}}}"
    code, output = said("run", recipe(tmp_path, text), "--storage", str(tmp_path / "runs"))
    assert code == 2
    assert "gsm8k_train.jsonl, line 17" in output


def test_a_run_folder_of_another_recipe_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    from reasoning.recipe.tailored import parse_recipe
    from reasoning.rounds.directory import RunDirectory

    RunDirectory(tmp_path / "runs" / "mine").claim(parse_recipe("{name: mine, seed: 1}", "old"))
    code, output = said("run", recipe(tmp_path, "{name: mine, seed: 2}"), "--storage", str(tmp_path / "runs"))
    assert code == 2
    assert "belongs to another recipe" in output and "seed" in output and "--name" in output


def test_commands_on_what_is_no_run_say_so(tmp_path: Path) -> None:
    for command in ("report", "serve", "eval"):
        code, output = said(command, str(tmp_path))
        assert code == 2 and "not a run directory" in output, (command, output)


def test_help_answers_without_loading_what_a_command_needs() -> None:
    """Every command, in one process: a second of imports would be felt each time. (Typer itself loads pydantic.)"""
    program = (
        "import sys; from typer.main import get_command; from typer.testing import CliRunner\n"
        "from pipelines.cli import app\n"
        "for name in get_command(app).commands:\n"
        "    assert CliRunner().invoke(app, [name, '--help']).exit_code == 0\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "ours = [name for name in sys.modules if name.startswith(('pipelines.', 'reasoning.', 'actors.'))]\n"
        "print(*sorted(roots & {'torch', 'ray', 'vllm', 'transformers', 'openai', 'yaml', 'jinja2', 'numpy', "
        "'aiohttp', 'pyarrow', 'matplotlib', 'sympy', 'sqlite3', 'asyncio'}), len(ours))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *heavy, ours = out.stdout.split()
    assert not heavy and int(ours) < 45


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["eval", "-h"], ["journal", "stats", "-h"]])
def test_help_is_asked_for_in_either_way(arguments: list[str]) -> None:
    code, output = said(*arguments)
    assert code == 0 and "Usage:" in output and "--help" in output


def test_it_says_which_version_it_is() -> None:
    code, output = said("--version")
    assert code == 0 and output.split()[0] == "tailor" and output.split()[1][0].isdigit()


def test_a_shell_is_offered_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for run in ("runs/mine", "runs/other", "elsewhere/mine"):
        Path(run).mkdir(parents=True)
        Path(run, "recipe.yaml").touch()
    Path("runs/no-run").mkdir()
    assert runs_here("") == ["runs/mine", "runs/other"] and runs_here("runs/m") == ["runs/mine"]
    assert runs_here("elsewhere/") == ["elsewhere/mine"]
