"""Fuzzes the endpoint of a served student by its schema, and then asks it as bad clients do.

Owns: the bad clients and what is counted. Run: `python -m bench.chaos.endpoint [--minutes 10]`. schemathesis, which the
environment does not hold, is fetched beside it by uv. It prints a line for each kind of client: the statuses that they
got, and the memory of all processes that serve, at the most and at the end; it exits with 1 where a status was 500 or
above but for a 503 or a 504, the engine was not alive at the end, or memory had grown by more than `GROWTH`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bench.chaos.own_ray import own_ray
from bench.refusals import amount, amount_or_none
from reasoning.recipe.student import EMBEDDED_STUDENT
from reasoning.records import AnswerKind

SCHEMATHESIS = "schemathesis==4.32.5"
KEY, MODEL = "sesame", "student"
GROWTH = 1.5  # of the memory after the first requests
BODY = json.dumps({"question": "1 + 1?"}).encode()
_TOLD = 1500  # characters of what schemathesis says: its first fault, and its end
_WITH_KEY = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one kind of client got. Memory in MiB, of all processes that serve; `answered_s` is how long a good request
    took beside them."""

    kind: str
    n: int
    statuses: dict[str, int]
    seconds: float
    most_mib: int
    answered_s: float | None = None


@dataclass(slots=True)
class Memory:
    """The memory of this process's children, looked at while something is done."""

    most: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def now(self) -> int:
        import psutil

        total = 0
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if "schemathesis" not in " ".join(process.cmdline()):
                    total += process.memory_full_info().uss
        self.most = max(self.most, total)
        return total

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.most = 0
        self._stop.clear()

        def look() -> None:
            while not self._stop.wait(1.0):
                self.now()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self.now()


def fuzzed(schema: Path, base: str, minutes: float, seed: int) -> tuple[int, Counter[str]]:
    """Has schemathesis ask for so many minutes; the number of its cases, and the statuses."""
    report = schema.with_name("report.ndjson")
    command = [
        *(str(Path(sys.executable).with_name("uv")), "run", "--quiet", "--no-project", "--with", SCHEMATHESIS),
        *("schemathesis", "run", str(schema)),
        *(
            "--url",
            base,
            "--checks",
            "not_a_server_error",
            "--max-time",
            str(int(minutes * 60)),
            "--continue-on-failure",
        ),
        *("--header", f"Authorization: Bearer {KEY}", "--seed", str(seed), "--max-examples", "100000"),
        *("--workers", "2", "--request-timeout", "60", "--suppress-health-check", "all", "--warnings", "off"),
        *("--phases", "coverage,fuzzing", "--report-ndjson-path", str(report)),
    ]
    found = subprocess.run(command, cwd=schema.parent, capture_output=True, text=True, timeout=minutes * 60 + 300)
    told = found.stdout
    print(told[max(0, told.find("= FAILURES =")) :][:_TOLD], told[-_TOLD:], sep="\n", flush=True)
    if not report.is_file():
        raise SystemExit(f"schemathesis told nothing: {found.stderr[-500:]}")
    statuses: Counter[str] = Counter()
    for line in report.read_text(encoding="utf-8").splitlines():
        for status in _statuses(json.loads(line)):
            statuses[status] += 1
    return statuses.total(), statuses


def _statuses(event: object) -> Iterator[str]:
    """The statuses of the responses in an event, wherever they stand."""
    if isinstance(event, dict):
        response = event.get("response")
        if isinstance(response, dict) and "status_code" in response:
            yield str(response["status_code"])
        for value in event.values():
            yield from _statuses(value)
    elif isinstance(event, list):
        for value in event:
            yield from _statuses(value)


async def large_bodies(base: str, seconds: float) -> Counter[str]:
    """Eight bodies of 100 MB at once, half of them of a length that is not announced."""
    part = b" " * 1_000_000

    async def parts() -> object:
        for _ in range(100):
            yield part

    async def one(session: aiohttp.ClientSession, number: int) -> str:
        data = part * 100 if number % 2 else parts()
        return await _status(session.post(f"{base}/v1/answer", data=data, headers=_WITH_KEY))

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        return Counter(await asyncio.gather(*(one(session, number) for number in range(8))))


async def wrong_keys(base: str, seconds: float) -> Counter[str]:
    keys = ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", KEY, f"Bearer {KEY}x", "Bearer " + "x" * 8000]

    async def one(session: aiohttp.ClientSession, key: str) -> str:
        return await _status(session.post(f"{base}/v1/answer", data=BODY, headers={"authorization": key}))

    async with aiohttp.ClientSession() as session:
        return Counter(await asyncio.gather(*(one(session, key) for key in keys * 25)))


async def slow_bodies(base: str, seconds: float) -> Counter[str]:
    """A hundred clients that send a byte a second of a body that does not end."""
    return await _each(base, 100, seconds, _head(1000), b" ")


async def slow_heads(base: str, seconds: float) -> Counter[str]:
    """A hundred clients whose headers do not end."""
    return await _each(base, 100, seconds, b"POST /v1/answer HTTP/1.1\r\nhost: x\r\n", b"x-slow: 1\r\n")


async def half_open(base: str, seconds: float) -> Counter[str]:
    """A hundred connections that say nothing."""
    return await _each(base, 100, seconds, b"", b"")


