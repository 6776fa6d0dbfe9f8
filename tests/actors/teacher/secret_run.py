"""A pool with a key, for the test that searches for it: `python -m tests.actors.teacher.secret_run FOLDER URL`.

Prints Ray's session folder and then Ray's metrics, once they are there.
"""

from __future__ import annotations

import asyncio
import sys
import time
import urllib.request
from pathlib import Path

import ray

from actors.starting import close_journal, start_journal, start_pool
from actors.watching.run import RunMetrics
from pipelines.run.cluster import connect
from reasoning.rounds.progress import TeacherFigures
from reasoning.teacher.calls import EndpointSettings, TeacherRequest, TeacherSettings
from reasoning.teacher.prices import Price


async def main(folder: str, base_url: str) -> None:
    right = EndpointSettings("right", base_url, "faulty-teacher", api_key_env="TEACHER_KEY", price=Price(1.0, 2.0))
    wrong = EndpointSettings("wrong", base_url, "faulty-teacher", api_key_env="WRONG_KEY", price=Price(1.0, 2.0))
    journal = start_journal(Path(folder) / "journal.sqlite")
    pool = start_pool(TeacherSettings("teacher", (right, wrong), max_cost=1.0), journal)
    for n in range(60):
        print(await pool.ask(TeacherRequest("teacher", "faulty-teacher", (("user", f"{n}"),), 0.7, 64)))
    progress = await pool.progress()
    print(progress)
    RunMetrics("run").teachers(
        TeacherFigures(cost=progress.spending.settled, max_cost=1.0, open_circuits=progress.open_circuits)
    )
    node = ray.nodes()[0]
    print(metrics(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"))
    await pool.close()
    print(await close_journal(journal))


def metrics(address: str) -> str:
    """Ray's metrics, once the pool's are among them."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 60
    while True:
        text = opener.open(address, timeout=10).read().decode()
        if ("tailor_teacher_requests" in text and "tailor_teacher_cap_dollars" in text) or time.monotonic() > deadline:
            return text
        time.sleep(1)


if __name__ == "__main__":
    connect(None)
    print(f"session {ray._private.worker._global_node.get_session_dir_path()}", flush=True)
    asyncio.run(main(sys.argv[1], sys.argv[2]))
