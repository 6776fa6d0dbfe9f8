"""Which processors, and which students, `dtype: auto` gives bfloat16 on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoning.training.weights import half_precision
from reasoning.training.weights.half_precision import bfloat16_pays, processor_has_bfloat16

SAPPHIRE = "processor : 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16\n"
PROCESSORS = [
    (SAPPHIRE * 2, True),
    ("flags : fpu avx2 avx512f amx_bf16\n", True),
    ("processor : 0\nFeatures\t: fp asimd bf16 i8mm\n", True),
    ("flags : fpu avx2 avx512f avx512_vnni\n", False),
    (SAPPHIRE + "flags : fpu avx2\n", False),  # not all cores
    ("vmx flags : avx512_bf16\n", False),
    ("", False),
]


@pytest.mark.parametrize(("text", "has"), PROCESSORS)
def test_processors(text: str, has: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert processor_has_bfloat16(tmp_path / "cpuinfo") is has
    assert not processor_has_bfloat16(tmp_path / "nowhere")


def test_a_student_of_a_few_million_stays_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuinfo").write_text(SAPPHIRE)
    monkeypatch.setattr(half_precision, "_PROCESSORS", tmp_path / "cpuinfo")
    assert bfloat16_pays(135_000_000) and not bfloat16_pays(4_500_000)
