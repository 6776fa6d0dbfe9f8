"""A Ray of this machine alone, for a command that serves a student and does something to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

CPUS = 4  # more than the machine may have: what is served here is small, and waits


@contextmanager
def own_ray() -> Iterator[None]:
    """Within it a quiet Ray, whatever cluster is there besides; its end is the end of all that was served in it."""
    import ray

    ray.init(
        address="local", num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING
    )
    try:
        yield
    finally:
        ray.shutdown()
