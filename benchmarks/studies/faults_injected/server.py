"""An OpenAI-compatible server on loopback that always gives the same answer to the same question, and counts."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

USAGE = {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}


def said(text: str) -> dict[str, Any]:
    """A whole answer."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}


class Counting(BaseHTTPRequestHandler):
    """`POST /v1/chat/completions` answers one of a few words; `GET /unit/KIND` says what is worked on; `GET /asked` tells."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter[tuple[str, str]]] = Counter()
    kind: ClassVar[str] = ""
    words: ClassVar[tuple[str, ...]] = ("delivery", "refund")
    pause_s = 0.004
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(json.dumps(json.loads(body), sort_keys=True).encode()).hexdigest()
        with self.lock:
            Counting.asked[Counting.kind, digest] += 1
        time.sleep(self.pause_s)
        self._send(said(self.words[int(digest, 16) % len(self.words)]))

    def do_GET(self) -> None:
        with self.lock:
            if self.path.startswith("/unit/"):
                Counting.kind = self.path.removeprefix("/unit/")
            rows = [[kind, digest, count] for (kind, digest), count in Counting.asked.items()]
            if self.path == "/forget":
                Counting.asked.clear()
        self._send(rows if self.path == "/asked" else [])

    def _send(self, values: Any) -> None:
        text = json.dumps(values).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            self.close_connection = True  # Who asked was killed.

    def log_message(self, *_: Any) -> None: ...


class Quiet(ThreadingHTTPServer):
    """Who asks may be killed or give up at any moment, which is no fault of the server."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None: ...


@contextmanager
def serving(words: tuple[str, ...]) -> Iterator[str]:
    """Its address, without path. It runs in a process of its own."""
    listening = Quiet(("127.0.0.1", 0), Counting)
    pid = os.fork()
    if pid == 0:
        Counting.words = words
        listening.serve_forever()
        os._exit(0)
    address = f"http://127.0.0.1:{listening.server_address[1]}"
    listening.socket.close()
    try:
        yield address
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def get(address: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        return json.load(answer)


def asked(address: str) -> Counter[tuple[str, str]]:
    """(kind of unit, hash of the question) -> how often."""
    return Counter({(kind, digest): count for kind, digest, count in get(f"{address}/asked")})
