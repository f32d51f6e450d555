"""Which scenes are made as one job: those that their backend makes cheaper together.

The narrations are joined with a pause between them, and the clip is cut again. Each part begins at
a multiple of 0.2 s, which is a whole frame at 5, 10, 15, 20, 25, 30, 50 and 60 frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from avatar_core.attempt import contained
from avatar_core.backend import AvatarRequest, Cost
from avatar_core.chain import ClipCache, Rung
from avatar_core.errors import AvatarError, EnvironmentFault
from avatar_core.fitness import shortcoming
from avatar_core.journal import Journal
from avatar_core.money import in_words
from renderer.shared_jobs.notes import Note, NotedPart
from renderer.store import content_key

_GRID_SECONDS = Decimal("0.2")
# The mouth comes to rest before the next part begins.
_PAUSE_SECONDS = 0.4
# A longer job would make little cheaper, and lose more when it fails.
_MOST_SECONDS = 120.0
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Part:
    """A scene that may share a job: what its first rung would be asked."""

    scene: str
    request: AvatarRequest
    rung: Rung
    start: float = 0.0

    @property
    def end(self) -> float:
        return self.start + self.request.duration

    @property
    def key(self) -> str | None:
        return self.rung.key(self.request)


@dataclass(frozen=True, slots=True)
class SharedJob:
    """Scenes made as one clip; ``start`` of each part is in seconds from the clip's beginning.

    ``request`` has everything but the joined sound: its ``audio`` is the first part's. ``changed``
    are the keys of requests that the film no longer makes: their scenes were changed since.
    """

    parts: tuple[Part, ...]
    request: AvatarRequest
    changed: frozenset[str] = frozenset()

    @property
    def rung(self) -> Rung:
        return self.parts[0].rung

    @property
    def scenes(self) -> tuple[str, ...]:
        return tuple(part.scene for part in self.parts)

    @property
    def wanted(self) -> tuple[Part, ...]:
        """The parts that the film shows."""
        return tuple(part for part in self.parts if part.request.key not in self.changed)

    @property
    def key(self) -> str | None:
        return self.rung.key(self.request)

    def place(self, scene: str) -> tuple[int, bool]:
        """Which part is the scene's, and whether the scene was changed since."""
        for is_changed in (False, True):
            for number, part in enumerate(self.parts):
                if part.scene == scene and (part.request.key in self.changed) == is_changed:
                    return number, is_changed
        raise ValueError(f"the scene {scene!r} has no part of its own")

    def note(self, film: str) -> Note:
        """What is kept of it on disk."""
        parts = (
            NotedPart(part.scene, part.request.key, part.start, part.request.duration)
            for part in self.parts
        )
        return Note(self.key or "", self.rung.name, tuple(parts), film)

    def others(self, scene: str) -> str:
        """Who shares the job with ``scene``, in words."""
        return ", ".join(f'"{other}"' for other in self.scenes if other != scene)

    def shares(self, cost: Cost) -> list[Cost]:
        """``cost`` by the parts' lengths; they add up to it exactly."""
        whole = sum(Decimal(str(part.request.duration)) for part in self.parts)
        amounts = [
            (cost.amount * Decimal(str(part.request.duration)) / whole).quantize(
                _PLACES, ROUND_DOWN
            )
            for part in self.parts[:-1]
        ]
        amounts.append(cost.amount - sum(amounts, Decimal(0)))
        return [Cost(amount, cost.currency) for amount in amounts]


def part_of(scene: str, rungs: Sequence[Rung], request: AvatarRequest) -> Part:
    """What the first of ``rungs`` would be asked."""
    return Part(scene, replace(request, options=rungs[0].options), rungs[0])


def shared_jobs(
    parts: Iterable[Part], clips: ClipCache, journal: Journal, notes: Iterable[Note] = ()
) -> list[SharedJob]:
    """The jobs of two scenes and more; who is in none is made alone.

    A scene whose clip is there, or whose job is known to the journal, stays alone: what is paid is
    not paid again to be together with others. For the same reason jobs that were ordered before
    (``notes``) come first, whatever has become of some of their scenes.
    """
    parts = list(parts)
    waiting = waiting_jobs(parts, clips, journal, notes)
    taken = {part.key for job in waiting for part in job.parts}
    jobs: list[SharedJob] = []
    for part in parts:
        if part.key is None or clips.find(part.key) or journal.find(part.key):
            continue
        if part.key in taken:
            continue
        for number, job in enumerate(jobs):
            longer = _with(job, part)
            if longer is not None:
                jobs[number] = longer
                break
        else:
            jobs.append(SharedJob((part,), part.request))
    return [*waiting, *(job for job in jobs if len(job.parts) > 1)]


