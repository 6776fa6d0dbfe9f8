"""Leaves a served student alone until it has no replica, and asks it again: what a client then waits.

Owns: the waiting and what is counted. Run: `python -m bench.chaos.to_zero [--idle-s 5] [--clients 4] [--times 2]`. For
each time: the seconds from the last answer until no replica was there, whether looking at Serve's own lines kept it so,
and, of as many stock `openai` clients at once, with no retries, how many saw an error, the slowest answer, and the
answer after that. It exits with 1 where a client saw an error, or a replica came without being asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import aiohttp
import openai

from bench.chaos.own_ray import own_ray
from bench.chaos.serving_kills import processes
from bench.refusals import amount, count
from bench.serving import MODEL, QUESTION
from reasoning.recipe.student import EMBEDDED_STUDENT

_NAME = "sleeping"
_LOOKED_S = 5.0  # how long Serve's own lines are asked while nobody asks the student


@dataclass(frozen=True, slots=True)
class Slept:
    """What clients saw of one time. Seconds; `kept`: looking at Serve's own lines started no replica."""

    until_none_s: float
    kept: bool
    failures: int
    slowest_s: float
    next_s: float


async def one_time(address: str, application: str, clients: int, within_s: float) -> Slept:
    """Waits until the student of this application, at `address`, has no replica, looks, and asks it again. Raises
    `TimeoutError`."""
    replica = f"ray::ServeReplica:{application}"
    begun = time.perf_counter()
    async with asyncio.timeout(within_s):
        while processes(replica):  # noqa: ASYNC110 - another process ends, which nobody tells
            await asyncio.sleep(0.2)
    until_none = time.perf_counter() - begun
    await _look(address)
    kept = not processes(replica)
    client = openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0, timeout=within_s)
    answers = await asyncio.gather(*(_asked(client) for _ in range(clients)))
    times = [took for took in answers if took is not None]
    after = await _asked(client)
    failures = len(answers) - len(times) + (after is None)
    return Slept(round(until_none, 1), kept, failures, round(max(times, default=0.0), 1), round(after or 0.0, 2))


async def _look(address: str) -> None:
    """Asks what needs no replica, as a load balancer does."""
    root = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    deadline = time.perf_counter() + _LOOKED_S
    async with aiohttp.ClientSession() as session:
        while time.perf_counter() < deadline:
            for line in ("/-/healthz", "/-/routes"):
                async with session.get(root + line) as response:
                    response.raise_for_status()
            await asyncio.sleep(0.5)


async def _asked(client: openai.AsyncOpenAI) -> float | None:
    """The seconds until an answer; None for an error."""
    begun = time.perf_counter()
    try:
        await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], max_tokens=16
        )
    except openai.OpenAIError as error:
        print(f"a client saw {type(error).__name__}: {error}", file=sys.stderr)
        return None
    return time.perf_counter() - begun


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle-s", type=amount, default=5.0)
    parser.add_argument("--clients", type=count, default=4)
    parser.add_argument("--times", type=count, default=2)
    parser.add_argument("--within-s", type=amount, default=150.0)
    options = parser.parse_args(arguments)
    from serve.serving import StudentServing
    from serve.student import deploy_student

    with own_ray():
        serving = StudentServing(
            checkpoint=str(EMBEDDED_STUDENT),
            model_name=MODEL,
            replicas=0,
            most_replicas=1,
            idle_s=options.idle_s,
            kv_cache_gib=0.25,
        )
        begun = time.perf_counter()
        address = deploy_student(serving, name=_NAME, direct=True)
        print(f"served after {time.perf_counter() - begun:.0f} s", flush=True)
        slept = []
        for _ in range(options.times):
            slept.append(asyncio.run(one_time(address, _NAME, options.clients, options.within_s)))
            print(json.dumps(asdict(slept[-1])), flush=True)
    return 1 if any(one.failures or not one.kept for one in slept) else 0


if __name__ == "__main__":
    sys.exit(main())
