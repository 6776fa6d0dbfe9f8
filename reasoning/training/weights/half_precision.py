"""Where `dtype: auto` computes in bfloat16 on a CPU. Light: no torch.

Owns: what a processor must have, and how large a student must be, for training and for sampling alike.

With bfloat16 in hardware a student of 135M parameters learns and answers about twice as fast in it. A student of a few
million is bound by other things than its matrices and gains nothing, so that it stays exact.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

IN_HARDWARE = ("avx512_bf16", "amx_bf16", "bf16")  # of x86 the first two, of ARM the last
LEAST_PARAMETERS = 50_000_000
_PROCESSORS = Path("/proc/cpuinfo")


def bfloat16_pays(parameters: int) -> bool:
    """Whether a student of so many parameters computes in bfloat16 on this machine's CPU where nothing else is said."""
    return parameters >= LEAST_PARAMETERS and processor_has_bfloat16(_PROCESSORS)


@lru_cache(maxsize=4)
def processor_has_bfloat16(file: Path) -> bool:
    """Whether every core of the processor that Linux describes in `file` multiplies in bfloat16; False elsewhere."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    cores = [line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))]
    return bool(cores) and all(set(IN_HARDWARE) & set(flags) for flags in cores)
