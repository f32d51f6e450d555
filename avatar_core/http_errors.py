"""The one place where what goes wrong over HTTP becomes an `AvatarError`.

The tables are in `http_tables`; docs/http.md shows them. Nothing here needs `requests`: its
exceptions are told apart by their names and by what they were caused by.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from avatar_core.errors import ADVICE, AvatarError, Category
from avatar_core.http_tables import CLASSES, FAILURES, HINTS, STATUSES, Hint, Meaning
from avatar_core.http_text import pause_of, said, shown

# How much of an answer is searched for hints; an error page is smaller.
EVIDENCE_BYTES = 65_536
# A pause is asked for by these in so many words: what was sent was turned away, not begun.
_TURNED_AWAY = 503
_PASSING = {Category.RATE_LIMIT, Category.SERVER, Category.TIMEOUT, Category.CONNECTIVITY}

# The first whose names meet the names of the exception, its bases and its causes.
_KINDS: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (kind, frozenset(names.split()))
    for kind, names in (
        ("proxy", "ProxyError InvalidProxyURL ProxySchemeUnknown"),
        ("invalid_header", "InvalidHeader UnicodeEncodeError"),
        ("invalid_url", "MissingSchema InvalidSchema InvalidURL LocationParseError"),
        ("invalid_json", "InvalidJSONError"),
        ("redirects", "TooManyRedirects"),
        ("certificate", "SSLCertVerificationError CertificateError"),
        ("tls", "SSLError"),
        ("dns", "NameResolutionError gaierror"),
        ("refused", "ConnectionRefusedError"),
        ("unreachable", "NewConnectionError"),
        ("connect_timeout", "ConnectTimeout ConnectTimeoutError"),
        ("timeout", "Timeout TimeoutError ReadTimeoutError"),
        ("no_answer", "RemoteDisconnected"),
        ("reset", "ConnectionResetError BrokenPipeError ConnectionAbortedError"),
        ("undecodable", "ContentDecodingError DecodeError"),
        ("garbled", "BadStatusLine LineTooLong UnknownProtocol HeaderParsingError"),
        ("broken_answer", "IncompleteRead ChunkedEncodingError InvalidChunkLength"),
        ("garbled", "HTTPException"),
    )
)
# What a hint says that names only a category other than the status's.
_SAYS: dict[Category, str] = {
    Category.AUTH: "did not accept the key",
    Category.QUOTA: "has no credit left for this account",
    Category.RATE_LIMIT: "asks for a pause",
    Category.INVALID_INPUT: "did not accept the request",
    Category.UNSUPPORTED: "cannot do this",
    Category.TIMEOUT: "did not answer in time",
    Category.CONNECTIVITY: "cannot be reached",
    Category.SERVER: "failed on its side",
    Category.BAD_OUTPUT: "sent something unusable",
    Category.BACKEND_BUG: "was called in a wrong way",
}
_SPOKE_PLAINLY = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


def status_error(
    service: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    now: float,
    order: bool = False,
    hints: Sequence[Hint] = (),
) -> AvatarError:
    """What an answer with ``status`` means; ``service`` as `http_text.called` names it.

    ``hints`` are a backend's own and come before the common ones. ``now`` is the wall clock's
    time (for ``Retry-After``). ``order`` says that the request must not be sent twice.
    """
    headers = headers or {}
    meaning = STATUSES.get(status) or CLASSES.get(status // 100, CLASSES[5])
    hint = hint_for(status, headers, body, hints)
    if hint is not None:
        meaning = _by_hint(hint, meaning)
    pause = pause_of(_header(headers, "retry-after"), now)
    turned_away = status == _TURNED_AWAY and pause is not None
    return _error(
        service,
        meaning,
        f"HTTP {status}",
        _quoted(body, hint),
        status=status,
        retry_after=pause if meaning.category in _PASSING else None,
        unanswered=order and meaning.unanswered and not turned_away,
    )


def failure_error(
    service: str,
    failure: Exception | str,
    *,
    order: bool = False,
    arrived: bool = True,
    detail: str = "",
) -> AvatarError:
    """What an exception of `requests` means, or a row of ``FAILURES`` by its name.

    ``arrived`` is False where it is certain that the request had not been sent whole: then no
    order was accepted, whatever went wrong.
    """
    kind = failure if isinstance(failure, str) else kind_of(failure, arrived=arrived)
    meaning = FAILURES[kind]
    if isinstance(failure, Exception):
        detail = detail or _detail(kind, failure)
    unanswered = order and arrived and meaning.unanswered
    return _error(service, meaning, "", shown(detail), unanswered=unanswered)


def content_error(
    service: str,
    kind: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    order: bool = False,
    hints: Sequence[Hint] = (),
) -> AvatarError:
    """A successful answer with the wrong thing in it, such as a tunnel's page for a video.

    ``kind`` is the row of ``FAILURES`` that holds unless a hint knows better.
    """
    meaning = FAILURES[kind]
    hint = hint_for(status, headers, body, hints)
    if hint is not None:
        meaning = _by_hint(hint, meaning)
    unanswered = order and meaning.unanswered
    return _error(service, meaning, "", _quoted(body, hint), status=status, unanswered=unanswered)


def kind_of(failure: Exception, *, arrived: bool = True) -> str:
    """The row of ``FAILURES`` for an exception that was raised while a request was made."""
    chain = list(_causes(failure))
    names = {base.__name__ for one in chain for base in type(one).__mro__}
    kind = next((kind for kind, marks in _KINDS if marks & names), "other")
    if kind == "proxy" and any("407" in str(one) for one in chain):
        return "proxy_password"
    if kind == "tls":
        return _kind_of_tls(chain, arrived)
    if kind in ("reset", "no_answer") and not arrived:
        return "upload_cut"
    # The same name for a header that cannot be sent and for one that came.
    return "garbled" if kind == "invalid_header" and arrived else kind


def hint_for(
    status: int, headers: Mapping[str, str], body: bytes, hints: Sequence[Hint] = ()
) -> Hint | None:
    """The first hint that fits an answer, the backend's own before the common ones."""
    text = body[:EVIDENCE_BYTES].decode("utf-8", "replace")
    # What one error page breaks over lines another one does not.
    evidence = " ".join((_header(headers, "ngrok-error-code") or "", text)).replace("\n", " ")
    return next((hint for hint in (*hints, *HINTS) if hint.fits(status, evidence)), None)


