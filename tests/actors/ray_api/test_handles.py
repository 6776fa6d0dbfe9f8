"""Every handle offers methods that its actor has, with the same arguments and results."""

import inspect
from typing import Any, get_args, get_type_hints

import pytest

from actors.coordinator import AnyCoordinator, CoordinatorHandle
from actors.journal.actor import Journal, JournalHandle
from actors.limits.actor import RateLimiter, RateLimiterHandle
from actors.sampler.replica import ReplicaHandle, SamplerReplica
from actors.teacher.worker_base import WorkerBase, WorkerHandle
from actors.training.job import ReporterHandle
from actors.training.trainer import Trainer, TrainerHandle

HANDLES: list[tuple[Any, Any]] = [
    (JournalHandle, Journal),
    (RateLimiterHandle, RateLimiter),
    (WorkerHandle, WorkerBase),
    (ReplicaHandle, SamplerReplica),
    (TrainerHandle, Trainer),
    (ReporterHandle, AnyCoordinator),
    (CoordinatorHandle, AnyCoordinator),
]


@pytest.mark.parametrize(("handle", "actor"), HANDLES, ids=[handle.__name__ for handle, _ in HANDLES])
def test_a_handle_has_its_actors_methods(handle: Any, actor: Any) -> None:
    offered = get_type_hints(handle)
    assert offered
    for name, method in offered.items():
        arguments, result = get_args(method)
        types = get_type_hints(getattr(actor, name))
        parameters = list(inspect.signature(getattr(actor, name)).parameters)[1:]  # without self
        assert list(arguments) == [types[parameter] for parameter in parameters], name
        assert result == types["return"], name
