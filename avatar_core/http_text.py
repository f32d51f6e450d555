"""What a service says in an answer, made fit to be shown: its own message, its wish for a pause."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from avatar_core.secrets import MASK, scrub

LONGEST_MESSAGE = 200
# A pause of days is a wish that no film can wait for, whatever its exact length.
LONGEST_PAUSE = 86_400.0
_DEEPEST = 4
# What a page is called stands at its beginning.
_HEAD_CHARACTERS = 8_000
_KINDS = ("kind", "code", "type", "error_code")
_MESSAGES = (
    *("message", "Message", "msg", "description", "error_description", "detail", "details"),
    *("errors", "error", "reason", "title"),
)
_SECONDS = re.compile(r"\d{1,400}(\.\d{1,20})?", re.ASCII)
_QUERY = re.compile(r"(\b\w+://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_USERINFO = re.compile(r"(\b\w+://)[^\s/@\"'<>]+@")
# After such a word, what has a capital, a digit or a sign in it is no word of a sentence.
_CREDENTIALS = re.compile(
    r"\b((?i:basic|bearer|client-key|token))[ :=]+(?=[\w.~+/=:-]*[A-Z0-9+/=])[\w.~+/=:-]{8,}"
)
_MARKUP = re.compile(r"<[^<>]*>")


def pause_of(value: str | None, now: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header (RFC 9110, section 10.2.3), None without one.

    ``now`` is the wall clock's time, for the form that names a date. What is negative, past or
    no time at all is ignored; more than a day counts as a day.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_PAUSE)
    try:
        date = parsedate_to_datetime(text)
        # A date "-0000" comes without a zone; it is UTC all the same.
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(seconds, LONGEST_PAUSE) if seconds >= 0 and math.isfinite(seconds) else None


def shown(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """``text`` in one line of at most ``longest`` characters, without anything secret in it."""
    seen = (sign if sign.isprintable() else " " for sign in scrub(text)[: 20 * longest])
    text = " ".join("".join(seen).split())
    text = _USERINFO.sub(r"\1", _QUERY.sub(r"\1", text))
    text = _CREDENTIALS.sub(rf"\1 {MASK}", text)
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def said(body: bytes) -> str:
    """The service's own message in the body of an error, in one short line; "" if it has none.

    Knows the JSON envelopes in use, the XML of S3 and the title of a web page.
    """
    text = body.decode("utf-8", "replace").strip()
    if text.startswith(("{", "[", '"')):
        try:
            return shown(_message(json.loads(text))).rstrip(".")
        except (ValueError, RecursionError):
            return ""
    first = (
        _of_markup(text[:_HEAD_CHARACTERS])
        if text.startswith("<")
        else next(iter(text.splitlines()), "")
    )
    return shown(first).rstrip(".")


def _message(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth < _DEEPEST:
        return "; ".join(filter(None, (_message(one, depth + 1) for one in value[:3])))
    if not isinstance(value, dict) or depth >= _DEEPEST:
        return ""
    text = next(_found(value, depth), "")
    kind = next((value[key] for key in _KINDS if isinstance(value.get(key), str)), "")
    return f"{kind}: {text}" if kind and text and kind not in text else text or kind


def _found(value: dict[str, Any], depth: int) -> Iterator[str]:
    texts = (_message(value[key], depth + 1) for key in _MESSAGES if value.get(key))
    return (text for text in texts if text.strip())


def _of_markup(text: str) -> str:
    found = [
        _MARKUP.sub("", match[1]).strip()
        for tag in ("Code", "Message", "title")
        if (match := re.search(rf"<{tag}\b[^>]*>(.*?)</{tag}>", text, re.DOTALL))
    ]
    return unescape(": ".join(filter(None, found)))
