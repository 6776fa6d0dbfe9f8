"""What preflight looks at: a student on disk and a teacher's server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from reasoning.offline.teacher import OfflineTeacher
from serve.offline_teacher import create_app
from tests.tiny_students import byte_tokenizer, tiny_llama


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of head size 32 with 512 positions, as `save_pretrained` writes it."""
    folder = tmp_path_factory.mktemp("student")
    tokenizer = byte_tokenizer()
    tiny_llama(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """The base address of a real OpenAI-compatible server on a free port, which serves the model `teacher`."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        app = create_app(OfflineTeacher(), "teacher")
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()
