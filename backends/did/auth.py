"""The key in both of its forms, and what must be wrong with one that is neither.

D-ID shows a key as ``USER:PASSWORD``, where USER is the account's e-mail address in Base64. It is
sent as HTTP's Basic credentials (RFC 7617). Some tools keep it as these expect it, encoded once
more as a whole: such a value has no colon and is passed on as it is.
"""

from __future__ import annotations

import base64
import binascii

from pydantic import SecretStr

from avatar_core.errors import AvatarError, Category
from avatar_core.http_address import Auth
from avatar_core.secrets import hide, reveal

_SET = (
    "Set DID_API_KEY to the key as D-ID Studio showed it when it was made, all of it: "
    "USER:PASSWORD. A lost key cannot be shown again; make a new one."
)
_WRAPPING = "\"'<>{}`"


def credentials(key: SecretStr) -> Auth:
    """What `HttpClient` is given as ``auth``; raises `AvatarError` (auth) for what is no key."""
    text = str(reveal(key)).strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() == "basic":
        text = rest.strip()
    _require_possible(text, scheme)
    _keep_secret(text)
    user, colon, password = text.partition(":")
    if colon:
        if not user or not password:
            raise _wrong("is only one half of a key: nothing stands on one side of its colon")
        return user, SecretStr(password)
    decoded = _decoded(text)
    if ":" not in decoded:
        half = "its first half" if "@" in decoded else "one half of it"
        raise _wrong(f"has no colon and is not encoded either: it may be {half}")
    _keep_secret(decoded)
    return SecretStr(f"Basic {text}")


def _require_possible(text: str, scheme: str) -> None:
    if not text:
        raise AvatarError(Category.AUTH, "No key for D-ID is set.", advice=_SET)
    if scheme.lower() == "bearer":
        raise _wrong("begins with Bearer, which is for logins and not for keys")
    if text.lower().startswith(("https://", "http://")):
        raise _wrong("is an address")
    if any(sign in _WRAPPING for sign in text):
        raise _wrong("holds quotation marks or brackets, which keys do not have")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _wrong("holds a space, a line break or a letter that keys do not have")


def _keep_secret(pair: str) -> None:
    """The parts of a key as well: libraries and services tell them one by one."""
    user, _, password = pair.partition(":")
    for part in (pair, user, password, _decoded(user)):
        hide(part)


def _decoded(text: str) -> str:
    """What Base64 says, "" where it is none; its padding may have got lost."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def _wrong(what: str) -> AvatarError:
    return AvatarError(Category.AUTH, f"The key for D-ID cannot be right: it {what}.", advice=_SET)
