"""What a cluster has before it is started, what goes along to one, and what is said when it is not there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import ray

from actors.ray_api import job_keys
from actors.ray_api.internals import machine_resources
from actors.ray_api.machines.capacity import Capacity
from pipelines.command_line.stopping import told_when_stopped
from pipelines.run import cluster
from pipelines.run.cluster import ClusterError, capacity, connect
from tests.conftest import ROOT


@pytest.fixture
def not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("not_connected")
def test_a_cluster_not_started_yet_has_what_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("a cluster was started"))
    assert capacity(None) == Capacity.of_one(machine_resources())


@pytest.mark.usefixtures("not_connected")
@pytest.mark.parametrize(
    ("address", "raised", "expected"),
    [
        (
            None,
            Exception("The node timed out during startup."),
            "Ray did not start on this machine: The node timed out",
        ),
        (
            None,
            OSError("validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: /scratch/x"),
            "did not start on this machine: .*AF_UNIX.* RAY_TMPDIR=/tmp, say",
        ),
        (None, PermissionError(13, "Permission denied", "/tmp/ray"), "did not start on this machine: .*/tmp/ray"),
        ("auto", ConnectionError("refused"), "cannot connect to a Ray cluster at auto: refused"),
    ],
)
def test_a_ray_that_does_not_come_up_is_one_message(
    address: str | None, raised: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: object) -> None:
        raise raised

    monkeypatch.setattr(ray, "init", fails)
    monkeypatch.setattr(cluster, "address_of_auto", lambda: None)
    with pytest.raises(ClusterError, match=expected):
        connect(address)


@pytest.mark.usefixtures("not_connected")
def test_what_a_program_does_at_a_sigterm_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)  # as Ray's does

    monkeypatch.setattr(ray, "init", init)
    with told_when_stopped():
        before = signal.getsignal(signal.SIGTERM)
        connect(None)
        assert signal.getsignal(signal.SIGTERM) is before
    connect(None)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL  # Ray's, where the program has none
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.usefixtures("not_connected")
@pytest.mark.parametrize(("set_before", "expected"), [(None, "0"), ("5", "5")])
def test_engines_and_trainers_of_this_machine_are_as_important_as_any_process(
    set_before: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its user says otherwise. Ray's default lets the driver and Ray's own processes go before them."""
    name = "RAY_worker_niceness"
    monkeypatch.setenv(name, "")  # so that it is as before after the test
    monkeypatch.delenv(name)
    if set_before is not None:
        monkeypatch.setenv(name, set_before)
    seen: list[str | None] = []
    monkeypatch.setattr(ray, "init", lambda **_: seen.append(os.environ.get(name)))
    connect(None)
    assert seen == [expected]


@pytest.mark.usefixtures("not_connected")
@pytest.mark.parametrize("given", ["address", "variable"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:8265", "takes whole runs: tailor submit RECIPE --address http://127.0.0.1:8265"),
        ("https://ray.example.com", "is the address of a cluster's job server"),
        ("ray://127.0.0.1:10001", "a run's driver must be inside the cluster, which ray:// is not. Submit the run"),
        ("head..example:6379", "is not the address of a Ray cluster: give HOST:6379"),
        ("127.0.0.1:port", "is not the address of a Ray cluster: give HOST:6379"),
        ("127.0.0.1:1", "nobody answers there"),
        ("no-such-host.invalid:6379", "nobody answers there"),
    ],
)
def test_an_address_that_is_none_is_told_at_once(
    address: str, said: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was asked, which takes a minute and a half"))
    if given == "variable":
        monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError) as refused:
        connect(address if given == "address" else None)
    assert said in str(refused.value)


@pytest.mark.usefixtures("not_connected")
def test_the_cluster_of_this_machine_that_is_gone_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lost its power, or a head that was killed, leaves the note of its address behind."""
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray was asked, which takes a minute and a half"))
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda _: "127.0.0.1:1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(
        ClusterError, match=r"no Ray cluster runs on this machine; the last one was at .*:1: nobody answers"
    ):
        connect("auto")


@pytest.mark.usefixtures("not_connected")
def test_a_port_that_says_nothing_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster._ANSWER_S * 2 <= 10
    monkeypatch.setattr(cluster, "_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(ClusterError, match="it takes connections and says nothing"):
            connect(f"127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - began < 3


@pytest.mark.usefixtures("not_connected")
def test_a_job_stays_in_its_own_cluster_whatever_the_recipe_names(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(ray, "init", lambda **options: given.update(options))
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    connect("http://elsewhere:8265", ["OPENAI_API_KEY"])
    assert given["address"] == "10.0.0.1:6379"
    assert given["runtime_env"] == {"worker_process_setup_hook": job_keys.HOOK}  # what goes along is the job's matter


SEES = """
import json, os, sys
import ray
from pipelines.run.cluster import connect
connect(sys.argv[1], ["TAILOR_TEST_KEY", "TAILOR_TEST_ABSENT"])
@ray.remote(num_cpus=0)
class Worker:
    def sees(self):
        names = ("TAILOR_TEST_KEY", "TAILOR_TEST_OTHER", "https_proxy", "SSL_CERT_FILE")
        return {name: os.environ.get(name) for name in names}
worker = Worker.remote()
print(json.dumps([ray.get(worker.sees.remote()), ray.get_runtime_context().get_runtime_env_string()]))
"""


def test_keys_certificates_and_proxies_go_along_to_a_cluster_of_others_and_are_not_shown(
    ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four seconds: a driver and a worker of another process on the session's Ray."""
    going = {
        "TAILOR_TEST_KEY": "tk-goes-along",
        "https_proxy": "http://me:tk-password@proxy:1",
        "SSL_CERT_FILE": "/of/certificates",
    }
    done = subprocess.run(
        [sys.executable, "-c", SEES, str(ray.get_runtime_context().gcs_address)],
        cwd=ROOT,
        env={**os.environ, **going, "TAILOR_TEST_OTHER": "tk-stays-here"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen, shown = json.loads(done.stdout.splitlines()[-1])
    assert seen == {**going, "TAILOR_TEST_OTHER": None}
    assert "tk-" not in shown and job_keys.VARIABLE in shown