async def gone(base: str, seconds: float) -> Counter[str]:
    """Two hundred clients that leave as soon as they have asked."""
    statuses: Counter[str] = Counter()
    for _ in range(200):
        _, writer = await asyncio.open_connection(urlsplit(base).hostname, urlsplit(base).port)
        writer.write(_head(len(BODY)) + BODY)
        await writer.drain()
        writer.transport.abort()
        statuses["left"] += 1
    return statuses


def _head(length: int) -> bytes:
    head = f"POST /v1/answer HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % length


async def _each(base: str, n: int, seconds: float, first: bytes, more: bytes) -> Counter[str]:
    """`n` connections that say `first`, and then `more` each second: what they are told, and whether they are closed
    within `seconds`."""

    async def one() -> str:
        reader, writer = await asyncio.open_connection(urlsplit(base).hostname, urlsplit(base).port)
        told = asyncio.create_task(reader.readline())
        writer.write(first)
        deadline = time.monotonic() + seconds
        while not told.done() and time.monotonic() < deadline:
            with suppress(ConnectionError):
                writer.write(more)
                await writer.drain()
            await asyncio.wait({told}, timeout=1.0)
        writer.close()
        if not told.done():
            told.cancel()
            return "still open"
        with suppress(ConnectionError, ValueError):
            words = told.result().split()
            return words[1].decode() if len(words) > 1 else "closed"
        return "closed"

    return Counter(await asyncio.gather(*(one() for _ in range(n))))


async def _status(request: Awaitable[aiohttp.ClientResponse]) -> str:
    try:
        response = await request
        await response.read()
        return str(response.status)
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        return type(error).__name__


async def answered_s(base: str) -> float | None:
    """How long a good request takes; None where it is not answered."""
    begun = time.perf_counter()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        status = await _status(session.post(f"{base}/v1/answer", data=BODY, headers=_WITH_KEY))
    return round(time.perf_counter() - begun, 3) if status == "200" else None


Clients = Callable[[str, float], Awaitable[Counter[str]]]
CLIENTS: tuple[Clients, ...] = (large_bodies, wrong_keys, slow_bodies, slow_heads, half_open, gone)


async def asked_by(clients: Clients, base: str, memory: Memory, seconds: float) -> Seen:
    """What one kind of bad clients got, and how long a good request took meanwhile."""
    begun = time.perf_counter()
    with memory.watched():
        asking = asyncio.ensure_future(clients(base, seconds))
        await asyncio.sleep(1)
        beside = await answered_s(base)
        statuses = await asking
    took = round(time.perf_counter() - begun, 1)
    return Seen(clients.__name__, statuses.total(), dict(statuses), took, memory.most >> 20, beside)


def is_fault(status: str) -> bool:
    """Whether a status is the server's fault: what it says of itself while it is busy or starting is not."""
    return status.isdecimal() and int(status) >= 500 and status not in {"503", "504"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=amount_or_none, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience-s", type=amount, default=40.0, help="how long slow clients stay")
    options = parser.parse_args(arguments)
    from ray import serve

    from serve.answering import AnswerSection
    from serve.door.limits import DoorSection
    from serve.serving import StudentServing
    from serve.student import deploy_student

    seen: list[Seen] = []
    memory = Memory()
    with tempfile.TemporaryDirectory(prefix="endpoint-") as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"{KEY}\n", encoding="utf-8")
        with own_ray():
            serving = StudentServing(
                checkpoint=str(EMBEDDED_STUDENT),
                model_name=MODEL,
                kv_cache_gib=0.25,
                door=DoorSection(keys_file=str(keys), max_tokens=32, body_s=5.0, samples=16),
                answers=AnswerSection(task="sums", kind=AnswerKind.NUMBER, max_new_tokens=32),
            )
            base = deploy_student(serving, direct=True).removesuffix("/v1")
            schema = Path(folder) / "openapi.json"
            schema.write_text(
                json.dumps(serve.get_app_handle("student").schema.remote().result(timeout_s=60)), encoding="utf-8"
            )
            for _ in range(20):
                asyncio.run(answered_s(base))
            first = memory.now()
            print(f"{first >> 20} MiB after the first requests", flush=True)
            begun = time.perf_counter()
            with memory.watched():
                n, statuses = fuzzed(schema, base, options.minutes, options.seed)
            took = round(time.perf_counter() - begun, 1)
            beside = asyncio.run(answered_s(base))
            seen.append(Seen("schemathesis", n, dict(statuses), took, memory.most >> 20, beside))
            print(json.dumps(asdict(seen[-1])), flush=True)
            for clients in CLIENTS:
                seen.append(asyncio.run(asked_by(clients, base, memory, options.patience_s)))
                print(json.dumps(asdict(seen[-1])), flush=True)
            alive, last = asyncio.run(answered_s(base)), memory.now()
    print(f"{last >> 20} MiB at the end; a question is answered in {alive} s")
    faults = sum(n for one in seen for status, n in one.statuses.items() if is_fault(status))
    grown = max(one.most_mib for one in seen) > GROWTH * (first >> 20)
    print(f"{faults} answers were the server's fault{'; memory has grown' if grown else ''}")
    return 1 if faults or grown or alive is None else 0


if __name__ == "__main__":
    sys.exit(main())
