"""A small run of the teacher pool for tests that kill it: `crashing_run JOURNAL URL REQUESTS`.

It asks its questions through journal, limiter and workers on a Ray of its own, prints the process ids of the three
kinds of actors as its first line and again whenever one was replaced, and exits with 0 when all is answered.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from actors.starting import close_journal, start_journal, start_pool
from pipelines.run.cluster import connect
from reasoning.teacher.calls import EndpointSettings, TeacherReply, TeacherRequest, TeacherSettings

MODEL = "faulty-teacher"


def questions(number: int) -> list[TeacherRequest]:
    return [TeacherRequest("teacher", MODEL, (("user", f"question {n}"),), 0.7, 64) for n in range(number)]


async def pid_of(actor: Any) -> int | None:
    try:
        return int(await asyncio.wait_for(actor.__ray_call__.remote(lambda _: os.getpid()), 10))
    except Exception:  # noqa: BLE001 - it has just been killed, which is the point
        return None


async def main(journal_path: str, base_url: str, number: int) -> int:
    connect(None)
    endpoint = EndpointSettings("place", base_url, MODEL, max_in_flight=32, timeout_s=20)
    journal = start_journal(Path(journal_path))
    pool = start_pool(TeacherSettings("teacher", (endpoint,)), journal, workers=2)
    actors = {"worker": pool._queues[0].worker, "limiter": pool._limiters[0], "journal": journal}

    async def tell() -> None:
        told: dict[str, int | None] = {}
        while True:
            pids = {name: await pid_of(actor) for name, actor in actors.items()}
            if pids != told and all(pids.values()):
                told = pids
                print(json.dumps(pids), flush=True)
            await asyncio.sleep(0.3)

    telling = asyncio.create_task(tell())
    outcomes = [outcome async for outcome in pool.stream(questions(number), window=500)]
    telling.cancel()
    await pool.close()
    await close_journal(journal)
    return 0 if all(isinstance(outcome, TeacherReply) for outcome in outcomes) and len(outcomes) == number else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
