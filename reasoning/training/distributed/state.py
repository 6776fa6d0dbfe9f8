"""What is kept of a training under way, to go on from: a folder that all workers write and read.

Owns: that folder, and the file that an earlier version wrote in its place.

Invariants
- Each worker writes its part and reads what it needs (`torch.distributed.checkpoint`): as many workers as one likes go
  on from what any number of them wrote, whether the student is divided among them or not.
- Tensors are safetensors, all else is JSON: nothing is unpickled.
- `progress.json` is written last: a folder without it is no state.
- Tensors are copied before `begin` returns; the training goes on while they are written.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reasoning.files.durable import new_file
from reasoning.training.report import LossPoint, TrainingError
from reasoning.training.weights.master_weights import MasterWeights, Optimizer

PROGRESS_FILE = "progress.json"
_ONE_WORKER = "torch.distributed is disabled, unavailable or uninitialized"  # which is meant


@dataclass(slots=True)
class Progress:
    """How far a training is. `random_states`: of every rank, where a pass is under way, after `steps_of_pass` of it."""

    identity: str
    passes: int = 0
    steps_of_pass: int = 0
    tokens: int = 0
    points: list[LossPoint] = field(default_factory=list)
    random_states: list[Tensor] = field(default_factory=list)

    def to_json(self) -> str:
        points = [tuple(asdict(point).values()) for point in self.points]
        states = [bytes(state.tolist()).hex() for state in self.random_states]
        return json.dumps({name: getattr(self, name) for name in _PLAIN} | {"points": points, "random_states": states})

    @staticmethod
    def from_json(text: str) -> Progress:
        content = json.loads(text)
        points = [LossPoint(*values) for values in content["points"]]
        states = [torch.tensor(list(bytes.fromhex(one)), dtype=torch.uint8) for one in content["random_states"]]
        return Progress(**{name: content[name] for name in _PLAIN}, points=points, random_states=states)


_PLAIN = ("identity", "passes", "steps_of_pass", "tokens")


@dataclass(frozen=True, slots=True)
class Saving:
    """A state that is being written. Every worker ends it."""

    folder: Path
    written: Future[Any]
    progress: str | None  # of the worker that writes it

    def wait(self) -> None:
        """Until this worker's part is written. Raises `OSError` with what kept any of them from it."""
        from torch.distributed.checkpoint.api import CheckpointException

        try:
            self.written.result()
        except CheckpointException as error:  # which is no `Exception`
            raise OSError(f"{self.folder}: {_causes(error)}") from error

    def finish(self) -> None:
        """Waits, and writes what makes the folder a state. Raises `OSError`."""
        self.wait()
        if self.progress is not None:
            with new_file(self.folder / PROGRESS_FILE) as part:
                part.write_text(self.progress, encoding="utf-8")


