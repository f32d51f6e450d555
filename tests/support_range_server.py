"""A file server on loopback that knows ranges, and breaks connections off when it is told to."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RangeServer:
    """Serves ``files`` by their path. ``breaks`` are bytes after which the next answers break
    off, one by one; ``statuses`` are answered first, in place of files. ``ranges`` False: it
    knows none, as some mirrors do."""

    def __init__(self, files: dict[str, bytes], *, ranges: bool = True) -> None:
        self.files = files
        self.ranges = ranges
        self.breaks: list[int] = []
        self.statuses: list[int] = []
        self.asked: list[tuple[str, str | None]] = []
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self) -> RangeServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: RangeServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        owner, wanted = self.owner, self.headers.get("Range")
        owner.asked.append((self.path, wanted))
        if owner.statuses:
            self._say(owner.statuses.pop(0), b"not now")
        elif self.path not in owner.files:
            self._say(404, b"not here")
        else:
            self._send(owner.files[self.path], wanted)

    def _send(self, content: bytes, wanted: str | None) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        start = int(match[1]) if match and self.owner.ranges else 0
        if start >= len(content) and start:
            self._say(416, b"")
            return
        rest = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.owner.breaks:
            self.wfile.write(rest[: self.owner.breaks.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(rest)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return
