"""A SIGTERM is what Ctrl-C is, while a command runs."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from pipelines.command_line.stopping import told_when_stopped


def test_a_sigterm_interrupts_and_what_was_there_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), told_when_stopped():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_thread_changes_nothing() -> None:
    before, found = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with told_when_stopped():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
