"""Shared jobs made: once, by whichever of their scenes comes first, and kept for every scene."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Cost
from avatar_core.cancel import CancelToken
from avatar_core.chain import ClipCache, Rung, TrailEntry
from avatar_core.errors import AvatarError, Category
from avatar_core.journal import JobRecord, flaw_of
from avatar_core.money import in_words
from avatar_core.remote_jobs import spoilt
from avatar_core.rung_run import RungRun, Tools
from avatar_core.scene_run import SceneRun
from avatar_core.turns import PassedOver
from renderer.shared_jobs.forming import (
    Part,
    SharedJob,
    left_behind,
    shared_jobs,
    waiting_jobs,
)
from renderer.shared_jobs.media import cut_part, join_sounds
from renderer.shared_jobs.notes import SharedNotes
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
    cost: Cost = FREE
    over: bool = False


class SharedJobs:
    """The shared jobs of one film. Safe to use from several threads."""

    def __init__(
        self, store: Store, clips: ClipCache, tools: Tools, notify: Notify, film: str
    ) -> None:
        self._store = store
        self._film = film
        self._clips = clips
        self._tools = tools
        self._notify = notify
        self._notes = SharedNotes(store)
        self._by_scene: dict[str, list[_State]] = {}
        self._left: dict[str, tuple[str, str]] = {}
        self._held: dict[str, PassedOver] = {}
        self._in_vain: dict[str, PassedOver] = {}

    def form(self, parts: Iterable[Part]) -> list[SharedJob]:
        """Decide which scenes share a job; what they do not share is left to them."""
        parts, journal = list(parts), self._tools.policy.journal
        notes = self._notes.all()
        own = [note for note in notes if note.film == self._film]
        self._left = left_behind(parts, self._clips, journal, own)
        jobs = shared_jobs(parts, self._clips, journal, notes)
        for job in jobs:
            state, keys = _State(job), {part.key for part in job.wanted}
            # A scene that says the same as another is made by the same part.
            twins = [part.scene for part in parts if part.key in keys]
            for scene in dict.fromkeys([*job.scenes, *twins]):
                self._by_scene.setdefault(scene, []).append(state)
        return jobs

    def refuse(self, rung: Rung, request: AvatarRequest) -> None:
        """Raise `PassedOver` for a scene that must not be ordered alone: what it shares may be
        paid already."""
        key = rung.key(replace(request, options=rung.options)) or ""
        held = self._held.get(key) or self._in_vain.get(key)
        if held is not None:
            raise PassedOver(str(held), passing=held.passing, advice=held.advice)

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
        what failed the first time. Of a scene that was changed since, this is the story of what
        was ordered for it before.
        """
        return self._told_of_left(scene, began) + tuple(
            entry
            for state in self._by_scene.get(scene, ())
            for entry in self._make(state, scene, cancel, began, on_progress)
        )

    def _told_of_left(self, scene: str, began: float) -> tuple[TrailEntry, ...]:
        left = self._left.pop(scene, None)
        if left is None:
            return ()
        (rung, said), now = left, self._tools.policy.clock() - began
        entry = TrailEntry(rung, None, said, None, started=now, seconds=0.0, skipped=True)
        self._notify(scene, entry)
        return (entry,)

    def _make(
        self,
        state: _State,
        scene: str,
        cancel: CancelToken,
        began: float,
        on_progress: Callable[[float, str], None],
    ) -> tuple[TrailEntry, ...]:
        with state.lock:
            again = scene in state.came
            if not state.over and (again or not state.came):
                state.came.clear()
                state.trail = self._made(state, cancel, began, on_progress)
            state.came.add(scene)
            told = _of_scene(state, scene)
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
            if self._is_settled(job):
                state.over = True
                return ()
            self._notes.write(job.note(self._film))
            held.callback(self._tidy, job)
            work = held.enter_context(self._store.work_dir())
            request = replace(job.request, audio=join_sounds(job, work / "together.wav"))
            policy = self._tools.policy
            run = SceneRun(
                request, work, cancel, on_progress, policy.scene(), lambda entry: None, began,
                " + ".join(job.scenes),
            )  # fmt: skip
            clip = RungRun(self._tools, run, job.rung, is_last=False).run()
            if clip is not None:
                is_new = not (run.trail[-1].resumed or run.trail[-1].cached)
                self._cut(job, job.wanted if is_new else job.parts, clip, held, cancel)
                state.cost, state.over = clip.cost, True
            else:
                self._settle(job, run.trail[-1])
            self._hold(job, clip)
        return tuple(run.trail)

    def _settle(self, job: SharedJob, last: TrailEntry) -> None:
        """What one scene is to blame for is found out scene by scene; else nobody pays again for
        what was paid in vain in this render."""
        journal, key = self._tools.policy.journal, job.key or ""
        if last.category is Category.INVALID_INPUT:
            journal.forget(key)
        elif last.cost.amount and journal.find(key) is None:
            for part in job.parts:
                others = job.others(part.scene)
                self._in_vain[part.key or ""] = PassedOver(
                    f"it was paid for as part of a job with {others} and did not come"
                )

    def _is_settled(self, job: SharedJob) -> bool:
        """Whether another process has done something about its scenes meanwhile: what they lack
        is then made alone."""
        journal = self._tools.policy.journal
        others = [note for note in self._notes.all() if note.key != job.key]
        for other in waiting_jobs(job.wanted, self._clips, journal, others):
            self._hold(other, None)
            return True
        made = [self._clips.find(part.key or "") is not None for part in job.wanted]
        if not any(made):
            return False
        is_paid = self._clips.find(job.key or "") or journal.find(job.key or "")
        return all(made) or not is_paid

    def _tidy(self, job: SharedJob) -> None:
        """Forget a job that was never ordered, or has become the clips of all its scenes."""
        if job.key is None or self._tools.policy.journal.find(job.key) is not None:
            return
        cut = all(self._clips.find(part.key or "") for part in job.wanted)
        if cut or self._clips.find(job.key) is None:
            self._notes.forget(job.key)

    def _lock(self, job: SharedJob, held: ExitStack, cancel: CancelToken) -> None:
        keys = {part.request.key[:LETTERS] for part in job.parts} | {job.request.key[:LETTERS]}
        # Always in the same order: nobody waits for somebody who waits for him.
        for key in sorted(keys):
            held.enter_context(self._store.locked(LOCK, key, cancel, letters=LETTERS))

    def _cut(
        self,
        job: SharedJob,
        parts: Sequence[Part],
        clip: AvatarClip,
        held: ExitStack,
        cancel: CancelToken,
    ) -> None:
        work = held.enter_context(self._store.work_dir())
        try:
            cuts = [
                cut_part(clip, part, work / f"{number}.mp4", cancel)
                for number, part in enumerate(parts)
            ]
        except AvatarError as failure:
            self._held.update((part.key or "", PassedOver(failure.message)) for part in parts)
            return
        shares = zip(job.parts, job.shares(clip.cost), strict=True)
        costs = [cost for part, cost in shares if part in parts]
        for part, cut, cost in zip(parts, cuts, costs, strict=True):
            self._clips.keep(part.key or "", replace(cut, cost=cost))

    def _hold(self, job: SharedJob, clip: AvatarClip | None) -> None:
        """Keep the scenes from being ordered one by one while what they share may come."""
        key = job.key
        record = self._tools.policy.journal.find(key) if clip is None and key else None
        waits = record is not None or (clip is None and self._clips.find(key or "") is not None)
        for part in job.parts:
            if waits and part.key is not None:
                self._held[part.key] = _held_back(record, job.others(part.scene))
            elif clip is None:
                self._held.pop(part.key or "", None)


