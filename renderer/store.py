"""The content-addressed store: everything that costs time is made once and found again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, EnvironmentFault
from renderer.disk_faults import CHOOSE_ANOTHER, removed, told
from renderer.whole_file import put_in_place

# Changes when what is stored under a key would be read differently.
FORMAT = 1
_LOCK_POLL_SECONDS = 0.05
_HOME_LOCK = "owner.lock"


def default_cache_dir() -> Path:
    """Where the platform keeps caches."""
    return Path(platformdirs.user_cache_dir("avatar", appauthor=False))


def content_key(**parts: Any) -> str:
    """A hash of ``parts`` (JSON-ready values), the same in every process and on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    # Python keeps the bytes of a file's name that are no UTF-8 as halves of surrogate pairs.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class FileHashes:
    """SHA-256 of files, each read once per render as long as it stays as it is."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int, int], str] = {}
        self._lock = threading.Lock()

    def __call__(self, path: Path) -> str:
        stat = path.stat()
        # Recordings of one length have one size, and unpacked files may have one date.
        mark = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        with self._lock:
            known = self._known.get(mark)
        if known is None:
            with path.open("rb") as stream:
                known = hashlib.file_digest(stream, "sha256").hexdigest()
            with self._lock:
                self._known[mark] = known
        return known


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file and what its maker noted about it."""

    path: Path
    meta: dict[str, Any] = field(default_factory=dict)
    fresh: bool = False


