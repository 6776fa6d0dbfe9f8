"""The keys of a run on a cluster that others started: from the machine that has them to the processes that use them.

Owns: where they are in between, and how a process of the run comes by them.

Ray's own way, `env_vars` of a runtime environment, shows them to everyone who may look at the cluster: in
`ray job list`, on the dashboard, in the state of every actor. So what goes there is a random id alone (`VARIABLE`). The
keys themselves wait under it in the memory of the cluster's control process, which answers only who has the cluster's
token, and each process of the run takes them into its environment when it starts (`adopt`, a worker's setup hook).

Invariants
- No key is written to a disk, a log or a command line, or shown by any of Ray's interfaces.
- A key that was handed over goes before one that the node has of its own; the node's environment goes before the
  node's secrets file (`reasoning.files.secrets_file`).
- When the run has ended, its keys are deleted. What outlives it (Ray Serve's controller, whose environment later
  replicas inherit) starts without them.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Mapping

import ray

from actors.ray_api.internals import cluster_store
from reasoning.files.secrets_file import read_secrets

VARIABLE = "TAILOR_KEYS"  # holds the id
HOOK = "actors.ray_api.job_keys.adopt"
TAKEN_BACK = b""
_HEADER = b"tailor: the keys of a run\n"  # Ray quotes the first 15 bytes of a package that it cannot store
_TIMEOUT_S = 10.0  # of a call to the control process
_WAIT_S = 10.0  # a worker may be started before the keys are there


class KeysGone(RuntimeError):
    """The keys of a run are no longer in the cluster. The message says what to do."""


def new_id() -> str:
    """An id for a run's keys. It gives nothing away."""
    return secrets.token_hex(16)


def place_of(id: str) -> str:
    """The name under which the keys wait, in the form in which Ray's job server takes packages."""
    return f"gcs://tailor_keys_{id}.zip"


def packed(keys: Mapping[str, str]) -> bytes:
    """`keys` as the bytes that wait."""
    return _HEADER + json.dumps(dict(keys)).encode()


def hand_over(address: str, id: str, keys: Mapping[str, str]) -> None:
    """Puts `keys` where `adopt` finds them. `address` is that of the cluster's control process."""
    cluster_store(address).internal_kv_put(place_of(id).encode(), packed(keys), True, None, timeout=_TIMEOUT_S)


def handed_over(address: str, id: str, wait_s: float = _WAIT_S) -> dict[str, str]:
    """The keys that wait under `id`; they may come within `wait_s`. Raises `KeysGone`, at once where they were taken
    back."""
    store, deadline = cluster_store(address), time.monotonic() + wait_s
    while (found := store.internal_kv_get(place_of(id).encode(), None, timeout=_TIMEOUT_S)) is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if not found:
        raise KeysGone(
            "the keys that were handed over for this run are not in the cluster any more (its control process was "
            "started anew, or the run was stopped). Submit the run again"
        )
    keys: dict[str, str] = json.loads(found.removeprefix(_HEADER))
    return keys


def take_back(address: str, id: str) -> None:
    """Deletes the keys of a run. What stays is a sign that they were there."""
    cluster_store(address).internal_kv_put(place_of(id).encode(), TAKEN_BACK, True, None, timeout=_TIMEOUT_S)


def take_over(address: str) -> None:
    """Takes into this process's environment the secrets of its machine, and the keys that were handed over for its run.
    Raises `KeysGone`, `SecretsFileError`."""
    for name, value in read_secrets().items():
        os.environ.setdefault(name, value)
    if id := os.environ.get(VARIABLE):
        os.environ.update(handed_over(address, id))


def adopt() -> None:
    """`take_over` for a worker, when it starts. Without keys it goes on: who needs one says so."""
    try:
        take_over(ray.get_runtime_context().gcs_address)
    except KeysGone as error:
        print(f"This process starts without keys: {error}.", file=sys.stderr)
