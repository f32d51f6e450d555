"""The film's sound: what stands where, mixed into one master and encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import ffmpeg_version
from avatar_core.media import probe_video
from renderer.aac import encode_aac
from renderer.audio.master import build_master
from renderer.audio.plan import Effect, Placed, SoundPlan, plan_key
from renderer.film import Film, FilmScene
from renderer.script.models import Music
from renderer.segments import SceneCut
from renderer.store import Artifact, FileHashes, Store, content_key
from renderer.timeline import Timeline

KIND = "sound"
# Changes when the same plan would sound otherwise.
REVISION = "1"


def sound_plan(
    film: Film,
    cuts: Sequence[SceneCut],
    timeline: Timeline,
    visual_sound: Mapping[str, Path | None],
) -> SoundPlan:
    """Narrations, the own sound of background videos and visuals, and the music."""
    first, last = _music_frames(film.music, film.scenes, timeline)
    return SoundPlan(
        frames=timeline.frames,
        fps=film.fps,
        narration=tuple(
            Placed(
                cut.narration.path,
                cut.timing.narration,
                cut.timing.narration_end - cut.timing.narration,
            )
            for cut in cuts
        ),
        effects=tuple(effect for cut in cuts for effect in _effects(cut, visual_sound)),
        music=film.music if last > first else None,
        music_from=first,
        music_to=last,
        loudness=film.loudness,
    )


def make_sound(plan: SoundPlan, store: Store, hashes: FileHashes, cancel: CancelToken) -> Artifact:
    """The film's sound as AAC, made or found; its notes hold the loudness measured in the master.

    The master itself is not kept: it is ten times as large, and nothing else needs it.
    """
    key = content_key(revision=REVISION, plan=plan_key(plan, hashes), encoder=ffmpeg_version())

    def build(target: Path, work: Path) -> dict[str, float | None]:
        master = work / "master.wav"
        facts = build_master(plan, master, work, cancel=cancel)
        encode_aac(master, target, cancel=cancel)
        return {"loudness": facts.loudness}

    return store.make(KIND, key, ".m4a", build, cancel=cancel)


def _effects(cut: SceneCut, visual_sound: Mapping[str, Path | None]) -> list[Effect]:
    timing, background = cut.timing, cut.scene.background
    sound = visual_sound.get(cut.scene.id)
    if sound is not None:
        return [Effect(sound, timing.start, timing.frames, 1.0, False)]
    if cut.scene.visual is not None or background.type != "video" or not background.volume:
        return []
    source = Path(background.src)
    if not probe_video(source).has_audio:
        return []
    loop = background.when_short == "loop"
    return [Effect(source, timing.start, timing.frames, background.volume, loop)]


def _music_frames(
    music: Music | None, scenes: Sequence[FilmScene], timeline: Timeline
) -> tuple[int, int]:
    """First and last frame of the music; scenes are counted as in the script, from 1."""
    if music is None:
        return 0, 0
    if music.scenes is None:
        return 0, timeline.frames
    begin, dash, end = music.scenes.partition("-")
    first = int(begin)
    last = int(end) if end else (10**9 if dash else first)
    inside = [
        timing
        for scene, timing in zip(scenes, timeline.scenes, strict=True)
        if first <= scene.index + 1 <= last
    ]
    return (inside[0].start, inside[-1].end) if inside else (0, 0)
