"""A real HTTP server on loopback that does what a script says, right or wrong."""

from __future__ import annotations

import ssl
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from avatar_core.testing.http_steps import Answer, Recorded, Reply, ServerStep, Wire, recorded

_SURPRISE = 501


class ScriptedServer:
    """Plays a script to whoever calls, and keeps what was asked; use it with ``with``::

        with ScriptedServer() as server:
            server.on("POST", "/talks", Answer(503), Answer(201, {"id": "tlk_1"}))
            ...                                     # a client for server.url
            assert server.count("POST", "/talks") == 2

    Each route plays its steps in turn and stays at the last. ``then`` adds steps that are played
    before all routes, whatever is asked. A step may also be a function of the request that
    returns one. What no script foresees is answered by ``otherwise``, which makes a double with
    a memory of its own out of it, else with 501. An error in such a function is raised when the
    server stops. ``port`` 0 is any that is free.

    Give it a certificate (``ssl.SSLContext``) to speak HTTPS. It is also a plain proxy, as it
    answers whatever address it is asked for: ``paths`` are then those of the other host.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        otherwise: Reply | None = None,
        port: int = 0,
    ) -> None:
        self._lock = threading.Lock()
        self._first: list[Reply] = []
        self._routes: dict[tuple[str, str], list[Reply]] = {}
        self._requests: list[Recorded] = []
        self._failures: list[BaseException] = []
        self._closing = threading.Event()
        self._otherwise = otherwise
        self._server = _Server(self, tls, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="scripted-server", daemon=True
        )
        self._scheme = "https" if tls else "http"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Recorded]:
        """Everything that was asked so far, in the order in which it came."""
        with self._lock:
            return list(self._requests)

    def count(self, method: str, path: str) -> int:
        return sum((one.method, one.path) == (method, path) for one in self.requests)

    def on(self, method: str, path: str, *steps: Reply) -> ScriptedServer:
        """What to do when ``path`` is asked for with ``method``; replaces what was said before."""
        if not steps:
            raise ValueError("a route needs at least one step")
        with self._lock:
            self._routes[method.upper(), path] = list(steps)
        return self

    def then(self, *steps: Reply) -> ScriptedServer:
        """What to do with the next requests, whatever they ask for."""
        with self._lock:
            self._first += steps
        return self

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self.close()
        if self._failures and kind is None:
            raise self._failures[0]

    def close(self) -> None:
        """Stop at once: whoever still waits for an answer is hung up on."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _reply_to(self, method: str, path: str) -> Reply:
        with self._lock:
            if self._first:
                return self._first.pop(0)
            steps = self._routes.get((method, path))
            if steps:
                return steps.pop(0) if len(steps) > 1 else steps[0]
        if self._otherwise is not None:
            return self._otherwise
        return Answer(_SURPRISE, {"error": f"the script has no answer to {method} {path}"})

    def _note(self, request: Recorded) -> None:
        with self._lock:
            self._requests.append(request)

    def _step(self, reply: Reply, request: Recorded) -> ServerStep:
        try:
            return cast(ServerStep, reply) if hasattr(reply, "play") else reply(request)
        except Exception as failure:
            self._failures.append(failure)
            return Answer(500, {"error": "the script failed"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Renderers with many workers call at the same moment.
    request_queue_size = 128

    def __init__(self, script: ScriptedServer, tls: ssl.SSLContext | None, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self._tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        # Here the connection has a thread of its own: a handshake that stalls stops nobody else.
        if self._tls is not None:
            request = self._tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        failure = sys.exception()
        # A client that hangs up is part of most scripts.
        if failure is not None and not isinstance(failure, OSError):
            self.script._failures.append(failure)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request as its step wants it, notes it, and lets the step answer."""

    server: _Server

    def __getattr__(self, name: str) -> Any:
        # Every method, also one that nobody thought of.
        if name.startswith("do_"):
            return self._play
        raise AttributeError(name)

    def _play(self) -> None:
        script = self.server.script
        asked = recorded(self.command, self.path, dict(self.headers))
        reply = script._reply_to(asked.method, asked.path)
        limit = getattr(reply, "upload_bytes", None)
        body, complete = self._body(limit)
        request = replace(asked, body=body, complete=complete)
        script._note(request)
        self.close_connection = True
        if complete or limit is not None:
            step = script._step(reply, request)
            step.play(request, Wire(self.connection, script._closing))

    def _body(self, limit: int | None) -> tuple[bytes, bool]:
        length = int(self.headers.get("Content-Length") or 0)
        wanted = length if limit is None else min(limit, length)
        try:
            body = self.rfile.read(wanted)
        except OSError:
            body = b""
        return body, len(body) == length

    def log_message(self, format: str, *args: Any) -> None:
        return None