def writers(world_size: int) -> Any:
    """The process group that the workers' writers talk in, theirs alone and on CPUs; None where there is one process
    and it is in no group."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    if not there or torch.distributed.get_world_size() != world_size:
        return None
    return torch.distributed.new_group(backend="gloo")


def begin(folder: Path, model: Any, optimizer: Optimizer, progress: Progress, group: Any = None) -> Saving:
    """Begins to write a state to `folder`; workers of several nodes have one each. `group`: what `writers` made."""
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import async_save

    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", message=_ONE_WORKER)
    tensors = _weights(model) | dict(_moments(optimizer))
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    written: Any = async_save(tensors, storage_writer=writer, process_group=group, no_dist=group is None)
    writes = group is None or torch.distributed.get_rank() == 0
    return Saving(folder, written, progress.to_json() if writes else None)


def load(state: Path, model: Any, optimizer: Optimizer, identity: str, group: Any = None) -> Progress:
    """Sets `model` and `optimizer` to what `state` keeps, and says how far it had come. Raises `TrainingError` when it
    is none, or belongs to a training with another `identity`."""
    if state.is_file():
        return _load_file(state, model, optimizer, identity)
    from safetensors import SafetensorError
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load as load_into

    reader = HuggingFaceStorageReader(str(state))
    try:
        progress = Progress.from_json((state / PROGRESS_FILE).read_text(encoding="utf-8"))
        known = set(reader.read_metadata().state_dict_metadata)
    except FileNotFoundError as error:
        raise TrainingError(
            f"{state}: no state of a training is there (it has no {PROGRESS_FILE}): remove that folder to begin this "
            "training anew"
        ) from error
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(state, "a file of it was cut off or changed", str(error)) from error
    _require_same(state, progress.identity, identity)
    warnings.filterwarnings("ignore", message=_ONE_WORKER)
    make_moments(optimizer, {int(name.split(".")[1]) for name in known if name.startswith("moments.")})
    tensors = _weights(model) | dict(_moments(optimizer))
    try:
        load_into(tensors, storage_reader=reader, process_group=group, no_dist=group is None)
    except CheckpointException as error:
        what = "a worker's part is missing, or it is of another student"
        raise _unreadable(state, what, _causes(error)) from error
    return progress


def _unreadable(state: Path, why: str, said: str) -> TrainingError:
    what = f"{state}: this state cannot be read ({why}): {said.rstrip('.')}"
    return TrainingError(f"{what}. Remove that folder to begin this training anew")


def _load_file(file: Path, model: Any, optimizer: Optimizer, identity: str) -> Progress:
    """An earlier version's state, which the first worker alone wrote."""
    from torch.distributed.tensor import DTensor

    weights = dict(model.named_parameters())
    if any(isinstance(weight, DTensor) for weight in weights.values()):
        raise TrainingError(
            f"{file}: the state of a training that an earlier version began, which cannot be divided among workers: "
            "go on with sharding: none, or remove that run's folder to begin this training anew"
        )
    content = torch.load(file, map_location=next(iter(weights.values())).device, weights_only=True)
    _require_same(file, content["identity"], identity)
    model.load_state_dict(content["model"], strict=all(weight.requires_grad for weight in weights.values()))
    optimizer.load_state_dict(content["optimizer"])
    states = [one.cpu() for one in content.get("random_states", [])]
    points = [LossPoint(*values) for values in content["points"]]
    return Progress(
        identity, content["passes"], content.get("steps_of_pass", 0), content["tokens"], points, states
    )  # the first of them were kept after passes alone


def _causes(error: Any) -> str:
    return "; ".join(f"worker {rank}: {failure[0]}" for rank, failure in error.failures.items())


def _require_same(state: Path, found: str, wanted: str) -> None:
    if found != wanted:
        raise TrainingError(
            f"{state}: the state of another training (other examples, settings or seed) under the same name: "
            "remove that run's folder, or give this one another name"
        )


def _weights(model: Any) -> dict[str, Tensor]:
    """The weights that a resumption needs: all, or those of an adapter, where the others never change."""
    return {f"weights.{name}": one.detach() for name, one in model.named_parameters() if one.requires_grad}


def _moments(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """What the optimizer remembers of each weight, by the weight's place in its groups."""
    for place, weight in enumerate(_moved(optimizer)):
        if isinstance(optimizer, MasterWeights):
            yield f"masters.{place}", weight.detach()
        for name, value in optimizer.state.get(weight, {}).items():
            if isinstance(value, Tensor):
                yield f"moments.{place}.{name}", value


def make_moments(optimizer: Optimizer, places: set[int]) -> None:
    """Gives the weights at `places` moments to be filled, as a step makes them: one of no length, whose numbers do not
    count. The others get none: they had no gradient yet."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for place, weight in enumerate(_moved(optimizer)):
        weight.grad = torch.zeros_like(weight) if place in places else None
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    inner = optimizer.optimizer if isinstance(optimizer, MasterWeights) else optimizer
    inner.step()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    for weight in _moved(optimizer):
        weight.grad = None


def _moved(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]
