"""The commands for submitted runs, as a user types them against nobody."""

import pytest
from typer.testing import CliRunner

from pipelines.cli import app

runner = CliRunner()


@pytest.mark.parametrize("command", ["submit", "status", "logs", "stop"])
def test_every_command_says_what_it_does(command: str) -> None:
    shown = runner.invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "--address" in shown.stdout


@pytest.mark.parametrize(
    "arguments", [["status"], ["logs", "mine"], ["stop", "mine"], ["submit", "recipes/quickstart.yaml"]]
)
def test_a_cluster_that_is_not_there_is_one_message(arguments: list[str]) -> None:
    shown = runner.invoke(app, [*arguments, "--address", "http://127.0.0.1:1"])
    assert shown.exit_code == 2 and "cannot reach a job server at http://127.0.0.1:1" in shown.stderr


@pytest.mark.parametrize("label", ["role", "=x", "role="])
def test_a_label_is_a_key_and_a_value(label: str) -> None:
    shown = runner.invoke(app, ["submit", "recipes/quickstart.yaml", "--driver-label", label])
    assert shown.exit_code == 2 and "is not KEY=VALUE" in shown.stderr


def test_a_recipe_that_is_not_there_is_told_before_a_cluster_is_asked() -> None:
    shown = runner.invoke(app, ["submit", "gone.yaml", "--address", "http://127.0.0.1:1"])
    assert shown.exit_code == 2 and "gone.yaml: no such recipe file" in shown.stderr
