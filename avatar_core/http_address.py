"""Where a request goes, what of an address may be shown, and who may be told the credentials."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urljoin, urlsplit

from pydantic import SecretStr

from avatar_core.secrets import hide, is_secret, reveal

# User and password, or the whole value of the header Authorization.
Auth = tuple[str, str | SecretStr] | str | SecretStr
Origin = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}


def host_of(url: str) -> str:
    """Host and port of an address, nothing else of it; "" where there is none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.hostname}{port}" if parts.hostname else ""


def called(name: str, url: str) -> str:
    """How messages call a service: by its name and its host."""
    host = host_of(url)
    if name and host:
        return f"{name} ({host})"
    return name or host or "the service"


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port (RFC 6454), None for what is no web address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and port else None


def may_know(new: str, old: str) -> bool:
    """Whether ``new`` may be told what was meant for ``old``: the same origin, or the same host
    with TLS where there was none."""
    there, here = origin_of(new), origin_of(old)
    if there is None or here is None:
        return False
    return there == here or (
        there[1] == here[1] and here[::2] == ("http", 80) and there[::2] == ("https", 443)
    )


def next_address(url: str, location: str) -> str:
    """Where a redirect leads; "" where it leads nowhere."""
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def without_user_info(url: str) -> tuple[str, Auth | None]:
    """An address without ``user:password@``, and those two."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user_info, at, host = authority.rpartition("@")
    if not separator or not at:
        return url, None
    user, _, password = user_info.partition(":")
    return f"{scheme}://{host}{slash}{path}", (unquote(user), hide(unquote(password)))


def authorization(auth: Auth | None) -> dict[str, str]:
    """The header that carries ``auth`` (RFC 7617 for a pair); it is kept out of all messages."""
    if auth is None:
        return {}
    if isinstance(auth, tuple):
        user, password = auth[0], reveal(hide(auth[1]))
        encoded = b64encode(f"{user}:{password}".encode()).decode("ascii")
        value = f"Basic {reveal(hide(encoded))}"
    else:
        # A key is often copied together with the end of its line.
        value = reveal(auth).strip()
    return {"Authorization": reveal(hide(value))}


def plain_headers(headers: Mapping[str, str | SecretStr]) -> dict[str, str]:
    """``headers`` as they are sent; what is secret in them is kept out of all messages."""
    for name, value in headers.items():
        if is_secret(name.replace("-", "_"), value):
            hide(value)
    return {name: str(reveal(value)) for name, value in headers.items()}
