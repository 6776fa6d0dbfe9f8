"""Tailored learning from one command: `python -m pipelines.tailored RECIPE`, here or as a Ray job.

Owns: the command `tailor run`, which is the same one. What it does is in `pipelines.run.tailored`.
"""

from __future__ import annotations

from pipelines.command_line.answer import Answer
from pipelines.command_line.app import alone
from pipelines.run.options import (
    DataOption,
    LogFormatOption,
    LogLevelOption,
    NameOption,
    ProbeOption,
    RecipeArgument,
    SeedOption,
    StorageOption,
)


def command(
    recipe: RecipeArgument,
    data: DataOption = None,
    name: NameOption = None,
    storage: StorageOption = None,
    seed: SeedOption = None,
    probe: ProbeOption = True,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> Answer:
    """Run tailored learning from a recipe. The same command again resumes."""
    from pipelines.report.document import run_document
    from pipelines.run.log_lines import console, set_up
    from pipelines.run.tailored import run
    from reasoning.recipe.fine_tune_cot import load_any_recipe
    from reasoning.recipe.tailored import Recipe, RecipeError

    set_up(log_format, log_level)
    chosen = load_any_recipe(recipe, data)
    if not isinstance(chosen, Recipe):
        raise RecipeError(f"{recipe}: a recipe of Fine-tune-CoT (it has fine_tuning): tailor fine-tune-cot {recipe}")
    chosen = chosen.replace(name=name, storage_path=storage, seed=seed)
    finished = run(chosen, str(recipe), console(), probe)
    outcome = finished.outcome
    return Answer(run_document(finished.directory, finished.report, outcome.reason, outcome.journal))


if __name__ == "__main__":
    alone(command)
