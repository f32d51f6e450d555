"""Shared jobs made: once, by whichever of their scenes comes first, and kept for every scene."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from avatar_core.backend import AvatarClip, AvatarRequest, Cost
from avatar_core.cancel import CancelToken
from avatar_core.chain import ClipCache, Rung, TrailEntry
from avatar_core.errors import AvatarError
from avatar_core.journal import JobRecord, flaw_of
from avatar_core.remote_jobs import spoilt_reason
from avatar_core.rung_run import RungRun, Tools
from avatar_core.scene_run import SceneRun
from avatar_core.turns import PassedOver
from renderer.shared_jobs.forming import Part, SharedJob, shared_jobs
from renderer.shared_jobs.media import cut_part, join_sounds
from renderer.store import Store

# As the chain's own lock on a scene, so that a scene is either made alone or with others.
LOCK, LETTERS = "chain", 4
Notify = Callable[[str, TrailEntry], None]


@dataclass(slots=True)
class _State:
    job: SharedJob
    lock: threading.Lock = field(default_factory=threading.Lock)
    came: set[str] = field(default_factory=set)
    trail: tuple[TrailEntry, ...] = ()
    over: bool = False


class SharedJobs:
    """The shared jobs of one film. Safe to use from several threads."""

    def __init__(self, store: Store, clips: ClipCache, tools: Tools, notify: Notify) -> None:
        self._store = store
        self._clips = clips
        self._tools = tools
        self._notify = notify
        self._by_scene: dict[str, _State] = {}
        self._held: dict[str, PassedOver] = {}

    def form(self, parts: Iterable[Part]) -> list[SharedJob]:
        """Decide which scenes share a job; what they do not share is left to them."""
        jobs = shared_jobs(parts, self._clips, self._tools.policy.journal)
        for job in jobs:
            state = _State(job)
            self._by_scene.update((scene, state) for scene in job.scenes)
        return jobs

    def refuse(self, rung: Rung, request: AvatarRequest) -> None:
        """Raise `PassedOver` for a scene that must not be ordered alone: what it shares may be
        paid already."""
        held = self._held.get(rung.key(replace(request, options=rung.options)) or "")
        if held is not None:
            raise PassedOver(str(held), passing=held.passing)

    def make(
        self,
        scene: str,
        cancel: CancelToken,
        began: float,
        on_progress: Callable[[float, str], None],
    ) -> tuple[TrailEntry, ...]:
        """See to the job that ``scene`` shares: make it, or wait for who does. Returns the
        scene's part of its story; empty where it shares none.

        What was made is kept as the scene's own clip. A scene that comes a second time tries again
        what failed the first time.
        """
        state = self._by_scene.get(scene)
        if state is None:
            return ()
        with state.lock:
            again = scene in state.came
            if not state.over and (again or not state.came):
                state.came.clear()
                state.trail = self._made(state, cancel, began, on_progress)
            state.came.add(scene)
            told = _of_scene(state.trail, state.job, scene)
        for entry in told:
            self._notify(scene, entry)
        return told

    def _made(
        self,
        state: _State,
        cancel: CancelToken,
        began: float,
        on_progress: Callable[[float, str], None],
    ) -> tuple[TrailEntry, ...]:
        job = state.job
        with ExitStack() as held:
            self._lock(job, held, cancel)
            if any(self._clips.find(part.key or "") for part in job.parts):
                # Another process has made one of them meanwhile: the others are made alone.
                state.over = True
                return ()
            work = held.enter_context(self._store.work_dir())
            request = replace(job.request, audio=join_sounds(job, work / "together.wav"))
            policy = self._tools.policy
            run = SceneRun(
                request, work, cancel, on_progress, policy.scene(), lambda entry: None, began,
                " + ".join(job.scenes),
            )  # fmt: skip
            clip = RungRun(self._tools, run, job.rung, is_last=False).run()
            if clip is not None:
                self._cut(job, clip, held, cancel)
                state.over = True
            self._hold(job, clip)
        return tuple(run.trail)

    def _lock(self, job: SharedJob, held: ExitStack, cancel: CancelToken) -> None:
        keys = {part.request.key[:LETTERS] for part in job.parts} | {job.request.key[:LETTERS]}
        # Always in the same order: nobody waits for somebody who waits for him.
        for key in sorted(keys):
            held.enter_context(self._store.locked(LOCK, key, cancel, letters=LETTERS))

    def _cut(self, job: SharedJob, clip: AvatarClip, held: ExitStack, cancel: CancelToken) -> None:
        work = held.enter_context(self._store.work_dir())
        try:
            cuts = [
                cut_part(clip, part, work / f"{number}.mp4", cancel)
                for number, part in enumerate(job.parts)
            ]
        except AvatarError as failure:
            self._held.update((part.key or "", PassedOver(failure.message)) for part in job.parts)
            return
        for part, cut, cost in zip(job.parts, cuts, job.shares(clip.cost), strict=True):
            self._clips.keep(part.key or "", replace(cut, cost=cost))

    def _hold(self, job: SharedJob, clip: AvatarClip | None) -> None:
        """Keep the scenes from being ordered one by one while what they share may come."""
        key = job.rung.key(job.request)
        waits = self._tools.policy.journal.find(key) if clip is None and key else None
        for part in job.parts:
            if waits is not None and part.key is not None:
                self._held[part.key] = _held_back(waits, job.others(part.scene))
            elif clip is None:
                self._held.pop(part.key or "", None)


def _held_back(record: JobRecord, others: str) -> PassedOver:
    """Why a scene is not ordered alone."""
    flaw = flaw_of(record)
    if flaw is not None:
        return PassedOver(f"it is part of a job with {others}, and {spoilt_reason(flaw)}")
    return PassedOver(
        f"it is part of a job with {others} that may come yet and is not paid for twice: render "
        "again to fetch it",
        passing=True,
    )


def _of_scene(trail: Sequence[TrailEntry], job: SharedJob, scene: str) -> tuple[TrailEntry, ...]:
    """The job's story as one scene tells it, with its share of the costs."""
    if all(entry.skipped for entry in trail):
        # The scene is passed over for the same reason when it is asked for alone.
        return ()
    number = job.scenes.index(scene)

    def share(cost: Cost) -> Cost:
        return job.shares(cost)[number] if cost.amount else cost

    note = f"(one job with {job.others(scene)})"
    return tuple(
        replace(entry, message=f"{entry.message} {note}", cost=share(entry.cost)) for entry in trail
    )
