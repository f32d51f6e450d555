"""The server's folder: a folder a job, every record and every file complete or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from avatar_core.errors import NO_ROOM, DiskFull, EnvironmentFault, InputError
from backends.colab.server.records import JobRecord

log = logging.getLogger(__name__)

_RECORD = "job.json"
_VIDEO = "video.mp4"
_WORK = "work"
_ID = re.compile(r"[0-9a-f]{32}")


class Shelf:
    """``folder`` belongs to one server at a time: a second one gets `InputError`.

    Names on disk are ours: the id is the only thing of a request that reaches a path, and only
    when it is 32 hexadecimal digits.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._jobs = self.folder / "jobs"
        self._incoming = self.folder / "incoming"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Faces and voices of people: nobody else's business.
            self._jobs.mkdir(mode=0o700, exist_ok=True)
            self._lock = FileLock(self.folder / "server.lock")
            self._lock.acquire(blocking=False)
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._incoming.mkdir(mode=0o700, exist_ok=True)
        except Timeout:
            raise InputError(
                f"Another server uses the folder {self.folder}.",
                advice="Stop that one, or name another folder with --folder.",
            ) from None
        except OSError as failure:
            raise EnvironmentFault(
                f"The folder {self.folder} cannot be used: {failure.strerror}.",
                advice="Name another one with --folder.",
            ) from failure

    def close(self) -> None:
        self._lock.release()

    def load(self) -> list[JobRecord]:
        """Every job that was kept, oldest first; one that cannot be read is left where it is."""
        found = []
        for folder in self._jobs.iterdir():
            try:
                text = (folder / _RECORD).read_text(encoding="utf-8")
                record = JobRecord.model_validate_json(text)
            except (OSError, ValueError, ValidationError):
                log.warning("the record of job %s cannot be read", folder.name)
                continue
            if record.id == folder.name:
                found.append(record)
        return sorted(found, key=lambda record: record.number)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder to receive an upload in; what is not taken over by `add` goes away."""
        folder = self._incoming / uuid.uuid4().hex
        folder.mkdir()
        try:
            with room():
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, record: JobRecord, received: Path) -> None:
        """Take over the files of a new job; it exists when this returns."""
        _write(received / _RECORD, record)
        received.rename(self._place(record.id))

    def save(self, record: JobRecord) -> None:
        _write(self._place(record.id) / _RECORD, record)

    def input(self, record: JobRecord) -> tuple[Path, Path]:
        """The picture and the sound."""
        place = self._place(record.id)
        return place / record.image, place / record.audio

    def holds(self, record: JobRecord) -> bool:
        """Whether the picture and the sound are there."""
        return all(path.is_file() for path in self.input(record))

    def work(self, job: str) -> Path:
        """An empty folder for the engine."""
        folder = self._place(job) / _WORK
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def video(self, job: str) -> Path:
        return self._place(job) / _VIDEO

    def keep_video(self, job: str, made: Path) -> Path:
        """Move the engine's result to its place."""
        target = self.video(job)
        waiting = target.with_suffix(".part")
        # The engine may have written it on another disk.
        shutil.move(made, waiting)
        waiting.replace(target)
        return target

    def tidy(self, record: JobRecord) -> None:
        """Delete what an ended job does not need any more: faces and voices first of all."""
        place = self._place(record.id)
        for path in (*self.input(record), place / "video.part"):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        shutil.rmtree(place / _WORK, ignore_errors=True)

    def drop_video(self, job: str) -> None:
        with contextlib.suppress(OSError):
            self.video(job).unlink(missing_ok=True)

    def remove(self, job: str) -> None:
        shutil.rmtree(self._place(job), ignore_errors=True)

    def _place(self, job: str) -> Path:
        if not _ID.fullmatch(job):
            raise ValueError(f"{job!r} is no job's id")
        return self._jobs / job


@contextlib.contextmanager
def room() -> Iterator[None]:
    """Turn a full disk into `DiskFull`."""
    try:
        yield
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise DiskFull from failure
        raise


def _write(path: Path, record: JobRecord) -> None:
    """By rename, so that a server that is killed leaves the old record or the new one."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as stream:
        stream.write(record.model_dump_json())
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
