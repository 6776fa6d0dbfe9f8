"""Where a run happens and where it is kept: the keys of `cluster` and `storage`.

Owns: their defaults and bounds: no GPU, and a folder of this machine. They are no part of a run's identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from reasoning.files.addresses import check_address, is_address
from reasoning.recipe.base import NotNegative, Positive, PositiveInt, Section
from reasoning.recipe.engine import CapacitySection


class ClusterSection(CapacitySection):
    """Where a run happens, and with how many processes, CPU cores and GPUs."""

    address: str | None = Field(
        default=None,
        description="The address of a Ray cluster. Default: the one that the job runs in, or else a local one.",
    )
    sampler: Literal["auto", "vllm", "transformers"] = Field(
        default="auto",
        description=(
            "What runs the student when it answers. `auto` takes vLLM, and transformers for "
            "encoder-decoders, which vLLM lacks."
        ),
    )
    samplers: PositiveInt = Field(default=1, description="How many samplers work in parallel.")
    sampler_gpus: NotNegative = Field(default=0.0, description="GPUs of each sampler.")
    sampler_cpus: Positive = Field(default=1.0, description="CPU cores of each sampler.")
    trainers: PositiveInt = Field(default=1, description="How many processes train together.")
    trainer_gpus: NotNegative = Field(default=0.0, description="GPUs of each trainer.")
    trainer_cpus: Positive = Field(default=1.0, description="CPU cores of each trainer.")
    placement: Literal["dedicated", "shared"] = Field(
        default="dedicated",
        description=(
            "`dedicated`: samplers and trainers have GPUs of their own. `shared`: they take turns on the same ones."
        ),
    )
    sampler_labels: dict[str, str] = Field(
        default_factory=dict,
        description=(
            "Labels of the nodes that samplers are put on, such as `{market: spot}`; a value may be `!spot`, "
            "`in(a, b)` or `!in(a, b)`. Default: any node."
        ),
    )
    trainer_labels: dict[str, str] = Field(
        default_factory=dict, description="Labels of the nodes that trainers are put on, likewise."
    )
    teacher_labels: dict[str, str] = Field(
        default_factory=dict,
        description="Labels of the nodes that the processes which ask the teacher are put on, likewise.",
    )
    patience: Positive = Field(
        default=30.0,
        description=(
            "For how many minutes a run waits for a machine: one that the cluster's autoscaler starts, one that takes "
            "the place of a lost one, or one that others use. Then the run stops; the same command goes on."
        ),
    )


class StorageSection(Section):
    """Where runs are kept."""

    path: str = Field(
        default="runs",
        description=(
            "The folder of all runs, or an address: `s3://bucket/prefix`, `gs://`, `abfs://`, `hdfs://` "
            "([reliability.md](reliability.md)). On a cluster: a folder that all its nodes share, or an address."
        ),
    )
    journal: Path | None = Field(
        default=None,
        description=(
            "The file of the teacher's replies, for runs that share one: an absolute path on a local "
            "disk. Default: each run has its own: in its folder, or on the head's own disk, with a copy in "
            "its folder, where `path` is an address or on a network disk."
        ),
    )
    patience: NotNegative = Field(
        default=10.0, description="Minutes for which storage that fails is tried again before the run stops."
    )

    @field_validator("path")
    @classmethod
    def _can_be_storage(cls, path: str) -> str:
        if is_address(path):
            check_address(path)
        return path

    @field_validator("journal")
    @classmethod
    def _is_the_same_file_everywhere(cls, journal: Path | None) -> Path | None:
        """Processes work in folders of their own, so that a relative path would be a different file in each."""
        if journal is not None and not journal.expanduser().is_absolute():
            raise ValueError("an absolute path is needed, or one that begins with ~")
        return journal.expanduser() if journal is not None else None
