"""What people paste as COLAB_API_URL: an address, with or without a token and things around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from avatar_core.pages import see

_ADDRESS = re.compile(r"https?://[^\s\"'<>|()\u2018-\u201f\u00ab\u00bb]+", re.IGNORECASE)
_ASSIGNED = re.compile(r"^(?:export\s+|set\s+|%env\s+)?COLAB_API_URL\s*[=:]?\s*", re.IGNORECASE)
_LOCAL = re.compile(
    r"^(localhost|127\.|\[::1\]|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)", re.IGNORECASE
)
# They answer http:// with a redirect, which an upload must not follow, and lead to a server's root.
_TUNNELS = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.app", ".ngrok.dev", ".ngrok.io",
            ".trycloudflare.com", ".loca.lt")  # fmt: skip
# What people have open when they look for the address.
_NOT_SERVERS = {
    "colab.research.google.com": "This is the address of the notebook itself.",
    "drive.google.com": "This is an address of Google Drive.",
    "ngrok.com": "This is ngrok's own site.",
    "dashboard.ngrok.com": "This is ngrok's dashboard.",
}
# Addresses of single calls, copied from a browser or an older notebook.
_CALLS = re.compile(r"/(health|generate|engines|v1(/.*)?)/?$")
# Slips of the hand: http:/host, http//host, https://https://host, a space at a colon or an @.
_SLIPS = (
    (re.compile(r"[\u200b-\u200d\u2060\ufeff]"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" ?@ ?"), "@"),
    (re.compile(r"\b(https?)(?: ?: ?/+|//?) ?(?=[\w\[])", re.IGNORECASE), r"\1://"),
    (re.compile(r"(?:https?://)+(?=https?://)", re.IGNORECASE), ""),
)
_AROUND = " \t\r\n.,;:!?]}\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_COPY = "Copy the line COLAB_API_URL=... that the server's cell prints. "
_EXAMPLE = (
    f"{_COPY}It should look like https://avatar:TOKEN@name.ngrok-free.dev. "
    f"{see('colab#wrong-address')}"
)


@dataclass(frozen=True, slots=True)
class Connection:
    """``url`` has neither credentials nor a query; ``token`` is "" where none was given."""

    url: str
    token: str = field(default="", repr=False)


def parse_connection(text: str) -> Connection:
    """The address in ``text``, which may also be a whole line of a notebook's output.

    Understood are ``https://avatar:TOKEN@host``, the same without ``https://``, an assignment
    (``COLAB_API_URL=...``), quotes, ``NgrokTunnel: "https://..." -> "http://localhost:5000"``
    (what a notebook prints that shows the tunnel and not its address), the address of one call, and
    common slips of the hand. Raises `ValueError` with a sentence that does not repeat ``text``, as
    it may hold a token.
    """
    parts = _split(_found(text))
    query = parse_qs(parts.query)
    token = unquote(parts.password or parts.username or "") or query.get("token", [""])[0]
    return Connection(_without_secrets(parts), token.strip())


def _found(text: str) -> str:
    for slip, meant in _SLIPS:
        text = slip.sub(meant, text)
    match = _ADDRESS.search(text)
    if match is not None:
        return _unwrapped(match[0])
    bare = _unwrapped(_ASSIGNED.sub("", text.strip(_AROUND)).strip(_AROUND))
    host = bare.rpartition("@")[2]
    near = _LOCAL.match(host) or re.match(r"[\w-]+:\d", host)
    # A single word may be the token alone: it is no host, and is not shown as one.
    if re.search(r"\s|://", bare) or not (near or "." in host or ":" in host):
        raise ValueError(f"There is no web address in it. {_EXAMPLE}")
    return f"{'http' if near else 'https'}://{bare}"


def _unwrapped(address: str) -> str:
    """Without the punctuation of the sentence or list that it stood in."""
    bare = address.rstrip(_AROUND)
    # The bracket of an IPv6 address belongs to it.
    return f"{bare}]" if "[" in bare and address[len(bare) :].startswith("]") else bare


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        # Reading the port is what checks it.
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"Its host or port cannot be read. {_EXAMPLE}")
    if mistaken := _NOT_SERVERS.get(str(parts.hostname)):
        raise ValueError(f"{mistaken} {_EXAMPLE}")
    return parts


def _without_secrets(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].lower()
    if host.endswith(_TUNNELS):
        return f"https://{host}"
    path = _CALLS.sub("", parts.path.rstrip("/"))
    return f"{parts.scheme.lower()}://{host}{path}"