def waiting_jobs(
    parts: Sequence[Part], clips: ClipCache, journal: Journal, notes: Iterable[Note]
) -> list[SharedJob]:
    """The jobs that were ordered, or made, for some of ``parts``, and not yet cut for all."""
    jobs = (_noted(note, parts) for note in notes)
    return [
        job
        for job in jobs
        if job is not None
        and not all(clips.find(part.key or "") for part in job.wanted)
        and (journal.find(job.key or "") or clips.find(job.key or ""))
    ]


def left_behind(
    parts: Sequence[Part], clips: ClipCache, journal: Journal, notes: Iterable[Note]
) -> dict[str, tuple[str, str]]:
    """By scene, the rung and a sentence about what was ordered for it with others and fits none of
    them any more; ``notes`` are the film's own."""
    told: dict[str, tuple[str, str]] = {}
    for note in notes:
        record = journal.find(note.key)
        if record is None or _noted(note, parts) is not None:
            continue
        (price,) = in_words(record.cost)
        said = (
            f"what was ordered for {note.scenes} as one job, at {price}, fits none of them any "
            "more, because all of them were changed since"
        )
        names = {noted.scene for noted in note.parts}
        unmade = (p.scene for p in parts if p.scene in names and not clips.find(p.key or ""))
        told.update((scene, (note.rung, said)) for scene in unmade)
    return told


def _noted(note: Note, parts: Sequence[Part]) -> SharedJob | None:
    """The job of ``note``, where some of ``parts`` are still as they were ordered."""
    known = {noted.request for noted in note.parts}
    ours = (p for p in parts if p.rung.name == note.rung and p.request.key in known)
    like = next(ours, None)
    if like is None:
        return None
    left = [part for part in parts if _alike(like, part)]
    whole, changed = [], set()
    for noted in note.parts:
        same = [part for part in left if part.request.key == noted.request]
        part = next((p for p in same if p.scene == noted.scene), same[0] if same else None)
        if part is None:
            changed.add(noted.request)
            part = _as_it_was(noted, like)
        else:
            left.remove(part)
        whole.append(replace(part, start=noted.start))
    job = SharedJob(tuple(whole), _joined(whole), frozenset(changed))
    return job if job.key == note.key else None


def _as_it_was(noted: NotedPart, like: Part) -> Part:
    """A part that is no longer in the film: nothing but its place in the clip is needed."""
    request = replace(
        like.request, key=noted.request, duration=noted.seconds, text="", words=(), phonemes=()
    )
    return Part(noted.scene, request, like.rung)


def _with(job: SharedJob, part: Part) -> SharedJob | None:
    """The job with one part more, None where that is not possible or no cheaper."""
    last = job.parts[-1]
    if not _alike(last, part):
        return None
    parts = (*job.parts, replace(part, start=_next_start(last.end)))
    longer = SharedJob(parts, _joined(parts))
    return longer if _pays(job, part, longer) else None


def _alike(one: Part, other: Part) -> bool:
    a, b = one.request, other.request
    return (
        one.rung.name == other.rung.name
        and one.rung.options == other.rung.options
        and (a.portrait, a.size, a.fps, a.speaker) == (b.portrait, b.size, b.fps, b.speaker)
        and a.language == b.language
    )


def _next_start(end: float) -> float:
    steps = math.ceil((Decimal(str(end)) + Decimal(str(_PAUSE_SECONDS))) / _GRID_SECONDS)
    return float(steps * _GRID_SECONDS)


def _joined(parts: Sequence[Part]) -> AvatarRequest:
    first = parts[0].request
    return replace(
        first,
        duration=parts[-1].end,
        text=" ".join(part.request.text for part in parts if part.request.text),
        words=tuple(
            replace(w, start=w.start + part.start, end=w.end + part.start)
            for part in parts
            for w in part.request.words
        ),
        phonemes=tuple(
            replace(p, start=p.start + part.start, end=p.end + part.start)
            for part in parts
            for p in part.request.phonemes
        ),
        key=content_key(together=[[part.request.key, part.start] for part in parts]),
    )


def _pays(job: SharedJob, part: Part, longer: SharedJob) -> bool:
    if longer.request.duration > _MOST_SECONDS:
        return False
    rung = part.rung
    try:
        with contained(rung.name):
            backend = rung.open()
            if shortcoming(backend.capabilities, longer.request) is not None:
                return False
            return bool(backend.cheaper_together((job.request, part.request), longer.request))
    except (AvatarError, EnvironmentFault):
        # What is wrong with the backend is told when its turn comes.
        return False
