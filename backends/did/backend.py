"""D-ID's talking portraits: uploaded, ordered once, waited for, fetched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
)
from avatar_core.clock import Clock
from avatar_core.errors import AvatarError, Category
from backends.did import errors
from backends.did.api import (
    DONE,
    FAILED,
    RUNNING,
    Credits,
    DidApi,
    Limits,
    Talk,
    is_link_refusal,
)
from backends.did.config import DidOptions
from backends.did.cost import cost_of, credits_for
from backends.did.lookup import LostOrders, find_talk
from backends.did.media import (
    MOST_SECONDS,
    content_of,
    narration_to_send,
    portrait_to_send,
    without_tail,
)
from backends.did.refusals import Refusals
from backends.did.uploads import Upload, Uploads

_CHECK_SECONDS = 4.0
_CANCEL_SECONDS = 2.0
_FRESH_LINKS = 2
_SLOWER, _SLOWEST = 1.25, 4.0
# Nothing is published about how soon a talk is listed, or how late the gateway's lost orders are
# carried out: this is long against either.
_LISTED_WITHIN = 3600.0


class DidBackend(AvatarBackend):
    """Each clip is one talk, which costs credits. Nothing is ordered again before it is certain
    that the first order came to nothing."""

    name: ClassVar[str] = "did"
    revision: ClassVar[str] = "1"
    # Nothing is published about how many talks may run at once: a few are polite.
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_seconds=MOST_SECONDS,
        needs_network=True,
        uploads=True,
        costs_money=True,
        concurrency=4,
        pace=2.0,
        attempt_seconds=300.0,
        found_within=_LISTED_WITHIN,
    )
    Options: ClassVar[type[BaseModel]] = DidOptions

    def __init__(self, options: BaseModel | None = None, *, clock: Clock | None = None) -> None:
        super().__init__(options)
        self._api = DidApi(_settled(self.options), clock)
        self._uploads = Uploads(self._api)
        self._refusals = Refusals()
        self._lost = LostOrders(self._api)

    def check(self) -> Health:
        """Ask for the credits, which is free. An account without any is no failure: a talk that
        is paid for can still be fetched."""
        found = self._api.credits(_CHECK_SECONDS)
        return _health(found)

    def estimate(self, request: AvatarRequest) -> Cost:
        """By the narration's length; in credits (CRD) where the user has named no price."""
        options = _settled(request.options)
        return cost_of(request.duration + options.pad_audio, options)

    def cheaper_together(self, requests: Sequence[AvatarRequest], joined: AvatarRequest) -> bool:
        """By the credits, where the user wants it (`batch_short_scenes`)."""
        options = _settled(joined.options)
        # Expressions are given by the frame, and each scene begins to count anew.
        if not options.batch_short_scenes or options.driver_expressions is not None:
            return False
        one, *others = (credits_for(r.duration + options.pad_audio) for r in (joined, *requests))
        return one < sum(others)

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        options = _settled(request.options)
        job.progress(0.0, "looking at the portrait")
        warnings: tuple[str, ...] = ()
        is_new = job.remote_id is None
        try:
            if is_new:
                warnings = self._order(request, options, job)
            talk = self._finished(job, options, is_new=is_new)
        except AvatarError as failure:
            if request.portrait is not None:
                with suppress(AvatarError):
                    picture = content_of(request.portrait, "picture")
                    self._refusals.learn(failure, options, picture)
            raise
        job.progress(0.9, "fetching the clip")
        path = self._fetched(talk, job, options)
        job.progress(1.0, "fetched")
        return self._clip(path, talk, request, options, job, warnings)

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        del request
        return find_talk(self._api, reference)

    def cancel(self, remote_id: str) -> None:
        """Only what is not done is deleted: a finished talk is paid for, and the next render
        fetches it."""
        found = self._api.talk(remote_id, Limits(_CANCEL_SECONDS))
        if found is not None and found.talk.status in RUNNING:
            self._api.delete_talk(remote_id, _CANCEL_SECONDS)

    def close(self) -> None:
        if _settled(self.options).delete_uploads:
            self._uploads.delete_all()
        self._api.close()

    def _order(self, request: AvatarRequest, options: DidOptions, job: Job) -> tuple[str, ...]:
        """Send what the talk is made of, and order it; returns sentences for the user."""
        self._refusals.require_plan(options)
        uploads, were_there = self._sent(request, job)
        reference = job.order()
        for is_last in (not were_there, True):
            try:
                talk_id = self._created(request, options, uploads, reference, job)
                break
            except AvatarError as failure:
                if not errors.may_be_stale(failure):
                    raise
                if is_last:
                    self._uploads.doubt(uploads)
                    raise
                # Refused, so nothing was ordered: the same order goes out again, once.
                self._uploads.forget(uploads)
                uploads, _ = self._sent(request, job)
        self._uploads.use(talk_id, uploads)
        job.remote_id = talk_id
        return tuple(upload.warning for upload in uploads if upload.warning)

    def _sent(self, request: AvatarRequest, job: Job) -> tuple[tuple[Upload, Upload], bool]:
        """The portrait and the narration, and whether one of them had been sent before."""
        portrait = request.portrait
        if portrait is None:
            raise AvatarError(
                Category.INVALID_INPUT,
                "The speaker has no portrait.",
                advice="Name one in the script: speakers.NAME.portrait.",
            )
        sound = content_of(request.audio, "sound")
        picture = content_of(portrait, "picture")
        self._refusals.require_portrait(picture)
        # Prepared before anything is sent: no face leaves for a narration that is none.
        voice = narration_to_send(request.audio, sound, job.work_dir, job.cancel)
        job.progress(0.05, "sending the portrait")
        image, knew_image = self._uploads.get(
            "image", picture, lambda: portrait_to_send(portrait, picture), job
        )
        job.progress(0.1, "sending the narration")
        audio, knew_audio = self._uploads.get("audio", sound, lambda: voice, job)
        job.progress(0.15, "ordering the talk")
        return (image, audio), knew_image or knew_audio

    def _created(
        self,
        request: AvatarRequest,
        options: DidOptions,
        uploads: tuple[Upload, Upload],
        reference: str,
        job: Job,
    ) -> str:
        """The new talk's id, also where its answer was lost and it can be found."""
        body = talk_body(options, *uploads, reference or request.key)
        try:
            return self._api.create_talk(body, Limits.of(job))
        except AvatarError as failure:
            pause = options.poll_seconds
            found = self._lost.seek(reference, pause, job) if failure.unanswered else None
            if found is None:
                raise
            return found

    def _finished(self, job: Job, options: DidOptions, *, is_new: bool) -> Talk:
        """Wait for the job's talk; raises `AvatarError` where it comes to nothing."""
        pause = options.poll_seconds
        while True:
            talk = self._looked_at(job, pause, is_new=is_new)
            if talk.status not in RUNNING:
                self._uploads.release(job.remote_id or "")
            if talk.status == DONE:
                return talk
            if talk.status in FAILED:
                failure = errors.talk_failed(talk.status, talk.kind, talk.description)
                # What is wrong with the scene itself is wrong the next time, too: the talk stays
                # on record, so that it is not ordered again.
                if failure.category is not Category.INVALID_INPUT:
                    job.remote_id = None
                raise failure
            if talk.status not in RUNNING:
                raise errors.strange_status(talk.status)
            waits = talk.status == RUNNING[0]
            job.progress(0.2 if waits else 0.5, "waiting in line" if waits else "being made")
            job.wait(pause)
            pause = min(pause * _SLOWER, options.poll_seconds * _SLOWEST)

    def _looked_at(self, job: Job, pause: float, *, is_new: bool = False) -> Talk:
        """The job's talk as it is now. A paid one is not given up for one bad answer, nor because
        the service does not know yet what it has just made (``is_new``)."""
        remote_id = job.remote_id or ""
        for blip in range(errors.BLIPS + 1):
            try:
                found = self._api.talk(remote_id, Limits.of(job))
                break
            except AvatarError as failure:
                wait = pause if failure.retry_after is None else failure.retry_after
                left = job.remaining
                too_long = left is not None and wait >= left
                if blip == errors.BLIPS or too_long or failure.category not in errors.PASSING:
                    raise
                job.wait(wait)
        if found is None and is_new:
            return Talk(remote_id, RUNNING[0])
        if found is None:
            self._uploads.release(remote_id)
            job.remote_id = None
            raise errors.talk_gone()
        return found.talk

    def _fetched(self, talk: Talk, job: Job, options: DidOptions) -> Path:
        """The video. A link lives for a day and is signed anew at each look."""
        target = job.work_dir / f"talk.{options.result_format}"
        for fresh in range(_FRESH_LINKS + 1):
            try:
                self._api.download(talk.result_url, target, Limits.of(job))
                return target
            except AvatarError as failure:
                if not is_link_refusal(failure):
                    raise
                if fresh == _FRESH_LINKS:
                    raise errors.link_refused(failure) from None
            talk = self._looked_at(job, options.poll_seconds)
        raise AssertionError("unreachable")

    def _clip(
        self,
        path: Path,
        talk: Talk,
        request: AvatarRequest,
        options: DidOptions,
        job: Job,
        warnings: tuple[str, ...],
    ) -> AvatarClip:
        from avatar_core.media import MediaError, probe_video

        if options.pad_audio:
            path = without_tail(path, request.duration, job.cancel)
        try:
            seen = probe_video(path)
        except MediaError as failure:
            message = f"The clip from D-ID cannot be read: {failure.message}"
            raise AvatarError(Category.BAD_OUTPUT, message) from failure
        seconds = max(talk.seconds or 0.0, request.duration + options.pad_audio)
        return AvatarClip(
            path=path,
            size=seen.size,
            fps=seen.fps,
            duration=seen.seconds,
            backend=self.name,
            cost=cost_of(seconds, options),
            warnings=warnings,
        )


