"""The teacher pool against its ceiling and a peer: requests a second on one provider that takes 50 ms for each.

    python -m bench.teacher                                   # the pool over a bare asyncio loop on AsyncOpenAI
    python -m bench.teacher --curator CURATOR_ENV/bin/python  # and over bespokelabs-curator, installed there by itself

Everyone asks the same questions of the same provider (`serve.provider.server`, in a process of its own), in a process
of their own, in turns; a run's time is from the first question to the last answer, without imports, start and warm-up.
The pool does all its work meanwhile: limiter, leases, a journal on disk with an fsync before any reply is used, two
workers. The bare loop does none of it: a semaphore and the client as it comes, but for its time-out, which at 1,000 in
flight would end it. `bare-aiohttp` is the same loop with the client's other transport: the stronger ceiling.

Prints a line a run, then for each level medians, the ratios, and the time in the limiter per request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.refusals import count
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import ProviderProcess

LATENCY_S = 0.05
MODEL = "faulty-teacher"
WARM_UP = 200
MAX_TOKENS = 64
CURATOR = Path(__file__).with_name("curator_peer.py")


@dataclass(frozen=True, slots=True)
class Run:
    """One contender's run: answers a second, and the limiter's own milliseconds a request where it has one."""

    who: str
    in_flight: int
    per_second: float
    limiter_ms: float | None = None


def question(number: int) -> str:
    return f"What is {number} + {number}? " * 10


async def bare_loop(base_url: str, in_flight: int, requests: int, aiohttp: bool) -> dict[str, Any]:
    """A semaphore and one `AsyncOpenAI`."""
    import openai

    more: dict[str, Any] = {"http_client": openai.DefaultAioHttpClient(timeout=600)} if aiohttp else {}
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=600, **more)
    room = asyncio.Semaphore(in_flight)

    async def one(number: int) -> None:
        async with room:
            await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": question(number)}],
                temperature=0.7,
                max_tokens=MAX_TOKENS,
            )

    await asyncio.gather(*(one(number) for number in range(requests, requests + WARM_UP)))
    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(requests)))
    return {"seconds": time.perf_counter() - began, "answered": requests}


async def pool(base_url: str, in_flight: int, requests: int, workers: int) -> dict[str, Any]:
    """The teacher pool as a run starts it, on a Ray of its own."""
    from actors.starting import close_journal, start_journal, start_pool
    from reasoning.teacher.calls import EndpointSettings, TeacherReply, TeacherRequest, TeacherSettings

    endpoint = EndpointSettings("provider", base_url, MODEL, max_in_flight=in_flight, timeout_s=600)
    asked = [
        TeacherRequest("provider", MODEL, (("user", question(number)),), 0.7, MAX_TOKENS)
        for number in range(requests + WARM_UP)
    ]
    with tempfile.TemporaryDirectory() as folder:
        journal = start_journal(Path(folder) / "journal.sqlite")
        teacher = start_pool(TeacherSettings("provider", (endpoint,)), journal, workers)
        await asyncio.gather(*(teacher.ask(request) for request in asked[requests:]))
        (before,) = await teacher.limiter_stats()
        began = time.perf_counter()
        outcomes = await asyncio.gather(*(teacher.ask(request) for request in asked[:requests]))
        seconds = time.perf_counter() - began
        (after,) = await teacher.limiter_stats()
        await teacher.close()
        sums = await close_journal(journal)
    assert sums.requests.answered == requests + WARM_UP
    return {
        "seconds": seconds,
        "answered": sum(isinstance(outcome, TeacherReply) for outcome in outcomes),
        "limiter_ms": 1000 * (after.busy_s - before.busy_s) / requests,
    }


def contend(who: str, base_url: str, in_flight: int, requests: int, workers: int) -> dict[str, Any]:
    """One run in this process."""
    if who != "pool":
        return asyncio.run(bare_loop(base_url, in_flight, requests, aiohttp=who == "bare-aiohttp"))
    from pipelines.run.cluster import connect

    connect(None)
    return asyncio.run(pool(base_url, in_flight, requests, workers))


def measure(who: str, base_url: str, in_flight: int, options: argparse.Namespace) -> Run:
    """One run in a process of its own."""
    common = ["--base-url", base_url, "--in-flight", str(in_flight), "--requests", str(options.requests)]
    if who == "curator":
        command = [options.curator, str(CURATOR), *common, "--model", MODEL]
    else:
        command = [sys.executable, "-m", "bench.teacher", "--contend", who, "--workers", str(options.workers), *common]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{who} at {in_flight} in flight failed:\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["answered"] != options.requests:
        raise SystemExit(f"{who} at {in_flight} in flight: {told['answered']} of {options.requests} answered")
    run = Run(who, in_flight, options.requests / told["seconds"], told.get("limiter_ms"))
    print(f"  {who:<13} {in_flight:>5} in flight  {run.per_second:7.0f} requests/s", flush=True)
    return run


def summary(runs: Sequence[Run], in_flight: int) -> str:
    """Medians and ratios at one level."""

    def speeds(who: str) -> list[float]:
        return [run.per_second for run in runs if run.who == who and run.in_flight == in_flight]

    ours = statistics.median(speeds("pool"))
    lines = [f"{in_flight} in flight: pool {ours:.0f} requests/s"]
    for peer in ("bare", "bare-aiohttp", "curator"):
        if speeds(peer):
            theirs = statistics.median(speeds(peer))
            pairs = [mine / its for mine, its in zip(speeds("pool"), speeds(peer), strict=True)]
            spread = f"{min(pairs):.2f} to {max(pairs):.2f}"
            lines.append(f"  over {peer:<13} {theirs:7.0f} requests/s: ratio {statistics.median(pairs):.2f} ({spread})")
    limiter = [run.limiter_ms for run in runs if run.in_flight == in_flight and run.limiter_ms is not None]
    lines.append(f"  in the limiter: {statistics.median(limiter):.4f} ms a request")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in-flight", type=count, nargs="+", default=[64, 256, 1000])
    parser.add_argument("--requests", type=count, default=3000)
    parser.add_argument("--repeats", type=count, default=3)
    parser.add_argument("--workers", type=count, default=2, help="of the pool")
    parser.add_argument("--curator", help="the Python of an environment that has bespokelabs-curator")
    parser.add_argument("--contend", choices=["bare", "bare-aiohttp", "pool"], help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        (in_flight,) = options.in_flight
        print(json.dumps(contend(options.contend, options.base_url, in_flight, options.requests, options.workers)))
        return
    who = ["bare", "bare-aiohttp", "pool", *(["curator"] if options.curator else [])]
    runs: list[Run] = []
    with ProviderProcess(ProviderArgs(teacher="echo", latency=LatencyArgs(median_s=LATENCY_S))) as provider:
        for in_flight in options.in_flight:
            for _ in range(options.repeats):
                for contender in who:
                    provider.reset()
                    runs.append(measure(contender, provider.base_url, in_flight, options))
    for in_flight in options.in_flight:
        print(summary(runs, in_flight))


if __name__ == "__main__":
    main()