def _quoted(body: bytes, hint: Hint | None) -> str:
    return said(body) if hint is None or hint.quotes else ""


def _kind_of_tls(chain: list[BaseException], arrived: bool) -> str:
    if arrived:
        # The handshake is long done: this is how a cut connection looks under TLS.
        return "reset"
    reasons = " ".join(str(one).replace(" ", "_").upper() for one in chain)
    return "plain_http" if any(mark in reasons for mark in _SPOKE_PLAINLY) else "tls"


def _detail(kind: str, failure: Exception) -> str:
    for one in _causes(failure):
        if kind == "certificate" and isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_message
    return type(failure).__name__ if kind == "other" else ""


def _causes(failure: object) -> Iterator[BaseException]:
    """``failure`` and what it was raised from. `requests` and urllib3 keep that in arguments.

    ``__context__`` is left out: it also names failures that were dealt with before.
    """
    waiting, seen = [failure], set[int]()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, getattr(one, "reason", None), *one.args]


def _by_hint(hint: Hint, meaning: Meaning) -> Meaning:
    own = meaning.category is hint.category
    return replace(
        meaning,
        category=hint.category,
        says=hint.says or (meaning.says if own else _SAYS[hint.category]),
        advice=hint.advice or (meaning.advice if own else None),
        unanswered=meaning.unanswered if hint.unanswered is None else hint.unanswered,
    )


def _error(
    service: str,
    meaning: Meaning,
    code: str,
    message: str,
    *,
    status: int | None = None,
    retry_after: float | None = None,
    unanswered: bool = False,
) -> AvatarError:
    told = f"{service} {meaning.says}"
    told += f" ({code})" if code else ""
    told += f": {message}" if message else ""
    return AvatarError(
        meaning.category,
        f"{told.rstrip('.')}.",
        advice=meaning.advice or ADVICE[meaning.category],
        retry_after=retry_after,
        status=status,
        unanswered=unanswered,
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)