def talk_body(options: DidOptions, image: Upload, audio: Upload, reference: str) -> dict[str, Any]:
    """The order: fields of the current interface alone. ``reference`` is what it is found by."""
    config: dict[str, Any] = {
        "stitch": options.stitch,
        "result_format": options.result_format,
        "fluent": options.fluent,
        "pad_audio": options.pad_audio,
    }
    if options.driver_expressions is not None:
        config["driver_expressions"] = options.driver_expressions.model_dump(
            mode="json", exclude_none=True
        )
    if options.logo is not None:
        config["logo"] = options.logo.model_dump(mode="json")
    body: dict[str, Any] = {
        "source_url": image.url,
        "script": {"type": "audio", "audio_url": audio.url},
        "config": config,
    }
    return {**body, "name": reference, "user_data": reference} if reference else body


def _settled(options: BaseModel) -> DidOptions:
    return options if isinstance(options, DidOptions) else DidOptions()


def _health(found: Credits) -> Health:
    details = {"credits": f"{found.remaining:g} of {found.total:g}"}
    details |= {"plan": found.plan} if found.plan else {}
    details |= {"until": found.until} if found.until else {}
    if found.remaining <= 0:
        message = "The key works, but no credits are left: no new clip can be made."
        advice = "Buy credits at D-ID; what was paid for is fetched all the same."
        return Health(True, message, advice, details)
    noun = "credit" if found.remaining == 1 else "credits"
    return Health(True, f"{found.remaining:g} {noun} left", details=details)
