"""What can go wrong at D-ID, to order, in the words in which it was seen to go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from avatar_core.testing import Answer, Cut, Silence
from avatar_core.testing.http_steps import ServerStep
from support_faults import striking

# What the gateway in front of the service says itself; it knows no `kind`.
_GATEWAY: dict[int, dict[str, str]] = {
    401: {"message": "Unauthorized"},
    413: {"message": "Request Too Long"},
    429: {"message": "Too Many Requests"},
    502: {"message": "Internal server error"},
    503: {"message": "Service Unavailable"},
    504: {"message": "Endpoint request timed out"},
}
DENIED = {"Message": "User is not authorized to access this resource with an explicit deny"}
NO_ROUTE = {
    "message": "Invalid key=value pair (missing equal-sign) in Authorization header "
    "(hashed with SHA-256 and encoded with Base64): 'q1Yx0kX3Zr6p4f2d8c7b5a90e1w2='."
}
# The service's own: `kind` and `description`.
_SERVICE: dict[int, tuple[str, str]] = {
    400: ("BadRequestError", "bad request"),
    402: ("InsufficientCreditsError", "not enough credits"),
    403: ("PermissionError", "user has no permission for stitch"),
    404: ("NotFoundError", "not found"),
    409: ("NotReadyError", "talk is in process, try again later"),
    415: ("UnsupportedMimeTypeError", "The provided mime type is not supported"),
    451: (
        "ImageModerationError",
        "Automatic content moderation - contact support if you would like to submit for manual "
        "review",
    ),
    500: ("UnknownError", "Internal Server Error"),
}


def error_body(
    status: int, kind: str | None = None, description: str | None = None, details: Any = None
) -> dict[str, Any]:
    """The body of an error: the gateway's shape where the gateway gives it, else the service's."""
    if kind is None and status in _GATEWAY:
        return dict(_GATEWAY[status])
    usual, says = _SERVICE.get(status, ("UnknownError", "Internal Server Error"))
    body: dict[str, Any] = {"kind": kind or usual, "description": description or says}
    return body if details is None else {**body, "details": details}


@dataclass
class Fault:
    """Strikes the next ``times`` requests of ``route`` (None: all of them) after ``after`` others.

    ``late`` says that the service has done by then what it was asked. Of ``answer``, ``clip`` and
    ``run`` at least one is set: what is sent in place of the answer, what is wrong with the video
    that is sent, what happens besides, such as time that passes or a client that dies.
    """

    route: str
    answer: ServerStep | None
    clip: str = ""
    run: Callable[[], object] | None = None
    late: bool = False
    times: int | None = 1
    after: int = 0


@dataclass
class Faults:
    """The faults that are ordered; safe to use from the server's threads."""

    _faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, route: str) -> Fault | None:
        """The fault that strikes this request."""
        with self._lock:
            return striking(fault for fault in self._faults if fault.route == route)


def struck(
    *,
    status: int | None = None,
    kind: str | None = None,
    description: str | None = None,
    details: Any = None,
    body: Any = None,
    headers: dict[str, str] | None = None,
    drop: bool = False,
    silent: bool = False,
) -> ServerStep | None:
    """What the client gets to see instead of an answer; None where it gets its answer."""
    if drop:
        return Cut()
    if silent:
        return Silence()
    if status is None:
        return None
    told = error_body(status, kind, description, details) if body is None else body
    return Answer(status, told, headers or {})
