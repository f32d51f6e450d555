"""What must never be shown: which option values are secret, and how they look when shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import BaseModel, SecretStr

MASK = "**********"
# What is shorter is found in too many innocent words.
_SHORTEST = 6
_known: set[str] = set()
_SECRET_NAME = re.compile(r"(^|_)(key|token|secret|password|passwd|auth|authorization)s?($|_)")
# Credentials before a host, in an address somewhere in a text or in one without its scheme, or
# with a slip of the hand in it.
_USERINFO = re.compile(
    r"(?:://|https?\s{0,3}[:/]\s{0,3}/{0,3}\s{0,3})([^\s/@]+)\s{0,3}@|"
    r"^([^\s/@:]+:[^\s/@]+)@\S",
    re.IGNORECASE,
)
_ADDRESS_NAME = re.compile(r"(^|_)url$")
_ADDRESS = re.compile(r"[./]|localhost|:\d{1,5}$", re.IGNORECASE)


def is_secret(name: str, value: Any) -> bool:
    """True for a text called like a key or a token, for an address that carries one, and for what
    stands in place of an address and is none: it may be the token alone."""
    if isinstance(value, SecretStr):
        return True
    if not isinstance(value, str):
        return False
    named = _SECRET_NAME.search(name.lower())
    alone = value and _ADDRESS_NAME.search(name.lower()) and not _ADDRESS.search(value)
    return bool(named or alone or _USERINFO.search(value)) or _carries_token(value)


def hide(value: str | SecretStr) -> SecretStr:
    hidden = value if isinstance(value, SecretStr) else SecretStr(value)
    remember(hidden)
    return hidden


def remember(value: Any) -> None:
    """Keep the secrets in ``value`` out of everything that is shown from now on, see `scrub`."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        parts = [part for part in (text, *_tokens(text)) if len(part) >= _SHORTEST]
        # Also as they look in an address.
        _known.update(parts, [quote(part, safe="") for part in parts])
    elif isinstance(value, BaseModel):
        remember(dict(value))
    elif isinstance(value, Mapping):
        remember(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            remember(one)


def scrub(text: str) -> str:
    """``text`` without the secrets of this process: libraries put keys and addresses into what
    they raise and log."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def reveal(value: Any) -> Any:
    """The plain value, also inside mappings and lists: for the code that uses it, at the last
    moment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {k: reveal(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(v) for v in value]
    return value


def mask(value: Any, name: str = "") -> Any:
    """JSON-ready values with every secret masked; of an address the host stays visible."""
    if isinstance(value, Mapping):
        return {k: mask(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mask(v, name) for v in value]
    if is_secret(name, value):
        return _masked_text(reveal(value))
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _masked_text(text: str) -> str:
    if not _carries_token(text):
        return MASK
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{MASK}"


def _tokens(address: str) -> list[str]:
    """The secret parts of an address, which libraries tell one by one."""
    if not _carries_token(address):
        credentials = _USERINFO.search(address)
        return [(credentials[1] or credentials[2]).rpartition(":")[2]] if credentials else []
    parts = urlsplit(address)
    given = [value for _, value in parse_qsl(parts.query)]
    user = None if parts.password else parts.username
    found = (parts.query, parts.password, user, *given)
    return [part.strip() for part in found if part and part.strip()]


def _carries_token(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname and parts.scheme and (parts.query or parts.username))
    except ValueError:
        return False
