"""An answer: received in pieces under a limit, looked at, kept as bytes or as a file."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from avatar_core.clock import Overrun
from avatar_core.errors import NO_ROOM, AvatarError, DiskFull, EnvironmentFault
from avatar_core.http_errors import EVIDENCE_BYTES, content_error, failure_error
from avatar_core.http_tables import Hint

if TYPE_CHECKING:
    import requests

    from avatar_core.http_wire import Line

_CHUNK_BYTES = 65_536
# Enough of a file to tell a text from sound or pictures.
_HEAD_BYTES = 512
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/problem+json")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer answers, as far as judging it needs that."""

    service: str
    order: bool = False
    hints: Sequence[Hint] = ()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """``headers`` ignore case. ``retry_after`` is the pause that the service asks for, in
    seconds (also of a success: when to ask again), None without one."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    asked: Asked = field(repr=False)
    retry_after: float | None = None

    def json(self) -> Any:
        """What the body says in JSON; raises `AvatarError` if it does not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self._not_json() from None

    def fields(self) -> dict[str, Any]:
        """The body's JSON object; raises `AvatarError` if it is anything else."""
        value = self.json()
        if not isinstance(value, dict):
            raise self._not_json()
        return value

    def _not_json(self) -> AvatarError:
        return content_error(
            self.asked.service,
            "not_json",
            self.status,
            self.headers,
            self.body,
            order=self.asked.order,
            hints=self.asked.hints,
        )


class Incoming:
    """An answer whose status is known and whose body is still on its way.

    ``seconds`` is the limit of the whole exchange, for the error that tells of it.
    """

    def __init__(
        self,
        response: requests.Response,
        line: Line,
        asked: Asked,
        *,
        max_bytes: int,
        seconds: float,
        retry_after: float | None,
    ) -> None:
        self._response = response
        self._line = line
        self._asked = asked
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._retry_after = retry_after

    def read(self) -> HttpAnswer:
        return self._answer(b"".join(self._pieces()))

    def save(self, part: PartFile) -> HttpAnswer:
        pieces = self._pieces()
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= _HEAD_BYTES:
                break
        self._refuse_text(head, pieces)
        part.write(head)
        for piece in pieces:
            part.write(piece)
        return self._answer(b"")

    def beginning(self) -> bytes:
        """As much of an error's body as there is; that it breaks off changes nothing."""
        taken = b""
        # Everything that `requests` raises for a broken body is an OSError.
        with suppress(OSError, AvatarError):
            for piece in self._pieces():
                taken += piece
                if len(taken) >= EVIDENCE_BYTES:
                    break
        return taken[:EVIDENCE_BYTES]

    def _pieces(self) -> Iterator[bytes]:
        """The body, as long as it keeps to its limits; raises at its end if that comes early."""
        announced = self._announced()
        if announced is not None and announced > self._max_bytes:
            raise self._too_large()
        received = 0
        for piece in self._response.iter_content(_CHUNK_BYTES):
            self._line.check()
            if self._line.over:
                raise Overrun(self._seconds)
            received += len(piece)
            if received > self._max_bytes:
                raise self._too_large()
            yield piece
        # A connection that we cut ourselves looks like the end of a body without a length.
        self._line.check()
        if announced is not None and self._response.raw.tell() < announced:
            raise self._failure("broken_answer")

    def _announced(self) -> int | None:
        length = self._response.headers.get("content-length", "")
        if self._response.request.method == "HEAD" or not length.isdecimal():
            return None
        return int(length)

    def _refuse_text(self, head: bytes, rest: Iterator[bytes]) -> None:
        if head and not _is_text(head, self._response.headers.get("content-type", "")):
            return
        with suppress(OSError, AvatarError):
            while len(head) < EVIDENCE_BYTES and (piece := next(rest, b"")):
                head += piece
        raise content_error(
            self._asked.service,
            "not_media" if head else "empty",
            self._response.status_code,
            self._response.headers,
            head,
            order=self._asked.order,
            hints=self._asked.hints,
        )

    def _too_large(self) -> AvatarError:
        megabytes = self._max_bytes / 1e6
        return self._failure("too_large", f"the limit is {megabytes:.3g} MB")

    def _failure(self, kind: str, detail: str = "") -> AvatarError:
        return failure_error(self._asked.service, kind, order=self._asked.order, detail=detail)

    def _answer(self, body: bytes) -> HttpAnswer:
        response = self._response
        return HttpAnswer(
            response.status_code, response.headers, body, self._asked, self._retry_after
        )


class PartFile:
    """A file beside ``target`` that takes its place by `keep`, or disappears."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")
        self._file: BinaryIO | None = None
        self._closed = False

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        if self._closed:
            raise OSError("nobody waits for this file any more")
        try:
            if self._file is None:
                self._file = self.path.open("wb")
            self._file.write(piece)
        except OSError as failure:
            raise self._fault(failure) from failure

    def keep(self) -> None:
        try:
            self._close()
            os.replace(self.path, self._target)
        except OSError as failure:
            raise self._fault(failure) from failure

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _fault(self, failure: OSError) -> EnvironmentFault:
        if failure.errno in NO_ROOM:
            return DiskFull(self._target)
        reason = failure.strerror or type(failure).__name__
        return EnvironmentFault(
            f"{self._target} cannot be written: {reason}.",
            advice="Check that its folder exists and may be written to.",
        )


def _is_text(head: bytes, content_type: str) -> bool:
    """Whether a file begins as texts do; sound and pictures have bytes that no text has."""
    binary = any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"<", b"{", b"["):
        return True
    if content_type.lower().startswith(_TEXT_TYPES):
        return not binary
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as failure:
        # The last character may have been cut in two.
        if failure.start < len(head) - 3:
            return False
    return not binary
