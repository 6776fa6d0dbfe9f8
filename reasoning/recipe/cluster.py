"""Where a run happens and where it is kept: the keys of `cluster` and `storage`.

Owns: their defaults and bounds: no GPU, and a folder of this machine. They are no part of a run's identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from reasoning.recipe.base import NotNegative, Positive, PositiveInt, Section


class ClusterSection(Section):
    """Where it runs. `address` is a Ray address; by default the cluster the job runs in, else a local one. `sampler`
    is what the student answers with: `auto` takes vLLM, and `transformers` for encoder-decoders, which vLLM has not."""

    address: str | None = None
    sampler: Literal["auto", "vllm", "transformers"] = "auto"
    samplers: PositiveInt = 1
    sampler_gpus: NotNegative = 0.0
    sampler_cpus: Positive = 1.0
    trainers: PositiveInt = 1
    trainer_gpus: NotNegative = 0.0
    trainer_cpus: Positive = 1.0
    placement: Literal["dedicated", "shared"] = "dedicated"
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85
    kv_cache_gib: Annotated[float, Field(gt=0.0)] = 1.0
    enforce_eager: bool = True


class StorageSection(Section):
    """Where a run is kept. `journal` is the file of the teacher's replies, when runs share one; it must lie on a local
    disk. Default: each run its own, in its directory."""

    path: str = "runs"
    journal: Path | None = None

    @field_validator("path")
    @classmethod
    def _is_a_folder(cls, path: str) -> str:
        if "://" in path:
            raise ValueError("a folder is needed; on a cluster, one that its nodes share")
        return path

    @field_validator("journal")
    @classmethod
    def _is_the_same_file_everywhere(cls, journal: Path | None) -> Path | None:
        """Processes work in folders of their own, so that a relative path would be a different file in each."""
        if journal is not None and not journal.expanduser().is_absolute():
            raise ValueError("an absolute path is needed, or one that begins with ~")
        return journal.expanduser() if journal is not None else None