class Store:
    """Artifacts by kind and key under one folder, shared by any number of processes.

    A file appears by rename, complete or not at all. One process at a time makes an artifact;
    the others wait for it and use it.
    """

    def __init__(self, root: Path) -> None:
        # Absolute, because children that read from it run in other folders.
        self.root = root.absolute() / f"v{FORMAT}"
        try:
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            (self.root / "locks").mkdir(exist_ok=True)
            self._home, self._home_lock = self._move_in()
        except OSError as failure:
            raise EnvironmentFault(
                f"The cache folder {root} cannot be used: {failure.strerror or failure}.",
                advice=CHOOSE_ANOTHER,
            ) from failure

    @property
    def is_there(self) -> bool:
        """False when somebody has removed the folder since the store was opened."""
        return (self._home / _HOME_LOCK).exists()

    @contextlib.contextmanager
    def faults(self) -> Iterator[None]:
        """Around work with what is stored: a disk's trouble becomes a sentence.

        When the folder is gone, that is why whatever fails fails.
        """
        try:
            yield
        except Cancelled:
            raise
        except Exception as failure:
            if not self.is_there:
                raise removed(self.root) from failure
            if isinstance(failure, OSError):
                raise told(failure, self.root) from failure
            raise

    def others_since(self) -> float:
        """When the first of the other processes that use the store now began to (seconds since
        1970); infinite where there is none."""
        since = math.inf
        with filelock.FileLock(self.root / "locks" / "tmp.lock"):
            for home in (self.root / "tmp").iterdir():
                if home != self._home and _is_lived_in(home):
                    since = min(since, _began(home))
        return since

    def find(self, kind: str, key: str) -> Artifact | None:
        """The artifact, or None when it is not there or not whole."""
        note = self._note(kind, key)
        try:
            content = json.loads(note.read_text(encoding="utf-8"))
            path = note.with_name(content["file"])
            if path.stat().st_size != content["bytes"]:
                return None
            _mark_as_used(note)
            return Artifact(path, content["meta"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def make(
        self,
        kind: str,
        key: str,
        suffix: str,
        build: Callable[[Path, Path], dict[str, Any]],
        *,
        cancel: CancelToken | None = None,
    ) -> Artifact:
        """Find the artifact or make it.

        ``build(target, work_dir)`` writes the file ``target`` (in a private folder that is
        removed afterwards) and returns JSON-ready notes about it.
        """
        found = self.find(kind, key)
        if found is not None:
            return found
        with self.locked(kind, key, cancel or CancelToken()):
            found = self.find(kind, key)
            if found is not None:
                return found
            with self.work_dir() as work:
                target = work / f"artifact{suffix}"
                try:
                    meta = build(target, work)
                    return self._keep(kind, key, target, meta)
                except OSError as failure:
                    raise told(failure, self.root) from failure

    def put(self, kind: str, key: str, source: Path, meta: dict[str, Any]) -> Artifact:
        """Store a finished file (it is moved if it lies in a work folder of this store)."""
        with self.work_dir() as work:
            target = work / f"artifact{source.suffix}"
            try:
                # What a link leads to may change or go away.
                if self.root in source.parents and not source.is_symlink():
                    os.replace(source, target)
                else:
                    shutil.copyfile(source, target)
                return self._keep(kind, key, target, meta)
            except OSError as failure:
                raise told(failure, self.root) from failure

    @contextlib.contextmanager
    def work_dir(self) -> Iterator[Path]:
        """A private folder with a short ASCII name, removed at the end whatever happens."""
        try:
            path = Path(tempfile.mkdtemp(prefix="w", dir=self._home))
        except OSError as failure:
            raise told(failure, self.root) from failure
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def locked(
        self, kind: str, key: str, cancel: CancelToken, *, letters: int = 2
    ) -> Iterator[None]:
        """Hold a key against every other thread and process; waiting can be cancelled.

        Keys whose first ``letters`` are alike share a lock, so that the number of lock files
        stays small: never take two of one kind at once, and use more letters for what takes long.
        """
        # The lock dies with its process, so a killed maker never blocks the next one.
        lock = filelock.FileLock(self.root / "locks" / f"{kind}-{key[:letters]}.lock")
        while True:
            cancel.check()
            try:
                lock.acquire(timeout=0)
                break
            except filelock.Timeout:
                cancel.wait(_LOCK_POLL_SECONDS)
            except OSError as failure:
                raise told(failure, self.root) from failure
        try:
            yield
        finally:
            lock.release()

    def _move_in(self) -> tuple[Path, filelock.BaseFileLock]:
        """A folder for this store's unfinished work, after those of dead processes are cleared.

        A living store holds the lock in its folder; a lock that can be had has no owner.
        """
        with filelock.FileLock(self.root / "locks" / "tmp.lock"):
            for left in (self.root / "tmp").iterdir():
                with contextlib.suppress(filelock.Timeout, OSError):
                    with filelock.FileLock(left / _HOME_LOCK, timeout=0):
                        pass
                    shutil.rmtree(left, ignore_errors=True)
            # Its name says since when, see `others_since`.
            home = Path(tempfile.mkdtemp(prefix=f"{time.time():.0f}-", dir=self.root / "tmp"))
            lock = filelock.FileLock(home / _HOME_LOCK)
            lock.acquire()
            return home, lock

    def _note(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / f"{key}.json"

    def _keep(self, kind: str, key: str, target: Path, meta: dict[str, Any]) -> Artifact:
        note = self._note(kind, key)
        note.parent.mkdir(parents=True, exist_ok=True)
        final = note.with_suffix(target.suffix)
        _flush(target)
        content = {"file": final.name, "bytes": target.stat().st_size, "meta": meta}
        draft = target.with_name("note.json")
        draft.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        _flush(draft)
        put_in_place(target, final)
        # The note comes last: without it the file does not count.
        put_in_place(draft, note)
        return Artifact(final, json.loads(json.dumps(meta)), fresh=True)


def _is_lived_in(home: Path) -> bool:
    try:
        with filelock.FileLock(home / _HOME_LOCK, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _began(home: Path) -> float:
    try:
        return float(home.name.partition("-")[0])
    except ValueError:
        # Nobody knows: then nothing is safe to take away.
        return -math.inf


def _mark_as_used(note: Path) -> None:
    """Raises `FileNotFoundError` where it has been taken away (see `renderer.pruning`)."""
    try:
        os.utime(note)
    except FileNotFoundError:
        raise
    except OSError:
        # A store that can only be read is read all the same, and cannot be pruned.
        return


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
