"""Large files from the network: a download that broke off goes on where it stopped.

A file takes its name only when its size, and where it is known its SHA-256, are right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import NO_ROOM, DiskFull, EnvironmentFault

if TYPE_CHECKING:
    import requests

# Bytes that are there, bytes in all if known.
Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 20
_SECONDS = (10.0, 60.0)
_LONGEST_PAUSE = 30.0
_AGAIN = "Run this cell again: what has arrived is kept."


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from, and how it is known to be whole: ``size`` in bytes, ``sha256`` in
    hexadecimal digits; None and nothing where that is not known."""

    url: str
    size: int | None = None
    sha256: str = ""


class Fetcher:
    """``tries`` counts attempts that brought nothing; one that brought something begins anew.

    ``session`` may be a `requests.Session` of the caller's.
    """

    def __init__(
        self, session: requests.Session | None = None, *, tries: int = 5, clock: Clock | None = None
    ) -> None:
        self._given = session
        self._tries = tries
        self._clock = clock or SystemClock()

    def fetch(self, source: Source, target: Path, progress: Progress | None = None) -> None:
        """Raises `EnvironmentFault` (with what to do) and `DiskFull`."""
        part = target.with_name(target.name + ".part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._complete(source, part, progress or (lambda done, total: None))
            _verify(source, part, target.name)
            part.replace(target)
        except OSError as failure:
            if failure.errno in NO_ROOM:
                raise DiskFull(target.name) from failure
            raise EnvironmentFault(f"{target} cannot be written: {failure.strerror}.") from failure

    def _complete(self, source: Source, part: Path, progress: Progress) -> None:
        left, most = self._tries, _size(part)
        while True:
            trouble = self._receive(source, part, progress)
            if trouble is None:
                return
            # Only what brought more than ever before counts as progress: this comes to an end.
            left = self._tries - 1 if _size(part) > most else left - 1
            most = max(most, _size(part))
            if left <= 0:
                raise EnvironmentFault(
                    f"{part.stem} could not be downloaded: {trouble}.",
                    advice=f"Check the network, then: {_AGAIN}",
                )
            self._clock.sleep(min(2.0 ** (self._tries - left), _LONGEST_PAUSE))

    def _receive(self, source: Source, part: Path, progress: Progress) -> str | None:
        """Append what the server sends; returns what was wrong, None when the file is complete."""
        have = _size(part)
        if source.size is not None and have > source.size:
            part.unlink()
            have = 0
        if source.size is not None and have == source.size:
            return None
        session, trouble = self._session(), _network_trouble()
        try:
            headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
            with session.get(source.url, headers=headers, stream=True, timeout=_SECONDS) as answer:
                if answer.status_code == 416:
                    # Nothing is left to send, so it is complete or another file.
                    return None
                _refuse(answer, part.stem)
                return _append(answer, part, source.size, progress)
        except trouble as failure:
            return type(failure).__name__

    def _session(self) -> requests.Session:
        if self._given is None:
            import requests

            self._given = requests.Session()
        return self._given


def _append(
    answer: requests.Response, part: Path, size: int | None, progress: Progress
) -> str | None:
    resumed = answer.status_code == 206
    done = _size(part) if resumed else 0
    length = answer.headers.get("content-length", "")
    # What the server says comes first: when it sends another file, asking again changes nothing.
    total = done + int(length) if length.isdigit() else size
    with part.open("ab" if resumed else "wb") as stream:
        for chunk in answer.iter_content(_CHUNK):
            stream.write(chunk)
            done += len(chunk)
            progress(done, total)
            if size is not None and done > size:
                break
    if total is not None and done < total:
        return f"the connection ended after {done} of {total} bytes"
    return None


def _refuse(answer: requests.Response, name: str) -> None:
    """Raise for an answer that no second attempt would change."""
    status = answer.status_code
    if status >= 500 or status in (408, 429):
        answer.raise_for_status()
    if status not in (200, 206):
        raise EnvironmentFault(
            f"{name} could not be downloaded: {answer.url} answered with HTTP {status}.",
            advice="It may have moved: get the notebook of a newer version.",
        )


def _verify(source: Source, part: Path, name: str) -> None:
    size = _size(part)
    if source.size is not None and size != source.size:
        part.unlink()
        raise EnvironmentFault(
            f"{name} has {size} bytes and not {source.size}: it is another file.", advice=_AGAIN
        )
    if source.sha256 and _sha256(part) != source.sha256:
        part.unlink()
        raise EnvironmentFault(f"{name} was damaged on its way.", advice=_AGAIN)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _network_trouble() -> tuple[type[Exception], ...]:
    import requests
    from urllib3.exceptions import HTTPError

    return (requests.RequestException, HTTPError)
