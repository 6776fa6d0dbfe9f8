"""Fine-tune-CoT from one command: `python -m pipelines.fine_tune_cot RECIPE`, here or as a Ray job.

Owns: the command `tailor fine-tune-cot`, which is the same one. What it does is in `pipelines.run.fine_tune_cot`.
"""

from __future__ import annotations

import typer
from rich.console import Console

from pipelines.errors import told_plainly
from pipelines.run.options import DataOption, NameOption, ProbeOption, RecipeArgument, SeedOption, StorageOption


def command(
    recipe: RecipeArgument,
    data: DataOption = None,
    name: NameOption = None,
    storage: StorageOption = None,
    seed: SeedOption = None,
    probe: ProbeOption = True,
) -> None:
    """Run Fine-tune-CoT from a recipe: rationales once, then one student a degree. The same command again resumes."""
    with told_plainly():
        from pipelines.run.fine_tune_cot import run
        from reasoning.recipe.fine_tune_cot import load_cot_recipe

        chosen = load_cot_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
        run(chosen, str(recipe), Console(), probe)


if __name__ == "__main__":
    typer.run(command)
