"""One render from film to MP4: scenes side by side, then joins, sound and assembly."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from avatar_core.backend import Job
from avatar_core.cancel import CancelToken
from avatar_core.chain import Outcome, TrailEntry
from avatar_core.errors import Cancelled, InputError
from avatar_core.events import EventBus, RenderStarted
from renderer.captions.fonts import check_font
from renderer.delivery import Delivery, deliver
from renderer.film import Film, FilmScene
from renderer.joins import make_join
from renderer.presenting import Presenting
from renderer.result import RenderResult, SceneResult
from renderer.segments import SceneCut, late_overlays, make_segment
from renderer.soundtrack import make_sound, sound_plan
from renderer.speech.narration import Narration, NarrationError, Narrator
from renderer.store import Artifact, FileHashes, Store
from renderer.telling import Telling
from renderer.timeline import SceneLength, Timeline, lay_out
from renderer.visuals import Visuals

# Less than this nobody hears.
_AUDIBLE_LU = 1.0
SCENE_STAGES = ("speech", "avatar", "segment")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MadeScene:
    """A scene whose segment is ready."""

    cut: SceneCut
    segment: Artifact
    outcome: Outcome | None


class Production:
    """Everything that one render holds; used once."""

    def __init__(
        self,
        film: Film,
        *,
        narrator: Narrator,
        presenting: Callable[[Callable[[str, TrailEntry], None]], Presenting],
        store: Store,
        hashes: FileHashes,
        executor: Executor,
        bus: EventBus,
        cancel: CancelToken,
    ) -> None:
        self._film = film
        self._narrator = narrator
        self._tell = Telling(bus)
        self._presenting = presenting(self._tell.presenter)
        self._store = store
        self._hashes = hashes
        self._executor = executor
        self._bus = bus
        # Its own switch: after a failure the other scenes stop, the caller's token stays.
        self._asked = cancel
        self._cancel = CancelToken(parent=cancel)
        self._visuals = Visuals(store, self._cancel)
        self._warnings = (*film.warnings, *font_warnings(film))

    def run(self, target: Path) -> RenderResult:
        """Render the film to ``target``; raises `Cancelled`, `InputError`, `AvatarError`."""
        film = self._film
        self._bus.emit(
            RenderStarted(
                title=film.title, scenes=tuple(s.id for s in film.scenes), stages=SCENE_STAGES
            )
        )
        for warning in self._warnings:
            self._tell.warning(warning)
        with self._store.faults():
            return self._make(target)

    def _make(self, target: Path) -> RenderResult:
        film = self._film
        narrations = self._side_by_side(self._narrate, film.scenes)
        timeline = lay_out(scene_lengths(film, narrations), film.fps)
        drafts = [
            SceneCut(film, *parts)
            for parts in zip(film.scenes, timeline.scenes, narrations, strict=True)
        ]
        self._presenting.take_stock(list(zip(film.scenes, narrations, strict=True)))
        sound, made = self._sound_and_scenes(drafts, timeline)
        delivery = self._deliver(made, sound, timeline, target)
        missed = missed_loudness(film, delivery.loudness)
        if missed is not None:
            self._warnings = (*self._warnings, missed)
            self._tell.warning(missed)
        return self._result(made, timeline, delivery)

    def _sound_and_scenes(
        self, drafts: Sequence[SceneCut], timeline: Timeline
    ) -> tuple[Artifact, list[MadeScene]]:
        """The sound needs no picture, so it is made while the scenes are."""
        made: dict[int, MadeScene] = {}

        def work(number: int | None) -> Artifact | None:
            if number is None:
                return self._make_sound(drafts, timeline)
            made[number] = self._make_scene(drafts[number])
            return None

        numbers = range(len(drafts))
        sound = self._side_by_side(work, [None, *numbers])[0]
        if sound is None:
            raise RuntimeError("the sound was not made")
        self._make_again(drafts, made)
        return sound, [made[number] for number in numbers]

    def _make_again(self, drafts: Sequence[SceneCut], made: dict[int, MadeScene]) -> None:
        """Scenes that fell for a passing reason; then those that stand out of the film's look."""
        numbers = {draft.scene.id: number for number, draft in enumerate(drafts)}

        def remake(number: int) -> None:
            made[number] = self._make_scene(drafts[number], before=made[number])

        def again(scenes: Sequence[str]) -> None:
            self._side_by_side(remake, [numbers[scene] for scene in scenes])

        tell = self._tell.stage(None, "again")
        self._presenting.second_tries(
            again, self._cancel, lambda seconds: tell(0.0, f"in {seconds:.0f} s")
        )
        # Each round may make the film fall further, at most once for every backend.
        while standing_out := self._presenting.out_of_look():
            again(standing_out)

    def _side_by_side(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``work`` on every item by the executor; the first real failure stops the rest."""
        futures: list[Future[R]] = [self._executor.submit(work, item) for item in items]
        try:
            _, pending = wait(futures, return_when=FIRST_EXCEPTION)
            if pending:
                self._stop(futures)
        except BaseException:
            self._stop(futures)
            raise
        failures = [f.exception() for f in futures if not f.cancelled() and f.exception()]
        # Ctrl-C reaches children as well: what fails after it fails because of it.
        if failures:
            self._asked.check()
        # The cancelled ones are a consequence: what counts is why.
        for failure in sorted(failures, key=lambda f: isinstance(f, Cancelled)):
            if failure is not None:
                raise failure
        return [future.result() for future in futures]

    def _stop(self, futures: Sequence[Future[R]]) -> None:
        self._cancel.cancel()
        for future in futures:
            future.cancel()
        wait(futures)

    def _narrate(self, scene: FilmScene) -> Narration:
        self._cancel.check()
        tell = self._tell.stage(scene.id, "speech")
        try:
            with self._store.work_dir() as work, in_script(self._film, scene):
                job = Job(work, cancel=self._cancel, on_progress=tell)
                narration = self._narrator.narrate(scene, job)
        except NarrationError as failure:
            self._tell.speech(scene.id, failure.trail)
            raise
        self._tell.speech(scene.id, narration.trail)
        tell(1.0, "")
        return narration

    def _make_sound(self, drafts: Sequence[SceneCut], timeline: Timeline) -> Artifact:
        self._cancel.check()
        tell = self._tell.stage(None, "sound")
        tell(0.0, "")
        sounds = {draft.scene.id: self._visuals.of(draft).sound for draft in drafts}
        plan = sound_plan(self._film, drafts, timeline, sounds)
        sound = make_sound(plan, self._store, self._hashes, self._cancel)
        tell(1.0, "")
        return sound

    def _make_scene(self, draft: SceneCut, before: MadeScene | None = None) -> MadeScene:
        self._cancel.check()
        scene = draft.scene
        tell = self._tell.stage(scene.id, "avatar")
        outcome = self._presenting.present(scene, draft.narration, self._cancel, tell)
        tell(1.0, "")
        clip = outcome.clip if outcome else None
        if before is not None and clip == before.cut.clip:
            return replace(before, outcome=outcome)
        cut = replace(draft, clip=clip, visual=self._visuals.of(draft).video)
        compose = self._tell.stage(scene.id, "segment")
        with in_script(self._film, scene):
            segment = make_segment(
                cut, self._store, self._hashes, self._cancel, lambda fraction: compose(fraction, "")
            )
        compose(1.0, "")
        made = MadeScene(cut, segment, outcome)
        self._tell.scene(scene_result(made))
        return made

    def _deliver(
        self, made: Sequence[MadeScene], sound: Artifact, timeline: Timeline, target: Path
    ) -> Delivery:
        joins = self._joins(made)
        film_teller = self._tell.stage(None, "film")
        return deliver(
            self._film,
            [m.cut for m in made],
            [m.segment.path for m in made],
            joins,
            sound,
            timeline,
            target,
            hashes=self._hashes,
            store=self._store,
            cancel=self._cancel,
            on_progress=lambda fraction: film_teller(fraction, ""),
        )

    def _joins(self, made: Sequence[MadeScene]) -> Mapping[int, Path]:
        """The joins by the number of the scene that they lead into."""
        numbers = [i for i, m in enumerate(made) if i and m.cut.timing.head]
        tell = self._tell.stage(None, "joins")

        def join(i: int) -> Path:
            self._cancel.check()
            return make_join(
                made[i - 1].cut, made[i - 1].segment.path, made[i].cut, made[i].segment.path,
                self._store, self._hashes, self._cancel,
            )  # fmt: skip

        paths = self._side_by_side(join, numbers)
        tell(1.0, "")
        return dict(zip(numbers, paths, strict=True))

    def _result(
        self, made: Sequence[MadeScene], timeline: Timeline, delivery: Delivery
    ) -> RenderResult:
        return RenderResult(
            path=delivery.path,
            seconds=timeline.seconds,
            scenes=tuple(scene_result(m) for m in made),
            captions=delivery.captions,
            thumbnail=delivery.thumbnail,
            loudness=delivery.loudness,
            warnings=self._warnings,
        )


@contextlib.contextmanager
def in_script(film: Film, scene: FilmScene) -> Iterator[None]:
    """A mistake found while a scene is made is told with its place in the script."""
    try:
        yield
    except InputError as failure:
        if failure.file is None and film.source is not None:
            failure.file = film.source
            failure.line = failure.line or scene.line
        raise


def scene_lengths(film: Film, narrations: Sequence[Narration]) -> list[SceneLength]:
    """What each scene asks of the timeline."""
    return [
        SceneLength(
            narration.seconds,
            before=scene.padding.before,
            after=scene.padding.after,
            between=scene.padding.between,
            transition=scene.transition.duration if scene.transition else 0.0,
        )
        for scene, narration in zip(film.scenes, narrations, strict=True)
    ]


def scene_result(made: MadeScene) -> SceneResult:
    """What the caller learns of a scene."""
    cut, outcome = made.cut, made.outcome
    return SceneResult(
        id=cut.scene.id,
        backend=outcome.clip.backend if outcome else None,
        degraded=cut.narration.degraded or bool(outcome and outcome.degraded),
        cached=not made.segment.fresh,
        start=cut.timing.start / cut.film.fps,
        seconds=cut.timing.frames / cut.film.fps,
        costs=outcome.costs if outcome else (),
        trail=outcome.trail if outcome else (),
        speech_trail=cut.narration.trail,
        warnings=(
            *cut.narration.warnings,
            *(outcome.clip.warnings if outcome else ()),
            *late_overlays(cut),
        ),
    )


def font_warnings(film: Film) -> tuple[str, ...]:
    """What there is to say of the caption fonts that the film names and burns."""
    burnt = {s.captions.font for s in film.scenes if s.captions is not None and s.captions.burn}
    return tuple(warning for font in sorted(burnt) if (warning := check_font(font)) is not None)


def missed_loudness(film: Film, measured: float | None) -> str | None:
    """What there is to say of a film that is not as loud as it was asked to be (LUFS)."""
    if measured is None or abs(measured - film.loudness) <= _AUDIBLE_LU:
        return None
    return (
        f"The film's loudness is {measured:.1f} LUFS and not the {film.loudness:g} asked for: "
        "its peaks leave no room for more. Ask for less in output.loudness."
    )


def only_scenes(film: Film, wanted: Sequence[str] | None) -> Film:
    """The film with the scenes ``wanted`` alone, in the film's order."""
    if wanted is None:
        return film
    return replace(film, scenes=tuple(s for s in film.scenes if s.id in set(wanted)))
