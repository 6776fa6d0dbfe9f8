"""Tailored learning from one command: `python -m pipelines.tailored RECIPE`, here or as a Ray job.

Owns: the command `tailor run`, which is the same one. What it does is in `pipelines.run.tailored`.
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
    """Run tailored learning from a recipe. The same command again resumes."""
    with told_plainly():
        from pipelines.run.tailored import run
        from reasoning.recipe.tailored import load_recipe

        chosen = load_recipe(recipe, data).replace(name=name, storage_path=storage, seed=seed)
        run(chosen, str(recipe), Console(), probe)


if __name__ == "__main__":
    typer.run(command)
