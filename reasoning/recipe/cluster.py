"""Where a run happens, where it is kept, and who is told how it goes: the keys of `cluster`, `storage` and `tracking`.

Owns: their defaults and bounds: no GPU, a folder of this machine, event files there. They are no part of a run's
identity.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from reasoning.files.addresses import SCHEMES, check_address, is_address
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
    fewest_trainers: PositiveInt | None = Field(
        default=None,
        description=(
            "With how many trainers a training may begin, and go on when machines leave. It takes as many up to "
            "`trainers` as there is room for, and more at a checkpoint (`checkpoint_minutes`) when machines have come. "
            "The student is the same. Default: `trainers`, no fewer."
        ),
    )
    trainer_gpus: NotNegative = Field(default=0.0, description="GPUs of each trainer.")
    trainer_cpus: Positive = Field(default=1.0, description="CPU cores of each trainer.")
    placement: Literal["dedicated", "shared"] = Field(
        default="dedicated",
        description=(
            "`dedicated`: samplers and trainers have GPUs of their own. `shared`: they take turns on the same ones."
        ),
    )
    turns: Literal["sleep", "restart"] = Field(
        default="sleep",
        description=(
            "How they take turns (`placement: shared`). `sleep`: samplers on vLLM with one GPU each, beside as many "
            "trainers with one each, stay up and give their GPUs' memory up while the trainers work "
            "([students.md](students.md#samplers-that-sleep)). `restart`: samplers end before each training and are "
            "started anew after it, as all others do, and these where sleeping fails."
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
    checkpoint_minutes: Positive = Field(
        default=10.0,
        description=(
            "After how many minutes a training is kept within a pass, so that it goes on from there with as many "
            "trainers as there then are: what the loss of a machine costs at most. It is kept after each pass, too."
        ),
    )
    patience: Positive = Field(
        default=30.0,
        description=(
            "For how many minutes a run waits for a machine: one that the cluster's autoscaler starts, one that takes "
            "the place of a lost one, or one that others use. Then the run stops; the same command goes on."
        ),
    )

    @property
    def least_trainers(self) -> int:
        """Without how many trainers no training goes on."""
        return self.fewest_trainers or self.trainers

    @model_validator(mode="after")
    def _fewest_are_no_more_than_all(self) -> ClusterSection:
        if self.least_trainers > self.trainers:
            raise ValueError(
                f"fewest_trainers is {self.fewest_trainers}, and trainers {self.trainers}: lower the first, or raise "
                "the second"
            )
        return self


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
        if not path.strip():
            raise ValueError("it is empty; leave it out, or name a folder or an address (was a variable not set?)")
        kind = path.strip().partition(":")[0].lower()
        if is_address(path):
            check_address(path)
        elif kind in SCHEMES and kind != path.strip().lower():
            raise ValueError(f"an address begins with {kind}://; a folder of such a name is written with ./ before it")
        return path

    @field_validator("journal")
    @classmethod
    def _is_the_same_file_everywhere(cls, journal: Path | None) -> Path | None:
        """Processes work in folders of their own, so that a relative path would be a different file in each."""
        if journal is not None and not journal.expanduser().is_absolute():
            raise ValueError("an absolute path is needed, or one that begins with ~")
        return journal.expanduser() if journal is not None else None


class WandbSection(Section):
    """A run on Weights & Biases; its key is read from WANDB_API_KEY."""

    project: Annotated[str, Field(min_length=1)] = Field(default="tailor", description="The project there.")
    entity: str | None = Field(default=None, description="The user or team there. Default: the key's own.")
    mode: Literal["online", "offline"] = Field(
        default="online",
        description="`offline` keeps it in the run's folder (`wandb/`), to be sent by `wandb sync`; it needs no key.",
    )

    def secret_names(self) -> tuple[str, ...]:
        """The secrets that telling takes."""
        return ("WANDB_API_KEY",) if self.mode == "online" else ()


class MlflowSection(Section):
    """A run on MLflow; a server's user, password or token is read from MLFLOW_TRACKING_USERNAME, _PASSWORD, _TOKEN."""

    uri: str = Field(
        description="The tracking server, such as `http://mlflow:5000`, or a store that the head reaches: `sqlite:///...`."
    )
    experiment: Annotated[str, Field(min_length=1)] = Field(default="tailor", description="The experiment there.")

    @field_validator("uri")
    @classmethod
    def _without_secrets(cls, uri: str) -> str:
        try:
            parts = urlsplit(uri.strip())
            secret = bool(parts.password or parts.query or (parts.username and parts.scheme in ("http", "https")))
        except ValueError:
            raise ValueError("this is not an address") from None
        if not uri.strip():
            raise ValueError("give the address of a tracking server or store")
        if secret:
            raise ValueError(
                "an address must not contain a user, password or query: set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment"
            )
        return uri.strip()

    def secret_names(self) -> tuple[str, ...]:
        """The secrets that telling may take."""
        return ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


class TrackingSection(Section):
    """Who is told how a run goes, step by step and round by round."""

    tensorboard: bool = Field(
        default=True, description="Write TensorBoard's event files into the run's folder (`tensorboard/`)."
    )
    wandb: WandbSection | None = Field(
        default=None, description="Log to Weights & Biases (`pip install wandb`). Default: off."
    )
    mlflow: MlflowSection | None = Field(
        default=None, description="Log to MLflow (`pip install mlflow`). Default: off."
    )

    def secret_names(self) -> set[str]:
        """The names of the secrets that telling takes, where they are set."""
        return {name for one in (self.wandb, self.mlflow) if one is not None for name in one.secret_names()}
