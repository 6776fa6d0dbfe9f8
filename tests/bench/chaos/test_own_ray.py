"""The Ray of a command that serves: its own, whatever address the environment names, and gone at the end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SAYS = """
import ray
from bench.chaos.own_ray import CPUS, own_ray
with own_ray():
    print(ray.cluster_resources()["CPU"] == CPUS, len(ray.nodes()))
print(ray.is_initialized())
"""


@pytest.mark.slow
def test_it_is_of_this_machine_alone_and_ends() -> None:
    environment = os.environ | {"RAY_ADDRESS": "127.0.0.1:1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SAYS], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["True", "1", "False"]
