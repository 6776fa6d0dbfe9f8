"""A peer for the speed of asking teachers: `bespokelabs-curator`, on the same questions to the same server.

    python bench/teacher/curator_peer.py --base-url http://127.0.0.1:8000/v1 [--model m] [--requests 2000]
                                         [--in-flight 256] [--backend openai|litellm]

It runs by itself in an environment with `bespokelabs-curator`, which pins packages that this project has newer, so it
imports nothing of the project. It asks distinct one-message questions (temperature 0.7, at most 64 tokens) and prints
one line of JSON. `seconds` is the wall time of the call that generates: not of imports, of building the data set, nor
of first questions that have it load what it loads late, and ask the server for its rate limits.

Curator is set up to be as fast as its own settings make it. Its rate limits are so high that they never bind; how many
requests are in flight is `max_concurrent_requests` alone. A truncated answer counts as an answer, where by default it
would be asked again. Its cache is off and its files go to a fresh temporary folder (TMPDIR says where). The viewer,
telemetry, the progress display (which it redraws at every request) and its log below warnings (which it writes to a
file at every request) are off, and so is every call to another host: litellm's price list, and the hub of data sets.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import resource
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

WARM_UP = 200
NEVER_BINDS = 10**12
"""A minute's requests and tokens. Curator's token buckets start out empty, so a merely high limit would still bind."""


def bundled_encodings() -> Path:
    """The folder of encodings in litellm: Curator counts every question's tokens, and would download what it needs."""
    litellm = importlib.util.find_spec("litellm")
    if litellm is None or litellm.origin is None:
        raise SystemExit("this needs an environment with bespokelabs-curator")
    return Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"


def prepare_environment(folder: str, base_url: str, in_flight: int) -> None:
    """Set what Curator and its libraries read while they are imported."""
    os.environ.update(
        {
            "HOME": folder,  # where it keeps an identifier for telemetry, and litellm and the hub their caches
            "HF_HOME": folder,
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "CURATOR_CACHE_DIR": folder,
            "CURATOR_DISABLE_CACHE": "1",
            "CURATOR_DISABLE_RICH_DISPLAY": "1",  # tqdm in place of rich ...
            "TQDM_DISABLE": "1",  # ... and no tqdm either
            "TELEMETRY_ENABLED": "false",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "TIKTOKEN_CACHE_DIR": str(bundled_encodings()),
            "AIOHTTP_CONNECTOR_LIMIT": str(in_flight),  # litellm's connections
            "AIOHTTP_CONNECTOR_LIMIT_PER_HOST": str(in_flight),
            "OPENAI_API_KEY": "unused",
            "OPENAI_BASE_URL": base_url,
        }
    )
    for name in ("CURATOR_VIEWER", "BESPOKE_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ask(base_url: str, model: str, requests: int, in_flight: int, backend: str) -> dict[str, Any]:
    """Ask all questions through Curator; how many were answered, and in how long."""
    from bespokelabs import curator
    from datasets import Dataset

    logging.getLogger("curator").setLevel(logging.WARNING)

    class Teacher(curator.LLM):
        def prompt(self, row: dict[str, Any]) -> str:
            return row["question"]

        def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
            return {"question": row["question"], "answer": response}

    teacher = Teacher(
        model_name=model if backend == "openai" else f"openai/{model}",
        backend=backend,
        generation_params={"temperature": 0.7, "max_tokens": 64},
        backend_params={
            "base_url": base_url,
            "max_requests_per_minute": NEVER_BINDS,
            "max_tokens_per_minute": NEVER_BINDS,
            "max_concurrent_requests": in_flight,
            "request_timeout": 600,
            "require_all_responses": False,
            "invalid_finish_reasons": ["content_filter"],
        },
    )
    numbered = [{"question": f"What is {i} + {i}? " * 10} for i in range(requests + WARM_UP)]
    teacher(Dataset.from_list(numbered[requests:]))  # untimed: it loads some things at its first questions
    questions = Dataset.from_list(numbered[:requests])
    cpu, start = cpu_seconds(), time.perf_counter()
    answers = teacher(questions).dataset
    seconds = time.perf_counter() - start
    return {
        "requests": requests,
        "answered": sum(bool(answer) for answer in answers["answer"]),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds() - cpu, 3),
        "in_flight": in_flight,
        "backend": backend,
        "version": version("bespokelabs-curator"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-url", required=True, help="of an OpenAI-compatible server, with its /v1")
    parser.add_argument("--model", default="m")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--backend", choices=["openai", "litellm"], default="openai")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="curator-peer-") as folder:
        prepare_environment(folder, options.base_url, options.in_flight)
        result = ask(options.base_url, options.model, options.requests, options.in_flight, options.backend)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
