"""An imitation of the Hugging Face Hub's API for uploads: repositories, commits and tokens, as its client asks."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of_the_imitation"


class ImitatedHub:
    """What was made and uploaded: by repository its visibility, and its files."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.refuses = 0  # a status to answer every commit with
        self.endpoint = ""


@contextmanager
def imitated_hub() -> Iterator[ImitatedHub]:
    """Serves the imitation on this machine."""
    hub = ImitatedHub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/api/validate-yaml":
                return self.answer(200, {"warnings": [], "errors": []})
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self.answer(401, {"error": "Invalid credentials"})
            if self.path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization') or 'me'}/{asked['name']}"
                key = f"{asked.get('type') or 'model'}s/{name}"
                if key in hub.files:
                    return self.answer(409, {"error": "exists", "url": f"{hub.endpoint}/{name}"})
                hub.private[key], hub.files[key] = (
                    asked.get("visibility") == "private" or bool(asked.get("private")),
                    {},
                )
                return self.answer(200, {"url": f"{hub.endpoint}/{name}"})
            if "/preupload/" in self.path:
                files = [{**one, "uploadMode": "regular", "shouldIgnore": False} for one in json.loads(body)["files"]]
                return self.answer(200, {"files": files})
            if "/commit/" in self.path:
                if hub.refuses:
                    return self.answer(hub.refuses, {"error": "not now"})
                key = self.path.removeprefix("/api/").partition("/commit/")[0]
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        hub.files[key][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                told = {
                    "success": True,
                    "commitOid": "0" * 40,
                    "commitUrl": f"{hub.endpoint}/{key.removeprefix('models/')}/commit/{'0' * 40}",
                    "hookOutput": "",
                }
                return self.answer(200, told)
            return self.answer(404, {"error": f"no {self.path}"})

        def do_GET(self) -> None:
            key = self.path.removeprefix("/api/").partition("?")[0].partition("/revision/")[0]
            known = key in hub.files
            self.answer(
                200 if known else 404, {"id": key, "sha": "0" * 40, "siblings": [], "private": True, "tags": []}
            )

        def answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
