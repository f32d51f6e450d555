"""A portrait and a narration go to a GPU elsewhere and come back as a talking clip."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Capabilities, Health, Job
from avatar_core.clock import Clock
from avatar_core.errors import ADVICE, AvatarError, Category
from backends.colab.api import ColabApi, RemoteJob, Within
from backends.colab.arrived import clip_of, require_whole
from backends.colab.config import ColabOptions
from backends.colab.errors import job_error, linked
from backends.colab.greeting import (
    Greeting,
    failure_of,
    greet,
    health_of,
    unset,
    version_warning,
)
from backends.colab.prepare import prepared
from backends.colab.v0 import FirstServer, unknown_to_it
from backends.colab.watch import Watch
from backends.sadtalker.ladder import safer_options

log = logging.getLogger(__name__)

_GONE = (404, 410)
# Two minutes are not enough for the first clip of a notebook that has yet to load its networks.
ATTEMPT_SECONDS = 300.0


class ColabBackend(AvatarBackend):
    """SadTalker, or another engine, behind ``COLAB_API_URL``; see docs/colab.md.

    One job at a time: there is one GPU. ``clock`` is for tests.
    """

    name: ClassVar[str] = "colab"
    revision: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(
        needs_network=True, uploads=True, concurrency=1, pace=6.0, attempt_seconds=ATTEMPT_SECONDS
    )
    Options: ClassVar[type[BaseModel]] = ColabOptions

    def __init__(self, options: BaseModel | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(options)
        self._settings = options if isinstance(options, ColabOptions) else ColabOptions()
        self._api = ColabApi(self._settings, clock)
        self._first = FirstServer()
        self._lock = threading.Lock()
        self._known: Greeting | None = None
        self._warned = self._untold = ""

    def check(self) -> Health:
        """What one request of at most 5 s finds out; raises `AvatarError` with what is wrong."""
        if not self._settings.url:
            return unset()
        greeting = self._greet()
        return health_of(greeting, self._settings, self._api.service)

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        job.progress(0.0, "asking Colab")
        if not self._settings.url:
            raise failure_of(unset())
        before = self._api.requests
        try:
            clip = self._made(request, self._options_of(request), job)
        except AvatarError as failure:
            # Who answers there now is asked anew before the next call.
            self._remember(None)
            # Of our own time limits the policy knows more to say.
            if failure.advice != ADVICE[Category.TIMEOUT]:
                linked(failure)
            raise
        log.info("Video created successfully: %s", clip.path)
        log.debug("It took %d requests.", self._api.requests - before)
        return clip

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        options = request.options
        if not isinstance(options, ColabOptions) or options.engine != "sadtalker":
            return None
        less = safer_options(options, error)
        return None if less is None else replace(request, options=less)

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        del request
        if self._greeting().is_first:
            raise AvatarError(Category.UNSUPPORTED, "An old server keeps no list of its jobs.")
        found = self._api.find(reference)
        return None if found is None or found.state == "cancelled" else found.id

    def cancel(self, remote_id: str) -> None:
        self._api.cancel(remote_id)

    def close(self) -> None:
        self._api.close()

    def _made(self, request: AvatarRequest, options: ColabOptions, job: Job) -> AvatarClip:
        greeting = self._greeting(job)
        if not greeting.is_first:
            done = self._resumed(job, options) or self._ordered(request, options, job)
            return _warned(self._fetched(done, request, job), self._news())
        if job.remote_id is not None:
            # It was another server's, which is not there any more.
            job.remote_id = None
        upload = prepared(request.portrait, request.audio)
        log.info("Uploading to Colab...")
        clip = self._first.make(self._api, request, upload, options, job, self.name)
        lost = ", ".join(unknown_to_it(options))
        warning = f"The server is an old one and does not know {lost}." if lost else ""
        return _warned(clip, warning)

    def _resumed(self, job: Job, options: ColabOptions) -> RemoteJob | None:
        """The finished job of an earlier attempt; None where there is none to go on with."""
        if job.remote_id is None:
            return None
        job.progress(0.05, "going on with the job that Colab has")
        seen = Watch(self._api, job, options).outcome(job.remote_id)
        if seen is not None and seen.state != "cancelled":
            return self._done(seen, job)
        job.remote_id = None
        return None

    def _ordered(self, request: AvatarRequest, options: ColabOptions, job: Job) -> RemoteJob:
        upload = prepared(request.portrait, request.audio)
        log.info("Uploading to Colab...")
        job.progress(0.02, "uploading to Colab")
        key = job.order()
        created = self._api.create(
            upload, key, options.engine, options.for_engine(), **_within(job)
        )
        job.remote_id = created.id
        seen = Watch(self._api, job, options).outcome(created.id)
        if seen is None:
            job.remote_id = None
            text = f"{self._api.service} no longer knows the job that it took."
            raise linked(AvatarError(Category.SERVER, text))
        return self._done(seen, job)

    def _done(self, seen: RemoteJob, job: Job) -> RemoteJob:
        if seen.state == "done":
            return seen
        # Whatever is asked next is another job.
        job.remote_id = None
        raise job_error(seen.error, self._api.service)

    def _fetched(self, done: RemoteJob, request: AvatarRequest, job: Job) -> AvatarClip:
        target = job.work_dir / "clip.mp4"
        job.progress(0.97, "fetching the video")
        self._fetch(done, target, job)
        require_whole(target, done.video)
        try:
            return clip_of(target, request, self.name)
        except AvatarError:
            # It arrived as it was made: the same job would only give the same again.
            job.remote_id = None
            raise

    def _fetch(self, done: RemoteJob, target: Path, job: Job) -> None:
        try:
            self._api.fetch(done.id, target, **_within(job))
        except AvatarError as failure:
            if failure.status not in _GONE:
                raise
            job.remote_id = None
            text = f"{self._api.service} no longer has the video."
            raise linked(AvatarError(Category.SERVER, text, status=failure.status)) from None

    def _options_of(self, request: AvatarRequest) -> ColabOptions:
        options = request.options
        return options if isinstance(options, ColabOptions) else self._settings

    def _greeting(self, job: Job | None = None) -> Greeting:
        """Who answers, asked once; raises `AvatarError` where it cannot work."""
        with self._lock:
            known = self._known
        if known is not None:
            return known
        greeting = self._greet(job)
        health = health_of(greeting, self._settings, self._api.service)
        if not health.ok:
            raise failure_of(health)
        return greeting

    def _greet(self, job: Job | None = None) -> Greeting:
        self._remember(None)
        greeting = greet(self._api, None if job is None else job.cancel)
        if health_of(greeting, self._settings, self._api.service).ok:
            self._remember(greeting)
        self._warn(version_warning(greeting))
        return greeting

    def _remember(self, greeting: Greeting | None) -> None:
        with self._lock:
            self._known = greeting

    def _warn(self, warning: str | None) -> None:
        """Once for each thing to say: to the log, and with the next clip."""
        if warning and warning != self._warned:
            self._warned = self._untold = warning
            log.warning("%s", warning)

    def _news(self) -> str:
        with self._lock:
            news, self._untold = self._untold, ""
        return news


def _warned(clip: AvatarClip, warning: str) -> AvatarClip:
    return replace(clip, warnings=(*clip.warnings, warning)) if warning else clip


def _within(job: Job) -> Within:
    """How long one request of a job may take; an upload over a slow line takes minutes."""
    left = ATTEMPT_SECONDS if job.remaining is None else job.remaining
    return {"seconds": left, "cancel": job.cancel}
