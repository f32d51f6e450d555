"""The HTTP server: waitress, with its doors watched.

Waitress reads a whole request before it asks the application. So what can be said by the head
alone is said here, before a stranger's gigabytes are written to the disk, and what comes in drop
by drop is cut off. Everything that is said here looks like what the application says.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

from avatar_core.errors import NO_ROOM, InputError
from backends.colab.server.refusals import Refusal
from backends.colab.server.service import NAME, Service

_UPLOADS = ("/v1/jobs", "/generate")
# For what needs no body at all; a polite client may send `{}`.
_SMALL_BODY = 4 << 10
_HEAD_BYTES = 32 << 10
_FRAME_BYTES = 16 << 10
# How a greeting of TLS begins (RFC 8446, 5.1): a handshake, version 3.x.
_TLS = b"\x16\x03"
_MAINTENANCE_SECONDS = 5.0
_CODES = {413: "body_too_large", 431: "head_too_large", 501: "not_implemented"}


class _Told:
    """A refusal in the shape that waitress wants its errors in."""

    def __init__(self, refusal: Refusal, service: Service) -> None:
        self._refusal = refusal
        self._service = service

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        del ident
        headers = {
            "Content-Type": "application/json",
            **self._service.stamp(),
            **self._refusal.headers(),
        }
        body = json.dumps(self._refusal.body()).encode("utf-8")
        return f"{self._refusal.status} Refused", list(headers.items()), body


class _Parser(HTTPRequestParser):  # type: ignore[misc]
    """Judges a request by its head."""

    service: Service
    error: Any
    _judged = False
    _begun = False

    def received(self, data: bytes) -> int:
        if not self._begun and data.startswith(_TLS):
            # A client that was given https:// would wait for an end of line that never comes.
            self._refuse(Refusal("bad_request"))
            return len(data)
        self._begun = True
        try:
            consumed = int(super().received(data))
        except OSError as failure:
            # A large body is kept among the temporary files until it is whole.
            if failure.errno not in NO_ROOM:
                raise
            self._refuse(Refusal("no_room"))
            return len(data)
        if self._framed() > _FRAME_BYTES:
            self._refuse(Refusal("bad_request"))
            return len(data)
        if self.error is not None:
            self._refuse(Refusal(_CODES.get(self.error.code, "bad_request")))
            return len(data)
        if self.headers_finished and not self._judged and not self.empty:
            self._judged = True
            try:
                self._judge()
            except Refusal as refusal:
                self._refuse(refusal)
                return len(data)
        return consumed

    def _framed(self) -> int:
        """How long the unfinished line before a chunk, or what follows the last one, has become:
        waitress keeps it without a limit, and copies it at every piece that comes."""
        parts = (getattr(self.body_rcv, name, b"") for name in ("control_line", "trailer"))
        return sum(map(len, parts))

    def close(self) -> None:
        # A file that could not be written to its end cannot be closed in peace either.
        with contextlib.suppress(OSError):
            super().close()

    def _judge(self) -> None:
        bodiless = not self.chunked and not self.content_length
        if not (bodiless and self.path == "/health"):
            self.service.token.require(self.headers.get("AUTHORIZATION"))
        if self.command == "POST" and self.path in _UPLOADS:
            return
        if self.chunked or self.content_length > _SMALL_BODY:
            raise Refusal("body_too_large", "This address takes no upload.")

    def _refuse(self, refusal: Refusal) -> None:
        self.error = _Told(refusal, self.service)
        self.completed = True
        # Or the client would be invited to send the body after all.
        self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]
    """Knows since when its request has been coming in."""

    _begun: float | None = None

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self._begun = time.time()
        return bool(super().received(data))

    def overdue(self, now: float) -> bool:
        limits = self.parser_class.service.limits
        if self.total_outbufs_len:
            return bool(now - self.last_activity > limits.idle_seconds)
        if self.requests:
            return False
        if self.request is None:
            fresh = self._begun is None
            patience = limits.head_seconds if fresh else limits.idle_seconds
            return bool(now - self.last_activity > patience)
        begun = self._begun or self.creation_time
        patience = limits.body_seconds if self.request.headers_finished else limits.head_seconds
        return bool(now - begun > patience)

    def end(self) -> None:
        """Close it, also when its client neither sends nor reads: the loop then hears of it."""
        self.will_close = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _Server(TcpWSGIServer):  # type: ignore[misc]
    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            if not channel.will_close and channel.overdue(now):
                channel.end()


class HttpServer:
    """Serves ``app`` on ``host`` and ``port`` (0: any free one) from `start` to `stop`.

    Raises `InputError` where the address cannot be used.
    """

    def __init__(
        self, app: Callable[..., Any], service: Service, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        limits = service.limits
        self._sockets: dict[int, Any] = {}
        parser = type("Parser", (_Parser,), {"service": service})
        channel = type("Channel", (_Channel,), {"parser_class": parser})
        try:
            settings = Adjustments(
                host=host,
                port=port,
                threads=limits.threads,
                connection_limit=limits.connections,
                max_request_body_size=limits.body_bytes,
                max_request_header_size=_HEAD_BYTES,
                ident=NAME,
            )
            quarter = min(limits.head_seconds, limits.idle_seconds, limits.body_seconds) / 4
            settings.cleanup_interval = min(_MAINTENANCE_SECONDS, quarter)
            self._server = _Server(app, self._sockets, adj=settings)
        except (OSError, ValueError, OverflowError) as failure:
            raise InputError(
                f"Port {port} of {host} cannot be used: {failure}.",
                advice="Choose another one with --port, or stop what uses it.",
            ) from failure
        self._server.channel_class = channel
        self.host = host
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and wait for the threads."""
        # The threads that answer wake the loop through its trigger: they have to end first.
        self._server.task_dispatcher.shutdown()
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
            self._thread.join(5)
        else:
            wasyncore.close_all(self._sockets)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()
