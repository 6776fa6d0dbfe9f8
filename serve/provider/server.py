"""A faulty provider to run: in a thread, in a process of its own, or from the command line.

Owns: the lifetime of the server, and how a test or benchmark asks it what really happened. Invariants
- It listens before it is handed out, and has ended, with every connection, when its context has.
- A process ends with the one that started it: it reads its settings from its standard input and stops at its end.
  Keys travel there too, so they are seen in no list of processes.

    python -m serve.provider --port 8000 teacher=echo faults.share=0.2 requests_per_minute=600
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from aiohttp import web
from pydantic import ValidationError

from reasoning.files.yaml_text import read_yaml
from reasoning.offline.teacher import Teacher
from reasoning.recipe.base import yaml_problem
from serve.provider.account import ProviderStats
from serve.provider.app import ProviderApp
from serve.provider.args import ProviderArgs

LOOPBACK = "127.0.0.1"
START_S = 30.0
BACKLOG = 4096


async def _start(args: ProviderArgs, teacher: Teacher, host: str, port: int) -> tuple[web.AppRunner, int]:
    """A server that listens, and its port."""
    app = ProviderApp(args, teacher).build()
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
    return runner, int(runner.addresses[0][1])


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Running:
    """What can be asked of a provider that runs."""

    port: int

    @property
    def root_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{self.root_url}/v1"

    def stats(self) -> ProviderStats:
        return ProviderStats(**self._call("GET", "/stats"))

    def served(self) -> list[tuple[float, int]]:
        """Unix time and tokens of every answer that went out, in order."""
        return [(at, tokens) for at, tokens in self._call("GET", "/served")]

    def reset(self) -> None:
        """Starts the count anew, and with it limits, quota and fault plan."""
        self._call("POST", "/reset")

    def _call(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.root_url}{path}", method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
            return json.load(response)


class Provider(_Running):
    """A provider in a thread of this process, for tests: `with Provider(args) as provider`."""

    def __init__(self, args: ProviderArgs | None = None, teacher: Teacher | None = None, port: int = 0) -> None:
        """`teacher`: instead of the one that `args` names. `port`: 0 is a free one."""
        self.args = args or ProviderArgs()
        self._teacher = teacher or self.args.build_teacher()
        self.port = port

    def __enter__(self) -> Provider:
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)
        self._thread.start()
        started = _start(self.args, self._teacher, LOOPBACK, self.port)
        try:
            self._runner, self.port = asyncio.run_coroutine_threadsafe(started, self._loop).result(START_S)
        except OSError:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(START_S)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)
        self._loop.close()


class ProviderProcess(_Running):
    """A provider in a process of its own, for benchmarks: `with ProviderProcess(args) as provider`."""

    def __init__(self, args: ProviderArgs | None = None, port: int = 0) -> None:
        self.args = args or ProviderArgs()
        self.port = port

    def __enter__(self) -> ProviderProcess:
        """Errors: `RuntimeError` when the server does not start; what it wrote is on standard error."""
        command = [sys.executable, "-m", "serve.provider", "--stdin", "--port", str(self.port)]
        root = Path(__file__).resolve().parents[2]
        self._process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{self.args.model_dump_json()}\n")
            self._process.stdin.flush()
            first = self._process.stdout.readline()  # of nothing, when the process has ended
        except BrokenPipeError:
            first = ""
        if not first.strip().isdigit():
            self.__exit__(None, None, None)
            raise RuntimeError(f"the provider did not start (exit code {self._process.returncode}); see standard error")
        self.port = int(first)
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def read_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`a.b=value` texts as nested settings, values read as YAML. Errors: `ValueError`."""
    settings: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise ValueError(f"{text!r}: a setting is written as name=value, such as faults.share=0.2")
        *parents, name = path.split(".")
        inner = settings
        for parent in parents:
            inner = inner.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{text!r}: {parent!r} is already set as a whole")
        inner[name] = read_yaml(value)
    return settings


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: prints its port as the first line, then serves until it is told to end. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m serve.provider", description="A faulty OpenAI-compatible provider")
    parser.add_argument("settings", nargs="*", metavar="name=value", help="of serve.provider.args.ProviderArgs")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0, the default: a free one")
    parser.add_argument("--stdin", action="store_true", help="settings as one line of JSON; ends with standard input")
    given = parser.parse_args(arguments)
    try:
        if given.stdin:
            args = ProviderArgs.model_validate_json(sys.stdin.readline())
        else:
            args = ProviderArgs.model_validate(read_overrides(given.settings))
    except yaml.YAMLError as error:
        print(f"a setting is not YAML: {yaml_problem(error)}", file=sys.stderr)
        return 2
    except (ValidationError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection each for thousands of clients
    loop = _new_loop()
    loop.run_until_complete(_serve(args, given.host, given.port, given.stdin))
    loop.close()
    return 0


async def _serve(args: ProviderArgs, host: str, port: int, until_stdin_ends: bool) -> None:
    """Until SIGTERM, SIGINT or, where asked for, the end of standard input."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    runner, bound = await _start(args, args.build_teacher(), host, port)
    print(bound, flush=True)

    def watch() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    if until_stdin_ends:
        threading.Thread(target=watch, daemon=True).start()
    await ended.wait()
    await runner.cleanup()
