"""An optimizer for weights in half precision.

Owns: what a training needs of any optimizer, and the float32 copies.

Invariant: an update that is smaller than half precision can show is not lost: the optimizer moves float32 copies, and
the weights are those, rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from torch import Tensor

BUCKET = 2**27  # elements whose gradients are turned into float32 at once: half a gigabyte


class Optimizer(Protocol):
    """What a training needs of its optimizer; `torch.optim.Optimizer` is one."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...

    @property
    def state(self) -> Mapping[Any, Any]: ...

    def step(self) -> Any: ...

    def zero_grad(self, set_to_none: bool = True) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class MasterWeights:
    """An optimizer of float32 copies of weights in half precision, which are set to the copies, rounded, by each step.

    Gradients are turned into float32 in buckets, so that a step needs half a gigabyte more and not a copy of all."""

    def __init__(self, trained: list[Tensor], make: Callable[[list[Tensor]], Optimizer]) -> None:
        self._trained = trained
        self._masters = [p.detach().float().clone() for p in trained]
        self.optimizer = make(self._masters)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    @property
    def state(self) -> Mapping[Any, Any]:
        return self.optimizer.state

    def step(self) -> None:
        for bucket in self._buckets():
            for weight, master in bucket:
                master.grad, weight.grad = weight.grad.float(), None  # type: ignore[union-attr]
            self.optimizer.step()  # of those that have a gradient: this bucket's
            for weight, master in bucket:
                master.grad = None
                weight.detach().copy_(master)

    def _buckets(self) -> Iterator[list[tuple[Tensor, Tensor]]]:
        bucket: list[tuple[Tensor, Tensor]] = []
        size = 0
        for weight, master in zip(self._trained, self._masters, strict=True):
            if weight.grad is None:
                continue
            if bucket and size + weight.numel() > BUCKET:
                yield bucket
                bucket, size = [], 0
            bucket.append((weight, master))
            size += weight.numel()
        if bucket:
            yield bucket

    def zero_grad(self, set_to_none: bool = True) -> None:
        for weight in self._trained:
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"masters": list(self._masters), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for master, kept in zip(self._masters, state_dict["masters"], strict=True):
            master.copy_(kept)
        self.optimizer.load_state_dict(state_dict["optimizer"])
