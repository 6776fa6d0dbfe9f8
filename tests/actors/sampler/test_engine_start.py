"""An engine that was killed at its start is told from one that cannot start; what that one printed is found, and said
with the keys of a recipe."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from actors.sampler.engine_start import CURES, cause_in, was_killed, with_keys

pytestmark = pytest.mark.quick
FAILED = "Engine core initialization failed. See root cause above. Failed core proc(s): "


@pytest.mark.parametrize(
    ("error", "killed"),
    [
        (RuntimeError(FAILED + "{}"), True),  # its code was not known yet
        (RuntimeError(FAILED + "{'EngineCore': -9}"), True),
        (RuntimeError(FAILED + "{'EngineCore_DP0': -9, 'EngineCore_DP1': -15}"), True),
        (RuntimeError(FAILED + "{'EngineCore': 1}"), False),
        (RuntimeError(FAILED + "{'EngineCore_DP0': -15, 'EngineCore_DP1': 1}"), False),  # one said why, one was ended
        (RuntimeError("CUDA error: {}"), False),
        (ValueError(FAILED + "{}"), False),
    ],
)
def test_a_killed_engine_is_told_from_one_that_gave_up(error: Exception, killed: bool) -> None:
    assert was_killed(error) is killed


PRINTED = """
INFO 11-29 10:32:50 [parser.py:11] Error: not the engine's
(EngineCore pid=6596) INFO 11-29 10:32:51 [core.py:112] Initializing a V1 LLM engine
(EngineCore pid=6596) ERROR 11-29 10:32:57 [core.py:1374] EngineCore failed to start.
(EngineCore pid=6596) ERROR 11-29 10:32:57 [core.py:1374]     raise ValueError(
(EngineCore pid=6596) ERROR 11-29 10:32:57 [core.py:1374] {cause}
"""


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        (PRINTED.format(cause="ValueError: not enough memory"), "ValueError: not enough memory"),
        (PRINTED.format(cause="torch.OutOfMemoryError: 20 MiB"), "torch.OutOfMemoryError: 20 MiB"),
        ("(EngineCore_DP0 pid=7)   File x\n(EngineCore_DP0 pid=7) OSError: gone\n", "OSError: gone"),
        ("(EngineCore pid=7) INFO 11-29 10:32:57 [core.py:1] ready\n", ""),
        ("", ""),
    ],
)
def test_the_error_that_was_printed_last_is_the_cause(printed: str, cause: str) -> None:
    assert cause_in(printed) == cause


NO_ROOM = (
    "ValueError: To serve at least one request with the model's max seq len (8192), (1.0 GiB KV cache is needed, which "
    "is larger than the available KV cache memory (0.25 GiB). Based on the available memory, the estimated maximum "
    "model length is 2016."
)
NO_ROOM_CURE = (
    " Try increasing `gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing "
    "`max_model_len` when initializing the engine. See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ "
    "for more details."
)
NOT_A_TOKEN = (
    "ValueError: Cannot auto-fit max_model_len: not enough GPU memory available to serve even a single token.",
    " Try increasing `gpu_memory_utilization`.",
)
NO_BLOCK = (
    "ValueError: No available memory for the cache blocks.",
    " Try increasing `gpu_memory_utilization` when initializing the engine (this flag also controls CPU memory "
    "reservation on the CPU backend, despite its name). See https://docs.vllm.ai for more details.",
)
TOO_MUCH = (
    "ValueError: Available memory on node 0 (3.1/7.8 GiB) on kv cache allocation is less than requested memory for kv "
    "(8.0 GiB).",
    " Decrease --kv-cache-memory-bytes, VLLM_CPU_KVCACHE_SPACE, or reduce CPU memory used by other processes.",
)
TAKEN = (
    "ValueError: Free memory on device cuda:0 (10.0/79.2 GiB) on startup is less than desired GPU memory utilization "
    "(0.85, 67.3 GiB).",
    " Decrease GPU memory utilization or reduce GPU memory used by other processes.",
)


@pytest.mark.parametrize(
    ("said", "cure", "on_gpu", "keys"),
    [
        (NO_ROOM, NO_ROOM_CURE, False, "Set student.max_model_len to fewer tokens, or raise cluster.kv_cache_gib"),
        (
            NO_ROOM,
            NO_ROOM_CURE,
            True,
            "Set student.max_model_len to fewer tokens, or raise cluster.gpu_memory_utilization",
        ),
        (*NOT_A_TOKEN, False, "Raise cluster.kv_cache_gib"),
        (*NO_BLOCK, False, "Raise cluster.kv_cache_gib"),
        (*NO_BLOCK, True, "Raise cluster.gpu_memory_utilization"),
        (*TOO_MUCH, False, "Lower cluster.kv_cache_gib, or free memory on that machine"),
        (*TAKEN, True, "Lower cluster.gpu_memory_utilization, or free memory of that GPU"),
    ],
)
def test_what_is_said_of_the_cache_s_memory_names_the_keys_of_a_recipe(
    said: str, cure: str, on_gpu: bool, keys: str
) -> None:
    assert with_keys(said + cure, on_gpu=on_gpu) == f"{said} {keys}"


def test_every_other_cause_is_told_as_it_is() -> None:
    for cause in ("OSError: gone", "torch.OutOfMemoryError: Tried to allocate 20 MiB. Try increasing nothing"):
        assert with_keys(cause, on_gpu=True) == cause


def test_the_vllm_that_is_installed_says_so() -> None:
    found = find_spec("vllm")
    assert found is not None and found.origin is not None
    files = ("core/kv_cache_utils.py", "worker/cpu_worker.py", "worker/utils.py")
    sources = "".join((Path(found.origin).parent / "v1" / file).read_text(encoding="utf-8") for file in files)
    assert not [said for said in CURES if said not in sources]


def test_what_is_printed_from_then_on_is_read_where_it_goes_into_files(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "from actors.sampler.engine_start import Printed\n"
        "print('before', flush=True)\n"
        "printed = Printed()\n"
        "subprocess.run([sys.executable, '-c', 'import sys; print(1); print(2, file=sys.stderr)'])\n"
        "open(sys.argv[1], 'w').write(printed.text())\n"
    )
    read = tmp_path / "read"
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        subprocess.run([sys.executable, "-c", code, str(read)], stdout=out, stderr=err, check=True)
        assert sorted(read.read_text().split()) == ["1", "2"]
    subprocess.run([sys.executable, "-c", code, str(read)], capture_output=True, check=True)
    assert read.read_text() == ""
