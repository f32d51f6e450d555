"""The contract's sentences about clips: what is made, where, and that it can be stopped."""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Cost
from avatar_core.cancel import CancelToken
from avatar_core.clip_check import validate_clip
from avatar_core.errors import AvatarError, Cancelled
from avatar_core.testing.contract_base import ContractBase, Listener

# How long two requests wait for each other to get into each other's way, in seconds: a busy machine
# may start the second one late, and the wait ends as soon as one of them has ended.
_MEET_SECONDS = 20.0
# A backend that reports no progress is cancelled this long after it began.
_CANCEL_AFTER_SECONDS = 0.1


class ClipContract(ContractBase):
    """What `generate` makes of a request that can be done."""

    def test_its_clip_is_sound_and_as_long_as_the_narration(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path / "inputs")
            clip = self._made(backend, request, Listener().job(tmp_path / "job"))
            try:
                seen = validate_clip(clip, request)
            except AvatarError as failure:
                raise AssertionError(
                    f"The clip would be thrown away: {failure.message} Check what the service "
                    "sent, and raise AvatarError(bad_output) where it cannot be used."
                ) from failure
            assert backend.capabilities.alpha or not seen.has_alpha, (
                "The clip is transparent: set capabilities.alpha."
            )

    def test_its_clip_says_what_it_is_and_what_it_cost(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path / "inputs")
            clip = self._made(backend, request, Listener().job(tmp_path / "job"))
            assert clip.backend == backend.name, (
                f"clip.backend is {clip.backend!r}: set it to the backend's name."
            )
            cost: object = clip.cost
            assert isinstance(cost, Cost), "clip.cost is a Cost; FREE where nothing was paid."
            assert backend.capabilities.costs_money or cost == FREE, (
                f"The clip cost {cost}: set capabilities.costs_money, so that nobody is billed "
                "who did not choose this backend."
            )
            assert isinstance(clip.warnings, tuple), "clip.warnings is a tuple of sentences."

    def test_it_writes_into_its_work_folder_and_nowhere_else(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path / "inputs")
            job = Listener().job(tmp_path / "job")
            with _watched(tmp_path, job.work_dir) as written:
                clip = self._made(backend, request, job)
            inside = Path(clip.path).resolve().is_relative_to(job.work_dir.resolve())
            assert inside, f"The clip lies at {clip.path}: write it into job.work_dir."
            assert not written, (
                f"It left files outside its work folder: {', '.join(sorted(written))}. Use "
                "job.work_dir for everything; it is removed after the attempt."
            )

    def test_it_leaves_the_request_as_it_was(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path / "inputs")
            before = copy.deepcopy((request.options, backend.options)), _contents(request)
            self._made(backend, request, Listener().job(tmp_path / "job"))
            assert (request.options, backend.options) == before[0], (
                "generate() changed the options: other scenes use the same ones. Work on a copy "
                "(options.model_copy), and make Options frozen."
            )
            assert _contents(request) == before[1], (
                "generate() changed the portrait or the narration: they belong to the user. Copy "
                "them into job.work_dir first."
            )

    def test_two_requests_at_the_same_time_do_not_mix(self, tmp_path: Path) -> None:
        """Where the backend takes one at a time, two after another."""
        with self._opened() as backend:
            at_once = 1 if backend.capabilities.concurrency == 1 else 2
            lengths = (1.0, 2.0)
            folders = [tmp_path / f"{seconds:g}" for seconds in lengths]
            requests = [
                self._request(backend, folder / "inputs", seconds)
                for folder, seconds in zip(folders, lengths, strict=True)
            ]
            barrier = threading.Barrier(at_once)
            listeners = [Listener(on_news=lambda: _meet(barrier)) for _ in requests]

            def seconds_made(number: int) -> float:
                job = listeners[number].job(folders[number] / "job")
                try:
                    return _seconds(self._made(backend, requests[number], job))
                finally:
                    barrier.abort()

            with ThreadPoolExecutor(at_once) as pool:
                made = list(pool.map(seconds_made, range(2)))
            assert made[0] < made[1], (
                f"Two narrations of 1 and 2 s at the same time gave clips of {made[0]:.1f} and "
                f"{made[1]:.1f} s: keep nothing of a request on the backend itself, or declare "
                "capabilities.concurrency=1."
            )

    def test_a_job_that_was_cancelled_is_not_begun(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            token, listener = CancelToken(), Listener()
            token.cancel()
            request = self._request(backend, tmp_path / "inputs")
            job = listener.job(tmp_path / "job", cancel=token)
            result = self._tried(backend, request, job, self.cancel_seconds)
            assert isinstance(result, Cancelled), (
                f"The job was cancelled before it began, and generate() ended with {result!r}: "
                "call job.progress() before anything that takes long; it raises Cancelled, which "
                "must pass."
            )
            assert not listener.heard("ordered"), "A cancelled job was ordered all the same."

    def test_a_job_that_is_cancelled_ends_soon(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            token = CancelToken()
            job = Listener(on_news=token.cancel).job(tmp_path / "job", cancel=token)
            request = self._request(backend, tmp_path / "inputs")
            later = threading.Timer(_CANCEL_AFTER_SECONDS, token.cancel)
            later.start()
            try:
                result = self._tried(backend, request, job, self.cancel_seconds)
            finally:
                later.cancel()
            assert isinstance(result, Cancelled | AvatarClip), (
                f"The job was cancelled while it ran, and generate() ended with {result!r}: let "
                "Cancelled pass, or return the clip where it was ready."
            )


def _meet(barrier: threading.Barrier) -> None:
    """Wait for the others at the first news from their jobs, and never a second time."""
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait(_MEET_SECONDS)
        barrier.abort()


@contextlib.contextmanager
def _watched(folder: Path, work_dir: Path) -> Iterator[set[str]]:
    """Fills the set with what appeared outside ``work_dir``: in ``folder``, the current folder
    and the one for temporary files, both of which lie in it meanwhile."""
    here, temporary = folder / "current", folder / "temporary"
    written: set[str] = set()
    for made in (here, temporary):
        made.mkdir()
    before, usual = _paths(folder, work_dir), (tempfile.tempdir, os.environ.get("TMPDIR"))
    tempfile.tempdir = os.environ["TMPDIR"] = str(temporary)
    try:
        with contextlib.chdir(here):
            yield written
        written |= _paths(folder, work_dir) - before
    finally:
        tempfile.tempdir = usual[0]
        os.environ.pop("TMPDIR")
        if usual[1] is not None:
            os.environ["TMPDIR"] = usual[1]


def _paths(folder: Path, work_dir: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if not path.is_relative_to(work_dir))
    return {str(path.relative_to(folder)) for path in found}


def _contents(request: AvatarRequest) -> list[bytes]:
    files = [path for path in (request.portrait, request.audio) if path is not None]
    return [path.read_bytes() if path.exists() else b"" for path in files]


def _seconds(clip: AvatarClip) -> float:
    """How long the file is, or is said to be where it cannot be read."""
    from avatar_core.media import MediaError, probe_video

    try:
        return probe_video(Path(clip.path)).seconds
    except MediaError:
        return clip.duration
