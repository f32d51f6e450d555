"""Who may use the server: one token, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import re
import secrets
from pathlib import Path

from avatar_core.errors import InputError
from avatar_core.secrets import hide
from backends.colab.server.refusals import Refusal

# It stands in an address, before the host.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._~-]{16,200}")
_FILE = "token"


class Token:
    """A token and whether a request carries it.

    It comes as ``Authorization: Bearer TOKEN``, or as the password of basic authentication (RFC
    7617), which is what any client makes of ``https://avatar:TOKEN@host``. Raises `InputError`
    for one that is too short or could not stand in an address.
    """

    def __init__(self, text: str) -> None:
        if not _WELL_FORMED.fullmatch(text):
            raise InputError(
                "The token must be 16 to 200 letters, digits and signs of . _ ~ - alone.",
                advice="Leave it out, and the server makes a good one.",
            )
        self._secret = hide(text)

    def reveal(self) -> str:
        return self._secret.get_secret_value()

    def require(self, authorization: str | None) -> None:
        """Raise `Refusal` unless ``authorization`` (the header) carries the token."""
        given = _given(authorization or "")
        if not given:
            raise Refusal("token_missing")
        if not hmac.compare_digest(given, self.reveal().encode("ascii")):
            raise Refusal("token_wrong")

    def opens(self, authorization: str | None) -> bool:
        try:
            self.require(authorization)
        except Refusal:
            return False
        return True


def kept_token(folder: Path) -> Token:
    """The token of earlier starts with this folder, or a new one.

    It stays the same so that a client with the address goes on after a restart; only the owner
    of the folder may read it.
    """
    file = folder / _FILE
    with contextlib.suppress(OSError, UnicodeDecodeError, InputError):
        return Token(file.read_text(encoding="ascii").strip())
    token = Token(secrets.token_urlsafe(24))
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(token.reveal())
    return token


def forget_token(folder: Path) -> None:
    """Let the next start make a new token."""
    (folder / _FILE).unlink(missing_ok=True)


def _given(authorization: str) -> bytes:
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return value.encode("utf-8", "replace")
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, ValueError):
            return base64.b64decode(value, validate=True).partition(b":")[2]
    return b""
