"""What must never be shown: which option values are secret, and how they look when shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

MASK = "**********"
_SECRET_NAME = re.compile(r"(^|_)(key|token|secret|password|passwd|auth|authorization)s?($|_)")


def is_secret(name: str, value: Any) -> bool:
    """True for a text called like a key or a token, and for an address that carries one."""
    if isinstance(value, SecretStr):
        return True
    if not isinstance(value, str):
        return False
    return bool(_SECRET_NAME.search(name.lower())) or _carries_token(value)


def hide(value: str | SecretStr) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)


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
    return f"{parts.scheme}://{parts.hostname}/{MASK}"


def _carries_token(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname and parts.scheme and (parts.query or parts.username))
    except ValueError:
        return False
