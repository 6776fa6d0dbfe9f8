"""The image and a cluster's node are installed for real, by the commands that ship, on a fresh system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.node_install.chroot import why_not
from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_dockerfiles_steps_install_and_its_ray_is_closed() -> None:
    """Three to ten minutes, and the only proof that what ships installs: the lock, Debian's packages, the token."""
    if reason := why_not():
        pytest.skip(reason)
    command = [sys.executable, "-m", "bench.node_install", "recipes/clusters/Dockerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
