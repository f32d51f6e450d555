"""What people paste as COLAB_API_URL: an address, with or without a token and things around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_ADDRESS = re.compile(r"https?://[^\s\"'<>|]+", re.IGNORECASE)
_ASSIGNED = re.compile(r"^(?:export\s+|set\s+|%env\s+)?COLAB_API_URL\s*[=:]?\s*", re.IGNORECASE)
_LOCAL = re.compile(r"^(localhost|127\.|\[::1\]|10\.|192\.168\.)", re.IGNORECASE)
# They answer http:// with a redirect, which an upload must not follow.
_TUNNELS = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io",
            ".trycloudflare.com", ".loca.lt")  # fmt: skip
# Addresses of single calls, copied from a browser or an older notebook.
_CALLS = re.compile(r"/(health|generate|engines|v1(/.*)?)/?$")
_EXAMPLE = "It should look like https://avatar:TOKEN@name.ngrok-free.app."


@dataclass(frozen=True, slots=True)
class Connection:
    """``url`` has neither credentials nor a query; ``token`` is "" where none was given."""

    url: str
    token: str = field(default="", repr=False)


def parse_connection(text: str) -> Connection:
    """The address in ``text``, which may also be a whole line of a notebook's output.

    Understood are ``https://avatar:TOKEN@host``, the same without ``https://``, an assignment
    (``COLAB_API_URL=...``), quotes, ``NgrokTunnel: "https://..." -> "http://localhost:5000"``
    (what a notebook prints that shows the tunnel and not its address), and the address of one
    call. Raises `ValueError` with a sentence that does not repeat ``text``, as it may hold a token.
    """
    parts = _split(_found(text))
    query = parse_qs(parts.query)
    token = unquote(parts.password or parts.username or "") or query.get("token", [""])[0]
    return Connection(_without_secrets(parts), token.strip())


def _found(text: str) -> str:
    match = _ADDRESS.search(text)
    if match is not None:
        return match[0]
    bare = _ASSIGNED.sub("", text.strip().strip("\"'")).strip("\"' ")
    if not bare or re.search(r"\s|://", bare):
        raise ValueError(f"There is no web address in it. {_EXAMPLE}")
    host = bare.rpartition("@")[2]
    return f"{'http' if _LOCAL.match(host) else 'https'}://{bare}"


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        # Reading the port is what checks it.
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"Its host or port cannot be read. {_EXAMPLE}")
    return parts


def _without_secrets(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].lower()
    scheme = "https" if host.endswith(_TUNNELS) else parts.scheme.lower()
    path = _CALLS.sub("", parts.path.rstrip("/"))
    return f"{scheme}://{host}{path}"
