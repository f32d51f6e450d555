"""What a `ScriptedServer` can do with a request: answer it, and everything that goes wrong."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from http import HTTPStatus
from threading import Event
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form that was sent as multipart/form-data."""

    content: bytes
    filename: str | None = None
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came; ``headers`` have names in small letters. ``complete`` is False where
    the connection ended before the body did, or where the step did not read all of it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True

    def json(self) -> Any:
        return json.loads(self.body)

    def form(self) -> dict[str, Part]:
        """The fields of a multipart form by their names."""
        header = f"Content-Type: {self.headers.get('content-type', '')}\r\n\r\n"
        message = message_from_bytes(header.encode() + self.body)
        return {
            str(part.get_param("name", header="content-disposition")): Part(
                cast(bytes, part.get_payload(decode=True)),
                part.get_filename(),
                part.get_content_type(),
            )
            for part in message.walk()
            if not part.is_multipart()
        }


class Wire:
    """A connection, as a step uses it. ``closing`` is set when the server is about to stop."""

    def __init__(self, connection: socket.socket, closing: Event) -> None:
        self._connection = connection
        self.closing = closing

    def send(self, data: bytes, drip: float | None = None) -> None:
        """Send ``data``, with ``drip`` byte by byte and so many seconds apart."""
        if drip is None:
            self._connection.sendall(data)
            return
        for byte in data:
            if self.closing.wait(drip):
                return
            self._connection.sendall(bytes((byte,)))

    def reset(self) -> None:
        """Cut the connection off so that the other side gets a reset, and no orderly end."""
        no_linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self._connection.close()

    def gone(self) -> bool:
        """Whether the other side has hung up."""
        self._connection.setblocking(False)
        try:
            return self._connection.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, ValueError):
            # Under TLS nobody can look ahead.
            return False
        except OSError:
            return True


class ServerStep(Protocol):
    """What happens to one request. ``upload_bytes`` is how much of its body is read, None is
    all of it."""

    @property
    def upload_bytes(self) -> int | None: ...

    def play(self, request: Recorded, wire: Wire) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; ``body`` is bytes, text, or anything that JSON can say.

    What may be wrong with it: ``length`` is the Content-Length that is claimed in place of the
    true one. ``only`` is how many bytes of the body are sent before the connection ends,
    ``reset`` whether it ends by a reset. ``chunked`` sends without a length, ``bare`` without
    either: the end of the connection is the end of the body. ``drip`` sends the body byte by
    byte, so many seconds apart. ``upload_bytes`` is how much of the request is read before,
    None is all of it.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    only: int | None = None
    reset: bool = False
    chunked: bool = False
    bare: bool = False
    drip: float | None = None
    upload_bytes: int | None = None

    def play(self, request: Recorded, wire: Wire) -> None:
        body, media_type = _encoded(self.body)
        wire.send(self._head(body, media_type))
        if request.method != "HEAD":
            self._send_body(body, wire)
        if self.reset:
            wire.reset()

    def _head(self, body: bytes, media_type: str) -> bytes:
        headers = {"Content-Type": media_type, "Connection": "close"}
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif not self.bare:
            headers["Content-Length"] = str(len(body) if self.length is None else self.length)
        lines = [f"{name}: {value}" for name, value in {**headers, **self.headers}.items()]
        status = f"HTTP/1.1 {self.status} {_phrase(self.status)}"
        return "\r\n".join([status, *lines, "", ""]).encode("latin-1")

    def _send_body(self, body: bytes, wire: Wire) -> None:
        sent = body if self.only is None else body[: self.only]
        if not self.chunked:
            wire.send(sent, self.drip)
            return
        if sent:
            wire.send(b"%x\r\n%s\r\n" % (len(sent), sent), self.drip)
        if self.only is None:
            wire.send(b"0\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Silence:
    """Takes the whole request and says nothing, until the client hangs up or the server stops."""

    @property
    def upload_bytes(self) -> None:
        return None

    def play(self, request: Recorded, wire: Wire) -> None:
        while not wire.closing.wait(0.02):
            if wire.gone():
                return


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends the connection after ``upload_bytes`` of the request's body (None: after all of it),
    without an answer; ``reset`` False ends it in an orderly way."""

    upload_bytes: int | None = None
    reset: bool = True

    def play(self, request: Recorded, wire: Wire) -> None:
        if self.reset:
            wire.reset()


@dataclass(frozen=True, slots=True)
class Raw:
    """Sends ``data`` as it is, such as a first line that is not HTTP; ``drip`` as in `Answer`."""

    data: bytes
    drip: float | None = None

    @property
    def upload_bytes(self) -> None:
        return None

    def play(self, request: Recorded, wire: Wire) -> None:
        wire.send(self.data, self.drip)


def redirect(location: str, status: int = 302) -> Answer:
    """An answer that sends the client to ``location``."""
    return Answer(status, headers={"Location": location})


# A step, or what makes one from the request: the way to a double with a memory.
Reply = ServerStep | Callable[[Recorded], ServerStep]


def recorded(method: str, target: str, headers: Mapping[str, str]) -> Recorded:
    """A request of which the body has not been read."""
    small = {name.lower(): value for name, value in headers.items()}
    if method == "CONNECT":
        return Recorded(method, target, {}, small, b"")
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Recorded(method, parts.path, query, small, b"")


def _encoded(body: Any) -> tuple[bytes, str]:
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        html = body.lstrip().startswith("<")
        return body.encode(), f"text/{'html' if html else 'plain'}; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
