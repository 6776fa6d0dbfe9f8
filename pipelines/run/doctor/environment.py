"""The nodes of a run, examined: the same checks for `tailor doctor` and at the start of each run.

Owns: which nodes' facts are judged against which needs and which tested versions, and the cluster's doors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import ray

from actors.ray_api.internals import asks_for_a_token
from actors.ray_api.nodes import live_nodes
from pipelines.run.checks.student_files import PreflightFault
from pipelines.run.doctor.checks import Check, State, failed, warnings
from pipelines.run.doctor.judging import judge
from pipelines.run.doctor.needs import Needs, needs_of
from pipelines.run.doctor.nodes import facts_of_nodes
from pipelines.run.preflight import PreflightError
from reasoning.recipe.tailored import Recipe

LOCKS = Path(__file__).resolve().parents[3] / "locks"
_LOOPBACK = re.compile(r"127\.|::1$|localhost$")


def examine_nodes(recipe: Recipe | None, *, torch: bool = True, student_known: bool = True) -> list[Check]:
    """What the nodes are like, against what `recipe` asks of them. `torch`: ask whether it can use the GPUs, which
    takes seconds on a node that has some. `student_known` False: nothing can be read of the student."""
    needs = needs_of(recipe, student_known=student_known) if recipe is not None else Needs()
    nodes = facts_of_nodes(needs.storage, needs.readable, torch=torch)
    return [*judge(nodes, needs, locked_versions(nodes[0].packages)), *_doors()]


def require_nodes(recipe: Recipe, origin: str) -> tuple[str, ...]:
    """Refuses to run on nodes that would not carry `recipe` to its end. Returns what its user should know of the rest.
    Raises `PreflightError`, whose message begins with `origin`, the recipe's place."""
    uses_gpus = bool(recipe.cluster.sampler_gpus or recipe.cluster.trainer_gpus)
    checks = examine_nodes(recipe, torch=uses_gpus)
    faults = failed(checks)
    if faults:
        raise PreflightError(origin, [PreflightFault(_place(one), one.found, one.cure) for one in faults])
    return tuple(f"{_place(one)}: {one.found}. {one.cure}." for one in warnings(checks))


def locked_versions(installed: Mapping[str, str]) -> dict[str, str]:
    """The lock for what is `installed`, where the code is a checkout that has it: for GPUs or for CPUs by its vLLM."""
    file = LOCKS / ("gpu.txt" if "vllm" in installed else "cpu.txt")
    if not file.is_file():
        return {}
    lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _place(check: Check) -> str:
    return f"{check.subject} ({check.place})" if check.place else check.subject


def _doors() -> Iterator[Check]:
    """Whether anybody who reaches the cluster may use it."""
    if not ray.is_initialized():
        return
    addresses = [node["NodeManagerAddress"] for node in live_nodes()]
    open_to = [address for address in addresses if not _LOOPBACK.match(address)]
    if asks_for_a_token():
        yield Check("access", State.PASS, "the cluster asks for a token")
    elif len(addresses) > 1 and open_to:
        cure = "Start Ray with RAY_AUTH_MODE=token on every node, and let only its own nodes and you reach its ports"
        yield Check("access", State.WARN, f"who reaches {open_to[0]} may run anything on the cluster", cure)
    else:
        yield Check("access", State.PASS, "one machine, no token")
