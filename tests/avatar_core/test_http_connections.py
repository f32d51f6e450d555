"""Each request has a connection of its own, whatever the service says or leaves unsaid about it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest

from avatar_core.http import HttpClient


class Mute(socketserver.StreamRequestHandler):
    """Answers the first request without a word of closing, as RFC 9112 (9.6) allows, and hangs up
    at a second one: what a client sees that comes while the connection is being closed."""

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        self.rfile.readline()


@pytest.fixture
def mute() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mute) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_no_connection_is_used_again_though_the_service_leaves_it_open(mute: str) -> None:
    with HttpClient(mute) as client:
        for _ in range(5):
            assert client.request("GET", "/jobs").fields() == {}
