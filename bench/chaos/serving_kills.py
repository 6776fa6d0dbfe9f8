"""Kills the parts of a served student one after the other, and measures what clients see of it.

Owns: the kills and what is counted. Run: `python -m bench.chaos.serving_kills [--parts engine replica proxy ...]`. For
each part: the statuses that a client without retries got from the kill to recovery, the longest time in which nobody
was answered, and whether the stock `openai` client, with its default retries, saw an error. A bare vLLM server is not
killed beside it: it ends with its engine, and whoever supervises it decides the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import aiohttp
import openai

from bench.chaos.own_ray import own_ray
from bench.refusals import amount, count
from bench.serving import MODEL, QUESTION
from reasoning.recipe.student import EMBEDDED_STUDENT

EVERY_S = 0.1
PARTS = {
    "engine": "VLLM::EngineCore",
    "replica": "ray::ServeReplica",
    "proxy": "ray::ProxyActor",
    "front": "tailor-front-",
    "haproxy": "haproxy-serve/",
    "manager": "ray::HAProxyManager",
    "controller": "ray::ServeController",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What clients saw of one kill. `silence_s`: the longest time between two answers."""

    part: str
    statuses: dict[str, int]
    silence_s: float
    stock_failures: int
    stock_answers: int


def silence(answers: Sequence[float], begun: float, ended: float) -> float:
    """The longest time without an answer, of those at `answers`, between two moments."""
    times = [begun, *sorted(one for one in answers if begun <= one <= ended), ended]
    return max(later - earlier for earlier, later in itertools.pairwise(times))


def processes(name: str) -> list[int]:
    """The processes under this one whose command line has `name` in it."""
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if name in " ".join([process.name(), *process.cmdline()]):
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


async def killed(part: str, address: str, within_s: float) -> Seen | None:
    """Kills one part under load, and watches until answers come again. None where there is no such part."""
    victims = processes(PARTS[part])
    if not victims:
        return None
    answers: list[float] = []
    statuses: Counter[str] = Counter()
    body = {"model": MODEL, "prompt": QUESTION.format(first=3, second=4), "max_tokens": 8}
    stop = asyncio.Event()
    asking: set[asyncio.Task[None]] = set()

    async def ask(session: aiohttp.ClientSession) -> None:
        try:
            async with session.post(f"{address}/completions", json=body) as response:
                await response.read()
                said = str(response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            said = type(error).__name__
        if said == "200":
            answers.append(time.monotonic())
        statuses[said] += 1

    async def often(session: aiohttp.ClientSession) -> None:
        while not stop.is_set():
            task = asyncio.create_task(ask(session))
            asking.add(task)
            task.add_done_callback(asking.discard)
            await asyncio.sleep(EVERY_S)

    stock = [0, 0]

    async def stock_client() -> None:
        async with openai.AsyncOpenAI(base_url=address, api_key="none") as client:
            while not stop.is_set():
                try:
                    await client.completions.create(model=MODEL, prompt=str(body["prompt"]), max_tokens=8)
                    stock[1] += 1
                except openai.OpenAIError as error:
                    print(f"the stock client: {type(error).__name__}: {error}")
                    stock[0] += 1
                await asyncio.sleep(EVERY_S)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within_s)) as session:
        tasks = [asyncio.create_task(often(session)), *(asyncio.create_task(stock_client()) for _ in range(2))]
        await asyncio.sleep(3)
        statuses.clear()
        begun = time.monotonic()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        while time.monotonic() - begun < within_s:
            await asyncio.sleep(0.5)
            lately = [one for one in answers if one > time.monotonic() - 3]
            if time.monotonic() - begun > 8 and len(lately) > 15:
                break
        ended = time.monotonic()
        stop.set()
        await asyncio.gather(*tasks, *asking)
    return Seen(part, dict(statuses), silence(answers, begun, ended), *stock)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--proxy", choices=["direct", "python"], default="direct", help="what stands before replicas")
    parser.add_argument("--replicas", type=count, default=1)
    parser.add_argument("--within-s", type=amount, default=150.0)
    options = parser.parse_args(arguments)
    from serve.serving import StudentServing
    from serve.student import deploy_student

    with own_ray():
        serving = StudentServing(
            checkpoint=str(EMBEDDED_STUDENT), model_name=MODEL, replicas=options.replicas, kv_cache_gib=0.25
        )
        address = deploy_student(serving, direct=options.proxy == "direct")
        for part in options.parts:
            seen = asyncio.run(killed(part, address, options.within_s))
            print(json.dumps(asdict(seen)) if seen else f"{part}: there is none with this proxy", flush=True)


if __name__ == "__main__":
    main()
