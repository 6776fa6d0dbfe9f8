"""The measurement of a GPU, rehearsed on the CPU: every part runs, in its order, and neither Ray nor vLLM is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.training

# What a machine without them says of an import.
BLOCKED = """
import runpy, sys
for name in ("ray", "vllm", "hypothesis", "pytest"):
    sys.modules[name] = None
sys.argv = ["bench.gpu", "--device", "cpu", "--tiny", "--seconds", "0.01"]
runpy.run_module("bench.gpu", run_name="__main__")
"""


def test_all_parts_run_on_a_cpu_without_ray_and_vllm() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    checked = [line for line in lines if "gradients by" in line]
    assert len(checked) == 18 and all(line.endswith(": as the plain one") for line in checked), done.stdout
    assert lines.index(checked[-1]) == len(checked)  # before anything is timed
    speeds = [line for line in lines if "tokens/s" in line]
    assert len(speeds) >= 11
    assert [line for line in lines if "LoRA, gradient checkpointing" in line]
