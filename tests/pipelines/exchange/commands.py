"""`tailor import` and `tailor export` as a person calls them, a recipe and a paid-for file to call them with."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipelines.cli import app
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.recipe.tailored import parse_recipe
from reasoning.tasks.loading import TaskData, load_problems
from tests.reasoning.exchange.samples import completion, completion_file

RECIPE = """
name: paid-for
task: {name: coin_flip, train: 12, validation: 4, test: 4}
teacher: {kind: recorded, recorded: %s, first_prompt: %s}
learning: {first_questions: 12, first_rationales: 3}
"""


def said(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def recipe(folder: Path, recorded: Path, prompt: str = "plain") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE % (recorded, prompt), encoding="utf-8")
    return path


def task(folder: Path) -> TaskData:
    return load_problems(parse_recipe(RECIPE % (folder / "r.jsonl", "plain"), "test").task, 0)


def write_student(folder: Path) -> None:
    """The embedded student's folder as a round leaves it, but for its weights."""
    folder.mkdir(parents=True)
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(EMBEDDED_STUDENT / name, folder / name)


def other(answer: str) -> str:
    return "no" if answer == "yes" else "yes"


def paid_for(folder: Path) -> Path:
    """Paper B's file of a teacher: three completions a question, the second one wrong, test questions among them."""
    data = task(folder)
    samples: dict[int, list[dict[str, Any]]] = {}
    for index, problem in enumerate([*data.train, *data.test]):
        answers = [problem.answer, other(problem.answer), problem.answer]
        samples[index] = [
            completion(
                index, problem.question, problem.answer, f" \n\nWay {i} to it.", f" {answer}.", completion_index=i
            )
            for i, answer in enumerate(answers)
        ]
    return completion_file(folder / "D_coin_flip.json", samples, dataset_key="coin_flip")
