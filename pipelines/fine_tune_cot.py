"""Fine-tune-CoT from one command: `python -m pipelines.fine_tune_cot RECIPE`, here or as a Ray job.

Owns: the command `tailor fine-tune-cot`, which is the same one. What it does is in `pipelines.run.fine_tune_cot`.
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
    """Run Fine-tune-CoT from a recipe: rationales once, then one student a degree. The same command again resumes."""
    from pipelines.report.document import cot_document
    from pipelines.run.fine_tune_cot import run
    from pipelines.run.log_lines import console, set_up
    from reasoning.recipe.fine_tune_cot import load_cot_recipe

    set_up(log_format, log_level)
    chosen = load_cot_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
    finished = run(chosen, str(recipe), console(), probe)
    outcome = finished.outcome
    return Answer(cot_document(finished.directory, finished.report, outcome.reason, outcome.journal))


if __name__ == "__main__":
    alone(command)
