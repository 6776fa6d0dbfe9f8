"""What a process finds out about the machine it is on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run.doctor.node import Gpu, Look, look_around, read_gpus, try_storage
from pipelines.run.doctor.nodes import _listener


def test_this_machine(tmp_path: Path) -> None:
    facts = look_around("here", Look(storage=str(tmp_path / "runs"), needed=(str(tmp_path), "/no/such/folder")))
    assert facts.python == ".".join(map(str, sys.version_info[:3]))
    assert facts.packages["ray"] and facts.packages["typing-extensions"]  # by their normal names
    assert facts.code and facts.code == look_around("here", Look()).code
    assert facts.open_files and facts.shared_memory and facts.temporary and facts.temporary.free
    assert facts.storage is not None and (facts.storage.error, facts.storage.seen) == ("", True)
    assert facts.absent == ("/no/such/folder",)
    assert (facts.error, facts.unreached, facts.offset_s) == ("", "", 0.0)
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_storage_that_is_another_folder(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    assert try_storage(tmp_path, "mark").seen
    assert not try_storage(tmp_path, "another").seen
    assert [file.name for file in tmp_path.iterdir()] == ["mark"]


def test_a_storage_that_refuses(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "Not a directory" in try_storage(file / "runs").error
    if os.getuid():
        tmp_path.chmod(0o500)
        assert "Permission denied" in try_storage(tmp_path).error


def test_a_storage_that_is_full(small_disk: Path) -> None:
    (small_disk / "others").write_bytes(b"\0" * (3 * 2**20 + 2**19))
    assert "No space left" in try_storage(small_disk).error
    assert [file.name for file in small_disk.iterdir()] == ["others"]


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("", ()),
        ("NVIDIA H200, 143771, 12, 570.86.10\n", (Gpu("NVIDIA H200", 143771, 12, "570.86.10"),)),
        ("A, with, commas, 10, 2, 1.0\n", (Gpu("A, with, commas", 10, 2, "1.0"),)),
        ("NVIDIA GB10, [N/A], [N/A], 580.95\n", (Gpu("NVIDIA GB10", 0, 0, "580.95"),)),  # memory shared with the CPU
        ("No devices were found\n", ()),
    ],
)
def test_what_nvidia_smi_says(text: str, gpus: tuple[Gpu, ...]) -> None:
    assert read_gpus(text) == gpus


def test_a_gpu_that_is_cut_into_slices_is_as_large_as_the_largest() -> None:
    text = "NVIDIA A100-SXM4-80GB, 81920, [N/A], 570.1\nNVIDIA A100-SXM4-80GB, 81920, 9, 570.1\n"
    listed = (
        "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-1)\n"
        "  MIG 1g.10gb     Device  0: (UUID: MIG-1)\n"
        "  MIG 1c.3g.40gb  Device  1: (UUID: MIG-2)\n"
        "  MIG 1g.10gb+me  Device  2: (UUID: MIG-3)\n"
        "GPU 1: NVIDIA A100-SXM4-80GB (UUID: GPU-2)\n"
    )
    cut, whole = read_gpus(text, listed)
    assert cut == Gpu("NVIDIA A100-SXM4-80GB, MIG 1c.3g.40gb", 40960, 0, "570.1")
    assert whole == Gpu("NVIDIA A100-SXM4-80GB", 81920, 9, "570.1")
    assert read_gpus(text, "") == read_gpus(text, "GPU 0: one of them (UUID: GPU-1)\n") == read_gpus(text)


def test_the_clock_and_the_way_to_the_driver() -> None:
    with _listener("127.0.0.1") as there:
        facts = look_around("here", Look(listener=there))
        assert facts.offset_s is not None and abs(facts.offset_s) < 0.5 and facts.unreached == ""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # what follows is refused, for it is closed
        port = silent.getsockname()[1]
    facts = look_around("here", Look(listener=("127.0.0.1", port)))
    assert facts.offset_s is None and "refused" in facts.unreached


def test_looking_around_imports_no_torch() -> None:
    look = "from pipelines.run.doctor import node; node.look_around('x', node.Look())"
    code = f"import sys; {look}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
