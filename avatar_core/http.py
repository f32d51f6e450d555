"""The one HTTP client of avatar backends: a total time limit, no surprises, no retries.

`requests` is imported when a client is first used. Every failure is an `AvatarError`, see
`http_errors` and docs/http.md; trying again is left to the policy.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pydantic import SecretStr

from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, Overrun, SystemClock
from avatar_core.errors import AvatarError
from avatar_core.http_address import (
    Auth,
    authorization,
    called,
    host_of,
    may_know,
    next_address,
    plain_headers,
    without_user_info,
)
from avatar_core.http_answer import Asked, HttpAnswer, Incoming, PartFile
from avatar_core.http_errors import failure_error, kind_of, status_error
from avatar_core.http_tables import Hint
from avatar_core.http_text import pause_of
from avatar_core.secrets import reveal

if TYPE_CHECKING:
    import requests

    from avatar_core.http_wire import Line

# A file's name, its content, its media type.
FilePart = tuple[str, bytes, str]

DEFAULT_SECONDS = 60.0
CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 16_000_000
LARGEST_DOWNLOAD = 1_000_000_000
_MOST_REDIRECTS = 5
# A service that answered with one of these has dealt with what it was sent.
_DEALT_WITH = (302, 303)


class CallOptions(TypedDict, total=False):
    """What `HttpClient.request` and `HttpClient.download` take beside method and address.

    ``seconds`` is the limit for all of it: connecting, sending, waiting, receiving. ``order``
    marks a request that must not be sent twice, such as one that creates a paid job: an error
    that leaves open whether it was accepted has ``unanswered`` set. ``accept`` are statuses
    besides 200-299 that are no error of a `request`. ``auth=False`` leaves out the client's own
    authentication and headers; to another host they are never sent. ``files`` are form fields
    with a file each: its name, its content, its media type. ``max_bytes`` limits the answer.
    """

    json: Any
    data: bytes | Mapping[str, str]
    files: Mapping[str, FilePart]
    headers: Mapping[str, str | SecretStr]
    params: Mapping[str, str]
    seconds: float
    cancel: CancelToken
    max_bytes: int
    order: bool
    auth: bool
    accept: Container[int]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    json: Any = None
    data: bytes | Mapping[str, str] | None = None
    files: Mapping[str, FilePart] | None = None
    headers: Mapping[str, str | SecretStr] = field(default_factory=dict)
    params: Mapping[str, str] | None = None
    seconds: float = DEFAULT_SECONDS
    cancel: CancelToken | None = None
    max_bytes: int = LARGEST_ANSWER
    order: bool = False
    auth: bool = True
    accept: Container[int] = ()


class HttpClient:
    """Talks to one service; threads may share it.

    ``auth`` is a pair of user and password, or the whole value of the Authorization header; it
    and ``headers`` go to the host of ``base_url`` only. ``name`` is how messages call the
    service. ``hints`` are the backend's own rows, asked before the common ones. Proxies and
    certificates are taken from the environment, credentials from nowhere but here.
    """

    def __init__(
        self,
        base_url: str | SecretStr,
        *,
        auth: Auth | None = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        name: str = "",
        hints: Sequence[Hint] = (),
        clock: Clock | None = None,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._base, user_info = without_user_info(reveal(base_url).strip().rstrip("/"))
        self._headers = {**authorization(auth or user_info), **plain_headers(headers or {})}
        self._name = name
        self._hints = tuple(hints)
        self._clock = clock or SystemClock()
        self._connect_seconds = connect_seconds
        self._lock = threading.Lock()
        self._kept_session: requests.Session | None = None

    def request(self, method: str, url: str, **options: Unpack[CallOptions]) -> HttpAnswer:
        """Send one request and read its whole answer; ``url`` is an address, or a path that is
        put after ``base_url``. Raises `AvatarError`, or `Cancelled` when ``cancel`` is set.
        """
        call = _Call(method.upper(), self._address(url), **options)
        return self._exchange(call, Incoming.read)

    def download(
        self, url: str, target: Path, *, method: str = "GET", **options: Unpack[CallOptions]
    ) -> HttpAnswer:
        """Receive a media file; ``target`` appears complete or not at all.

        An answer that was cut off, an empty one and a text in place of a file (a tunnel's page,
        an error in JSON) are refused. Raises as `request` does, `DiskFull` and
        `EnvironmentFault` when the file cannot be written. The answer's ``body`` is empty.
        """
        options.setdefault("max_bytes", LARGEST_DOWNLOAD)
        call = _Call(method.upper(), self._address(url), **options)
        with PartFile(target) as part:
            answer = self._exchange(call, lambda incoming: incoming.save(part))
            # Here and not where it is received: a thread that was left behind must not do it.
            part.keep()
        return answer

    def close(self) -> None:
        """Release what is held; safe to call twice."""
        with self._lock:
            session, self._kept_session = self._kept_session, None
        if session is not None:
            session.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _exchange(self, call: _Call, take: Callable[[Incoming], HttpAnswer]) -> HttpAnswer:
        from avatar_core.http_wire import Line

        if call.cancel is not None:
            call.cancel.check()
        if call.seconds <= 0:
            raise failure_error(self._called(call.url), "timeout", detail="no time was left for it")
        end = self._clock() + call.seconds
        line = Line(lambda: end - self._clock())
        try:
            return self._clock.call(
                lambda: line.run(lambda: self._talk(call, line, take), call.cancel),
                call.seconds,
                call.cancel,
            )
        except Overrun:
            # Asked before the line is cut, which looks like an end to who reads from it.
            waited = _waited(line, call.seconds)
            line.abort()
            raise self._failure(call, "timeout", line, waited) from None
        except BaseException:
            line.abort()
            raise

    def _talk(self, call: _Call, line: Line, take: Callable[[Incoming], HttpAnswer]) -> HttpAnswer:
        from urllib3.exceptions import HTTPError

        try:
            with contextlib.closing(self._open(call, line)) as response:
                line.answered = True
                return self._judged(call, line, response, take)
        # What `requests` raises is an OSError, whatever it is about; some slips past it.
        except (OSError, HTTPError, HTTPException, UnicodeError) as failure:
            line.check()
            kind = kind_of(failure, arrived=line.arrived)
            waited = _waited(line, call.seconds) if kind == "timeout" else ""
            raise self._failure(call, failure, line, waited) from None

    def _open(self, call: _Call, line: Line) -> requests.Response:
        """The answer without its body. Redirects are followed for what only reads."""
        url, headers, params = call.url, self._headers_for(call), call.params
        for _ in range(_MOST_REDIRECTS + 1):
            line.url = url
            response = self._session().request(
                call.method, url, headers=headers, params=params, json=call.json, data=call.data,
                files=call.files, stream=True, allow_redirects=False,
                timeout=(min(self._connect_seconds, line.left), line.left),
            )  # fmt: skip
            if not response.is_redirect:
                return response
            response.close()
            target = next_address(url, response.headers["location"])
            if call.method not in ("GET", "HEAD"):
                raise self._moved(call, response.status_code, target)
            if not may_know(target, url):
                headers = {}
            url, params = target, None
        raise failure_error(self._called(call.url), "redirects")

    def _judged(
        self,
        call: _Call,
        line: Line,
        response: requests.Response,
        take: Callable[[Incoming], HttpAnswer],
    ) -> HttpAnswer:
        service, status, now = self._called(line.url), response.status_code, self._clock.wall()
        incoming = Incoming(
            response,
            line,
            Asked(service, call.order, self._hints),
            max_bytes=call.max_bytes,
            seconds=call.seconds,
            retry_after=pause_of(response.headers.get("retry-after"), now),
        )
        if 200 <= status < 300 or status in call.accept:
            return take(incoming)
        body = incoming.beginning()
        line.check()
        raise status_error(
            service, status, response.headers, body, now=now, order=call.order, hints=self._hints
        )

    def _moved(self, call: _Call, status: int, target: str) -> AvatarError:
        scheme = target.partition(":")[0]
        return failure_error(
            self._called(call.url),
            "moved",
            order=call.order,
            arrived=status in _DEALT_WITH,
            detail=f"HTTP {status} to {scheme}://{host_of(target)}",
        )

    def _failure(
        self, call: _Call, failure: Exception | str, line: Line, detail: str
    ) -> AvatarError:
        return failure_error(
            self._called(line.url or call.url),
            failure,
            order=call.order,
            arrived=line.arrived,
            detail=detail,
        )

    def _session(self) -> requests.Session:
        from avatar_core.http_wire import new_session

        with self._lock:
            if self._kept_session is None:
                self._kept_session = new_session(_user_agent())
            return self._kept_session

    def _address(self, url: str) -> str:
        if url.lower().startswith(("http://", "https://")):
            return url
        return f"{self._base}/{url.lstrip('/')}" if url else self._base

    def _called(self, url: str) -> str:
        own = host_of(url) == host_of(self._base)
        return called(self._name if own else "", url)

    def _headers_for(self, call: _Call) -> dict[str, str]:
        own = self._headers if call.auth and may_know(call.url, self._base) else {}
        return {**own, **plain_headers(call.headers)}


def _waited(line: Line, seconds: float) -> str:
    limit = f"{round(seconds, 2):g} s"
    if not line.sent:
        return f"the request was not through after {limit}"
    if not line.answered:
        return f"there was no answer after {limit}"
    return f"the answer was not complete after {limit}"


@functools.cache
def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"avatar-core/{version('avatar-core')}"
    except PackageNotFoundError:
        return "avatar-core"
