"""Whether the trackers that a recipe names can be told of its run.

Owns: the check that their libraries are here and that a key is set, before anything is started.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from pipelines.run.checks.student_files import PreflightFault
from reasoning.files.secrets_file import secret
from reasoning.recipe.cluster import TrackingSection


def tracking_faults(tracking: TrackingSection) -> Iterator[PreflightFault]:
    """What keeps a tracker from being told."""
    for name, section in (("wandb", tracking.wandb), ("mlflow", tracking.mlflow)):
        if section is not None and find_spec(name) is None:
            cure = f"Install it on the head (`pip install {name}`), or leave tracking.{name} out"
            yield PreflightFault(f"tracking.{name}", f"the library {name} is not installed", cure)
    if tracking.wandb is not None and tracking.wandb.mode == "online" and not secret("WANDB_API_KEY"):
        cure = "Set it in the environment, or tracking.wandb.mode: offline"
        yield PreflightFault("tracking.wandb", "WANDB_API_KEY is not set, and a run cannot ask for it", cure)