def _held_back(record: JobRecord | None, others: str) -> PassedOver:
    """Why a scene is not ordered alone."""
    flaw = flaw_of(record) if record is not None else None
    if flaw is not None:
        return spoilt(flaw, f"it is part of a job with {others}, and ")
    return PassedOver(
        f"it is part of a job with {others} that may come yet and is not paid for twice: render "
        "again to fetch it",
        passing=True,
    )


def _of_scene(state: _State, scene: str) -> tuple[TrailEntry, ...]:
    """The job's story as one scene tells it, with its share of the costs."""
    job, trail = state.job, state.trail
    if all(entry.skipped for entry in trail) or scene not in job.scenes:
        # The scene is passed over, or shown, for the same reason when it is asked for alone.
        return ()
    number, is_changed = job.place(scene)

    def share(cost: Cost) -> Cost:
        return job.shares(cost)[number] if cost.amount else cost

    if is_changed and state.over:
        (price,) = in_words(share(state.cost))
        said = (
            f"what was ordered for it as one job with {job.others(scene)} no longer fits, because "
            f"the scene was changed since: {price} were paid for it"
        )
        return (
            replace(
                trail[-1], message=said, cost=share(trail[-1].cost), skipped=True, cached=False
            ),
        )
    note = f"(one job with {job.others(scene)})"
    return tuple(
        replace(entry, message=f"{entry.message} {note}", cost=share(entry.cost)) for entry in trail
    )
