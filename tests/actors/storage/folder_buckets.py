"""A folder that stands for the buckets that addresses name, behind pyarrow's own local file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow.fs import LocalFileSystem

from actors.storage import remote


def buckets_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has `s3://bucket/...` lead to `folder`/bucket/..."""
    real = remote.open_file_system

    def opened(address: str) -> tuple[object, str]:
        if address.startswith("s3://"):
            return LocalFileSystem(), str(folder / address.removeprefix("s3://"))
        return real(address)

    monkeypatch.setattr(remote, "open_file_system", opened)
