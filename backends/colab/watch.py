"""Waiting for a remote job with few requests, across restarts of the server.

A tunnel's free plan has 20,000 requests a month. The server holds each question for up to
``wait`` seconds, so that a clip of a minute's work costs some ten of them; where something on the
way answers at once, the pauses grow from 2 to 10 s.
"""

from __future__ import annotations

import math

from avatar_core.backend import Job
from avatar_core.errors import AvatarError, Category
from avatar_core.http_text import shown
from backends.colab.api import ASK_SECONDS, ColabApi, RemoteJob
from backends.colab.config import ColabOptions
from backends.colab.errors import linked

SHORTEST_PAUSE = 2.0
LONGEST_PAUSE = 10.0
_GROWTH = 1.5
# An answer that took this long was held until there was news.
_HELD_SECONDS = 1.0
# What may be over in a moment, while the server has our job.
_PASSING = (Category.CONNECTIVITY, Category.TIMEOUT, Category.SERVER, Category.RATE_LIMIT)
_WAITED_FOR = ("queued", "running")
# Shares of the whole: the upload before it, the download after it.
_BEGIN, _SPAN = 0.05, 0.9


class Watch:
    """One wait for one job. Its questions are counted by the `ColabApi`."""

    def __init__(self, api: ColabApi, job: Job, options: ColabOptions) -> None:
        self._api = api
        self._job = job
        self._options = options
        self._pause = SHORTEST_PAUSE
        self._fraction = 0.0
        self._lost_at: float | None = None

    def outcome(self, remote_id: str) -> RemoteJob | None:
        """The job once it is neither queued nor running any more; None where the server knows
        none of this name. Raises `AvatarError` when the time is up, and where the server stays
        away for longer than ``patience``."""
        while True:
            began = self._job.clock()
            try:
                seen = self._look(remote_id)
            except AvatarError as failure:
                self._bear(failure)
                continue
            self._lost_at = None
            if seen is None or seen.state not in _WAITED_FOR:
                return seen
            self._tell(_BEGIN + _SPAN * seen.percent / 100, told(seen))
            self._rest(self._job.clock() - began)

    def _look(self, remote_id: str) -> RemoteJob | None:
        left = self._job.remaining
        wait = self._options.wait
        seconds = ASK_SECONDS + wait
        if left is not None:
            # The last question is not held beyond the moment when nobody waits any more.
            wait = max(0.0, min(wait, math.floor(left - 1)))
            seconds = min(seconds, left)
        return self._api.look(remote_id, wait, seconds=seconds, cancel=self._job.cancel)

    def _bear(self, failure: AvatarError) -> None:
        """Wait for a server that is away; raises ``failure`` when that took too long."""
        now = self._job.clock()
        if failure.category not in _PASSING:
            raise failure
        if self._lost_at is None:
            self._lost_at = now
        pause = failure.retry_after
        pause = self._grown() if pause is None else max(pause, SHORTEST_PAUSE)
        if now + pause - self._lost_at > self._options.patience:
            raise self._as_absence(failure)
        self._tell(0.0, f"{self._api.service} does not answer; it is asked again")
        self._job.wait(pause)

    def _as_absence(self, failure: AvatarError) -> AvatarError:
        """Silence is no sign that the job asks for too much, as long as there is time."""
        if failure.category is not Category.TIMEOUT or self._job.remaining == 0:
            return failure
        return linked(AvatarError(Category.CONNECTIVITY, failure.message))

    def _tell(self, fraction: float, message: str) -> None:
        # A server that was started again begins anew; what was told is not taken back.
        self._fraction = max(self._fraction, fraction)
        self._job.progress(self._fraction, message)

    def _rest(self, took: float) -> None:
        held = took >= _HELD_SECONDS
        pause = SHORTEST_PAUSE if held else self._grown()
        if held:
            self._pause = SHORTEST_PAUSE
        if took < pause:
            self._job.wait(pause - took)

    def _grown(self) -> float:
        pause = self._pause
        self._pause = min(LONGEST_PAUSE, pause * _GROWTH)
        return pause


def told(seen: RemoteJob) -> str:
    """A job's state for people."""
    if seen.state == "queued":
        before = seen.position or 0
        return f"waiting for the GPU, {before} before it" if before else "waiting for the GPU"
    return shown(seen.message or seen.stage) or "working"
