"""Asks every node of the connected cluster what it is like, with one small task each.

Owns: those tasks and how long they are waited for, and the listener that answers them with this node's time.

Invariants
- No GPU and no CPU is taken, so that a busy cluster answers as an idle one does.
- A node that does not answer is one whose facts say so.
- On one machine nothing is started: the driver looks around itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.ray_api.nodes import live_nodes
from pipelines.run.doctor.node import Look, NodeFacts, look_around
from reasoning.files.addresses import is_address

PATIENCE_S = 60.0  # for a node's first worker process, after the last node that answered


def facts_of_nodes(storage: str | None = None, needed: Sequence[str] = (), *, torch: bool = True) -> list[NodeFacts]:
    """The facts of every living node, the driver's first. `storage`, a folder or an address, must be the same on all;
    `needed` are files that each must have; `torch`: ask it whether it can use the GPUs, where there are any."""
    look = Look(storage=storage, needed=tuple(needed), torch=torch)
    if not ray.is_initialized():
        return [look_around("this machine", look)]
    own = ray.get_runtime_context().get_node_id()
    nodes = sorted(live_nodes(), key=lambda node: (node["NodeID"] != own, node["NodeManagerAddress"]))
    here = [look_around(node["NodeManagerAddress"], look) for node in nodes if node["NodeID"] == own]
    others = [node for node in nodes if node["NodeID"] != own]
    if not others:
        return here
    with _mark_in(storage) as mark, _listener(ray.util.get_node_ip_address()) as listener:
        told = dataclasses.replace(look, mark=mark, listener=listener)
        asked = {node["NodeID"]: _ask(node, told) for node in others}
        _wait_for(list(asked.values()))
        return here + [_answer(node, asked[node["NodeID"]]) for node in others]


def _ask(node: dict[str, Any], look: Look) -> ray.ObjectRef[NodeFacts]:
    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    remote: Any = ray.remote(look_around)
    asked: ray.ObjectRef[NodeFacts] = remote.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(
        node["NodeManagerAddress"], look
    )
    return asked


def _wait_for(asked: Sequence[ray.ObjectRef[NodeFacts]]) -> None:
    """Until all have answered, or none has for `PATIENCE_S`: of very many nodes the last may take longer."""
    left = list(asked)
    while left:
        done, left = ray.wait(left, timeout=PATIENCE_S)
        if not done:
            return


def _answer(node: dict[str, Any], asked: ray.ObjectRef[NodeFacts]) -> NodeFacts:
    name = node["NodeManagerAddress"]
    try:
        return ray.get(asked, timeout=0)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(asked, force=True)
        return NodeFacts(name, error=f"it did not answer within {PATIENCE_S:.0f} s")
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        return NodeFacts(name, error=f"it could not look around: {lines[-1].strip()[:300] if lines else error!r}")


@contextlib.contextmanager
def _mark_in(place: str | None) -> Iterator[str | None]:
    """A file in the storage that the other nodes must see. None where it cannot be written, which is told elsewhere,
    and at an address, which is the same for all."""
    if place is None or is_address(place):
        yield None
        return
    storage = Path(place)
    made = [one for one in (storage, *storage.parents) if not one.exists()]
    mark = storage / f".tailor-check-{secrets.token_hex(8)}"
    try:
        storage.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError:
        yield None
        return
    try:
        yield mark.name
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()
            for one in made:
                one.rmdir()


@contextlib.contextmanager
def _listener(host: str) -> Iterator[tuple[str, int]]:
    """Answers whoever connects and sends a byte with this machine's time, on a free port of `host`."""
    with socket.create_server((host, 0), backlog=256) as server:
        server.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):  # one that goes away, and the time-out
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(1.0)
                        if connection.recv(1):
                            connection.sendall(repr(time.time()).encode())

        thread = threading.Thread(target=serve, name=f"tailor-clock-{os.getpid()}", daemon=True)
        thread.start()
        try:
            yield host, server.getsockname()[1]
        finally:
            ended.set()
            thread.join()
