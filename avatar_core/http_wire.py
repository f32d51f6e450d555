"""The wire under `HttpClient`: a `requests` session that can be cut off from another thread.

Importing this imports `requests`; `http` does so when a client is first used.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled

T = TypeVar("T")

_LOOK_SECONDS = 0.05
# A thread whose socket was shut down ends at once; one that looks up a name does not.
_ENDING_SECONDS = 0.1
_SHORTEST_SECONDS = 0.001
# The system refuses to wait for ever, and a little less than that as well.
_LONGEST_SECONDS = 86_400.0
_POOLS = 32

_working = threading.local()


class Line:
    """One exchange as seen from outside: how far it got, and the means to cut it off.

    ``left`` tells the seconds left of the time for all of it.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.aborted = False
        # Whether all of a request is on its way, and whether an answer has begun.
        self.sent = False
        self.answered = False
        # Whether the other side may have all of it: True from its first byte, until it fails.
        self.arrived = False
        # Where it leads; redirects change that.
        self.url = ""

    @property
    def left(self) -> float:
        """Seconds for the next step, never quite zero (a socket takes that for no waiting)."""
        return min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, self._left()))

    @property
    def over(self) -> bool:
        return self._left() <= 0

    def run(self, work: Callable[[], T], cancel: CancelToken | None) -> T:
        """Do ``work`` in this thread; cut it off as soon as ``cancel`` is set."""
        if cancel is not None:
            threading.Thread(
                target=self._watch, args=(cancel,), name="http-cancel", daemon=True
            ).start()
        _working.line = self
        try:
            return work()
        finally:
            del _working.line
            self._ended.set()

    def abort(self) -> None:
        """End the exchange from another thread. Afterwards ``arrived`` is settled; where the
        thread is stuck in the system, it keeps to the safe side."""
        with self._lock:
            self.aborted = True
            held = self._socket
        if held is not None and not self._ended.is_set():
            _shut(held)
        self._ended.wait(_ENDING_SECONDS)

    def check(self) -> None:
        """Raise `Cancelled` once the exchange was cut off."""
        if self.aborted:
            raise Cancelled("the request was cut off")

    def hold(self, connected: socket.socket | None) -> None:
        with self._lock:
            self._socket = connected
            aborted = self.aborted
        if connected is not None:
            # What was set to connect would also hold for sending: too short for an upload.
            connected.settimeout(self.left)
            if aborted:
                _shut(connected)
        self.check()

    def _watch(self, cancel: CancelToken) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            if cancel.cancelled:
                self.abort()
                return


def _shut(held: socket.socket) -> None:
    try:
        # Of a TLS socket too, without its farewell: that would wait for the other side.
        socket.socket.shutdown(held, socket.SHUT_RDWR)
    except OSError:
        return


class _Tracked(HTTPConnection):
    """Tells the thread's `Line` of its socket, and when a request is on its way."""

    def connect(self) -> None:
        line: Line = _working.line
        line.check()
        super().connect()
        line.hold(self.sock)
        self.timeout = line.left

    def request(self, *args: Any, **options: Any) -> None:
        line: Line = _working.line
        line.check()
        if self.sock is not None:
            self.timeout = line.left
        line.arrived = True
        try:
            super().request(*args, **options)
        except BaseException:
            # A part of it was not taken: a length was announced that was never reached.
            line.arrived = False
            raise
        line.sent = True


class _TrackedTls(_Tracked, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Tracked

    def _put_conn(self, conn: Any) -> None:
        # A service need not say that it closes the connection, as it is asked to: until it has,
        # the connection looks as if it could be used again.
        if conn is not None:
            conn.close()
        super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TrackedTls


_POOL_CLASSES: dict[str, Any] = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Tries once: trying again is the policy's business, which knows what may be sent twice."""

    def __init__(self) -> None:
        super().__init__(_POOLS, _POOLS, Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOL_CLASSES

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOL_CLASSES
        return manager


class _Session(requests.Session):
    """Leaves redirects alone; even told not to follow them, `requests` would read their bodies."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _NoCredentials(requests.auth.AuthBase):
    """Sends nothing. Without an authentication, `requests` would take one from ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def new_session(user_agent: str) -> requests.Session:
    """A session that keeps nothing between requests, so that threads may share it.

    Each request has a connection of its own: one that was kept open may have been closed by the
    other side meanwhile, and an order that was sent on it could not be told from a lost one.
    """
    session = _Session()
    session.auth = _NoCredentials()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": user_agent,
            "Accept": "*/*",
            # A length that is announced is then the length that arrives.
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
    )
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
