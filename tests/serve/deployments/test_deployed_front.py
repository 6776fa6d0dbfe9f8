"""`serve deploy` with the front in its configuration: a real Ray Serve, whose proxies are killed while clients ask."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import openai
import psutil
import pytest
import yaml

from bench.chaos.machines import MARK, STARTED, kill_marked, tree
from serve.internals import DIRECT, FALLBACK_PORT, METRICS_PORT, STATS_PORT
from serve.proxy import LOOPBACK, free_port
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WITHIN_S = 90.0
SERVED = """
from fastapi import FastAPI
from ray import serve

app = FastAPI()

@serve.deployment(ray_actor_options={"num_cpus": 0})
@serve.ingress(app)
class Served:
    @app.get("/v1/models")
    async def models(self):
        return {"object": "list", "data": [{"id": "student", "object": "model", "created": 0, "owned_by": "run"}]}

student = Served.bind()
"""


def until(is_so: Callable[[], object], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < end, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(0.1)


class Head:
    """A Ray of its own, started as docs/serving.md says, and what `serve deploy` makes of a configuration there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._mark = folder, secrets.token_hex(8)
        self._dashboard, self.front, self.haproxy, self.python = (free_port() for _ in range(4))
        (folder / "served.py").write_text(SERVED, encoding="utf-8")
        ports = {FALLBACK_PORT: self.python, METRICS_PORT: free_port(), STATS_PORT: free_port()}
        self._environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | {
            "PYTHONPATH": f"{ROOT}:{folder}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            MARK: self._mark,
            **DIRECT,
            **{name: str(port) for name, port in ports.items()},
        }
        options = [f"--port={free_port()}", f"--dashboard-port={self._dashboard}", "--dashboard-agent-listen-port=0"]
        usual = ["--num-cpus=2", "--num-gpus=0", "--disable-usage-stats", f"--temp-dir={folder / 'ray'}"]
        log = folder / "log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", *options, *usual]
            self._process = subprocess.Popen(command, env=self._environment, stdout=out, stderr=out)
        until(lambda: STARTED in log.read_text("utf-8", errors="replace"), "the start of Ray")

    def deploy(self, applications: list[Mapping[str, object]]) -> None:
        file = self._folder / "config.yaml"
        http = {"host": LOOPBACK, "port": self.haproxy}
        file.write_text(
            yaml.safe_dump({"proxy_location": "HeadOnly", "http_options": http, "applications": applications})
        )
        command = [sys.executable, "-m", "ray.serve.scripts", "deploy", str(file)]
        address = ["--address", f"http://{LOOPBACK}:{self._dashboard}"]
        until(lambda: self._takes([*command, *address]), "the dashboard takes the configuration")

    def _takes(self, command: list[str]) -> bool:
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)
        print(done.stdout, done.stderr)
        return not done.returncode

    def found(self, name: str) -> list[psutil.Process]:
        """The processes of this Ray whose command line has `name` in it."""
        return [one for one in tree(self._process.pid) if name in " ".join(_command(one))]

    def stop(self) -> None:
        kill_marked(self._process.pid, self._mark)
        self._process.wait()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def head() -> Iterator[Head]:
    with tempfile.TemporaryDirectory(prefix="df") as folder:  # short: sockets lie below it
        head = Head(Path(folder))
        try:
            yield head
        finally:
            head.stop()


def test_no_stock_client_hears_of_a_proxy_that_died_and_the_front_goes_with_its_application(head: Head) -> None:
    student: Mapping[str, object] = {"name": "student", "route_prefix": "/", "import_path": "served:student"}
    address = {"port": head.front, "haproxy": head.haproxy, "python": head.python}
    path = "serve.deployed_front:build_front"
    head.deploy([student, {"name": "front", "route_prefix": None, "import_path": path, "args": address}])
    client = openai.OpenAI(base_url=f"http://{LOOPBACK}:{head.front}/v1", api_key="none")
    until(lambda: answers(client), "the first answer")

    stopped, heard, count = threading.Event(), list[str](), [0]

    def ask() -> None:
        while not stopped.is_set():
            try:
                assert [model.id for model in client.models.list()] == ["student"]
                count[0] += 1
            except openai.OpenAIError as error:
                heard.append(f"{type(error).__name__}: {error}")
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for part in ("haproxy-serve/", "ray::ProxyActor", "tailor-front-"):
            until(lambda part=part: head.found(part), f"{part} is there")
            killed = {process.pid for process in head.found(part)}
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            before = count[0]
            until(lambda part=part, gone=killed: {one.pid for one in head.found(part)} - gone, f"another {part}")
            until(lambda before=before: count[0] >= before + 20, f"answers after the death of {part}")
    finally:
        stopped.set()
        asking.join()
    assert heard == []

    head.deploy([student])
    until(lambda: not listens(head.front) and not head.found("tailor-front-"), "the end of the front")
    assert listens(head.haproxy)


def answers(client: openai.OpenAI) -> bool:
    try:
        return bool(client.with_options(max_retries=0).models.list().data)
    except openai.OpenAIError:
        return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0
