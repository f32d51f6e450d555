"""Ways in from outside: what every tunnel can do, and the line that a client needs."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlsplit

from backends.colab.server.access import Token


class Tunnel(Protocol):
    """Makes a port of this machine reachable from elsewhere."""

    def open(self, port: int) -> str:
        """The public address. Raises `AvatarError` or `InputError` with what to do about it."""

    def alive(self) -> bool:
        """False when it has to be opened again."""

    def close(self) -> None:
        """Take the address away; harmless when it is closed already."""


class NoTunnel:
    """The machine's own address: for the same machine, or a network that reaches it."""

    def __init__(self, host: str) -> None:
        self._host = f"[{host}]" if ":" in host else host

    def open(self, port: int) -> str:
        return f"http://{self._host}:{port}"

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        return


def address_with(token: Token, public: str) -> str:
    """What goes into ``COLAB_API_URL``: ``https://avatar:TOKEN@host``, understood by any HTTP
    client as basic authentication."""
    parts = urlsplit(public)
    return parts._replace(netloc=f"avatar:{token.reveal()}@{parts.netloc}", path="").geturl()
