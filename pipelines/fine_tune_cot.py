"""Fine-tune-CoT from one command: `python -m pipelines.fine_tune_cot RECIPE`, here or as a Ray job.

Owns: the command `tailor fine-tune-cot`, which is the same one. What it does is in `pipelines.run.fine_tune_cot`.
"""

from __future__ import annotations

import typer

from pipelines.errors import told_plainly
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
) -> None:
    """Run Fine-tune-CoT from a recipe: rationales once, then one student a degree. The same command again resumes."""
    with told_plainly():
        from pipelines.run.fine_tune_cot import run
        from pipelines.run.log_lines import console, set_up
        from reasoning.recipe.fine_tune_cot import load_cot_recipe

        set_up(log_format, log_level)
        chosen = load_cot_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
        run(chosen, str(recipe), console(), probe)


if __name__ == "__main__":
    typer.run(command)
