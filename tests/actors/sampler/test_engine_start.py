"""An engine that was killed at its start is told from one that cannot start, and what that one printed is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actors.sampler.engine_start import cause_in, was_killed

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
