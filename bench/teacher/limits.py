"""How much of what a provider permits the teacher pool uses, and how often it is refused.

    python -m bench.teacher.limits            # every case, 120 s each
    python -m bench.teacher.limits --case tokens --seconds 60

A provider (`serve.provider.server`, in a process of its own) permits R requests or T tokens a minute; the pool has
more to ask than that. After `--warm-up` seconds, in which the buckets run in and the estimate of tokens is learnt, a
case prints the share of what is permitted that was used, and the share of arrivals that met a 429:

    requests         R is in the settings; the provider counts a sliding minute
    tokens           T is in the settings; the provider counts what is used in a sliding minute
    learnt-requests  nothing is in the settings: R comes from the provider's headers; it fills a bucket as OpenAI's does
    learnt-tokens    the same for T

The aim is at least 95 % used and fewer than 1 % refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from actors.starting import close_journal, start_journal, start_pool
from bench.refusals import amount, amount_or_none
from pipelines.run.cluster import connect
from reasoning.teacher.calls import EndpointSettings, TeacherRequest, TeacherSettings
from serve.provider.args import ProviderArgs
from serve.provider.faults import LatencyArgs
from serve.provider.server import ProviderProcess

MODEL = "faulty-teacher"
MAX_TOKENS = 256
REQUESTS_PER_MINUTE = 3000
TOKENS_PER_MINUTE = 300_000
LATENCY = LatencyArgs(kind="lognormal", median_s=0.4, spread=0.5)


@dataclass(frozen=True, slots=True)
class Case:
    """What the provider permits, and what the pool is told of it."""

    name: str
    provider: ProviderArgs
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


def cases() -> list[Case]:
    common = ProviderArgs(teacher="echo", latency=LATENCY)
    window = common.model_copy(update={"algorithm": "window", "send_limit_headers": False})
    requests, tokens = {"requests_per_minute": REQUESTS_PER_MINUTE}, {"tokens_per_minute": TOKENS_PER_MINUTE}
    return [
        Case("requests", window.model_copy(update=requests), requests_per_minute=REQUESTS_PER_MINUTE),
        Case("tokens", window.model_copy(update=tokens), tokens_per_minute=TOKENS_PER_MINUTE),
        Case("learnt-requests", common.model_copy(update=requests)),
        Case("learnt-tokens", common.model_copy(update=tokens)),
    ]


def questions() -> Iterator[TeacherRequest]:
    """Questions of different lengths without end."""
    number = 0
    while True:
        words = f"What is {number} + {number}? " * (1 + number % 7)
        yield TeacherRequest("provider", MODEL, (("user", words),), 0.7, MAX_TOKENS)
        number += 1


async def measure(case: Case, base_url: str, seconds: float) -> None:
    """Asks for `seconds` with more in flight than is permitted."""
    endpoint = EndpointSettings(
        "provider",
        base_url,
        MODEL,
        requests_per_minute=case.requests_per_minute,
        tokens_per_minute=case.tokens_per_minute,
        max_in_flight=256,
    )
    with tempfile.TemporaryDirectory() as folder:
        journal = start_journal(Path(folder) / "journal.sqlite")
        pool = start_pool(TeacherSettings("provider", (endpoint,)), journal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in pool.stream(questions(), window=600):
                    pass
        await pool.close(drain_s=10)
        await close_journal(journal)


def run(case: Case, seconds: float, warm_up_s: float) -> None:
    with ProviderProcess(case.provider) as provider:
        began = time.time()
        asyncio.run(measure(case, provider.base_url, seconds))
        served = [(at - began, tokens) for at, tokens in provider.served()]
        stats = provider.stats()
    first, last = warm_up_s, seconds - 1.0
    window = [tokens for at, tokens in served if first <= at < last]
    by_tokens = case.provider.tokens_per_minute is not None
    permitted = (case.provider.tokens_per_minute or case.provider.requests_per_minute or 0) / 60 * (last - first)
    used = (sum(window) if by_tokens else len(window)) / permitted
    refused = sum(stats.refused.values())
    print(
        f"{case.name:<16} used {100 * used:5.1f} % of the permitted {'tokens' if by_tokens else 'requests'} from "
        f"{first:.0f} to {last:.0f} s; {refused} of {stats.arrived} arrivals "
        f"refused ({100 * refused / stats.arrived:.2f} %)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[case.name for case in cases()], action="append")
    parser.add_argument("--seconds", type=amount, default=120.0)
    parser.add_argument("--warm-up", type=amount_or_none, default=30.0)
    options = parser.parse_args()
    connect(None)
    for case in cases():
        if not options.case or case.name in options.case:
            run(case, options.seconds, options.warm_up)


if __name__ == "__main__":
    main()
