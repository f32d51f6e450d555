"""From a scene, its narration and its presenter's clip to the segment that is composed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avatar_core.backend import AvatarClip, Size
from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import ffmpeg_version
from avatar_core.pictures import probe_picture
from renderer.captions.burn import Subtitles, subtitles_document
from renderer.captions.cues import Cue, split_cues
from renderer.captions.fonts import font_files
from renderer.compose.layouts import anchored, background_box, presenter_box, presenter_shape
from renderer.compose.segment import compose_segment
from renderer.compose.spec import BackgroundLayer, Box, PictureLayer, PresenterLayer, SegmentSpec
from renderer.film import Film, FilmScene
from renderer.script.models import Captions, ImageOverlay, TextOverlay
from renderer.speech.narration import Narration
from renderer.store import Artifact, FileHashes, Store, content_key
from renderer.timeline import SceneTiming

KIND = "segment"
# Changes when the same spec would give another picture.
REVISION = "1"


@dataclass(frozen=True, slots=True)
class SceneCut:
    """One scene with everything that its segment depends on."""

    film: Film
    scene: FilmScene
    timing: SceneTiming
    narration: Narration
    clip: AvatarClip | None = None
    visual: Path | None = None

    @property
    def narration_offset(self) -> int:
        """Where the narration begins, in frames from the segment's first."""
        return self.timing.narration - self.timing.start


def scene_cues(cut: SceneCut) -> tuple[Cue, ...]:
    """The captions of a scene, in seconds from the start of its narration.

    The last one may stay as long as the picture is the scene's alone.
    """
    timing, fps = cut.timing, cut.film.fps
    alone = timing.end - timing.tail - timing.narration
    style = cut.scene.captions or Captions()
    return split_cues(cut.narration.words, style, fps=fps, until=alone / fps)


def presenter_size(film: Film, scene: FilmScene) -> Size | None:
    """The size in which the scene's layout shows its presenter, None where nobody is seen."""
    presenter = scene.presenter
    if presenter is None:
        return None
    box = presenter_box(presenter.layout, presenter.position, presenter.scale, film.size)
    return None if box is None else box.size


def make_segment(
    cut: SceneCut,
    store: Store,
    hashes: FileHashes,
    cancel: CancelToken,
    on_progress: Callable[[float], None],
) -> Artifact:
    """Compose the scene's silent segment, or find it in the store."""
    spec = segment_spec(cut)
    key = content_key(
        revision=REVISION,
        spec=spec.describe(hashes),
        encoder=ffmpeg_version(),
        fonts=[hashes(path) for path in _fonts(cut)] if spec.subtitles is not None else [],
    )

    def build(target: Path, work: Path) -> dict[str, int]:
        compose_segment(spec, target, work, cancel=cancel, on_progress=on_progress)
        return {"frames": spec.frames}

    return store.make(KIND, key, ".mp4", build, cancel=cancel)


def _fonts(cut: SceneCut) -> tuple[Path, ...]:
    captions = cut.scene.captions
    return font_files(captions.font if captions is not None and captions.burn else None)


def segment_spec(cut: SceneCut) -> SegmentSpec:
    """What the compositor needs to know of the scene, without the scene."""
    timing, film = cut.timing, cut.film
    subtitles = _subtitles(cut)
    return SegmentSpec(
        size=film.size,
        fps=film.fps,
        frames=timing.frames,
        cuts=_cuts(timing),
        quality=film.quality,
        background=_background(cut),
        presenter=_presenter(cut),
        pictures=_pictures(cut),
        subtitles=subtitles.text if subtitles else None,
        changes=subtitles.changes if subtitles else (),
    )


def _cuts(timing: SceneTiming) -> tuple[int, ...]:
    cuts = {timing.head, timing.frames - timing.tail} - {0, timing.frames}
    return tuple(sorted(cuts))


def _background(cut: SceneCut) -> BackgroundLayer:
    if cut.visual is not None:
        # The visual was made for exactly this scene; only rounding can leave it a frame short.
        return BackgroundLayer(
            kind="video", src=cut.visual, when_short="freeze", box=_shared_frame(cut)
        )
    wanted = cut.scene.background
    plain = wanted.type == "color"
    return BackgroundLayer(
        kind=wanted.type or "color",
        src=None if plain else Path(wanted.src),
        color=wanted.src if plain else "#000000",
        fit=wanted.fit,
        motion=wanted.motion,
        when_short=wanted.when_short,
        when_long=wanted.when_long,
        box=_shared_frame(cut),
    )


def _shared_frame(cut: SceneCut) -> Box | None:
    """The part of the frame that the layout leaves to the background, None for all of it."""
    presenter = cut.scene.presenter
    if presenter is None or cut.clip is None:
        return None
    return background_box(presenter.layout, presenter.position, cut.film.size)


def _presenter(cut: SceneCut) -> PresenterLayer | None:
    presenter, clip = cut.scene.presenter, cut.clip
    if presenter is None or clip is None:
        return None
    box = presenter_box(presenter.layout, presenter.position, presenter.scale, cut.film.size)
    if box is None:
        return None
    return PresenterLayer(
        clip.path,
        still=clip.still,
        has_alpha=clip.has_alpha,
        box=box,
        shape=presenter_shape(presenter.layout),
        start=cut.narration_offset,
        frames=cut.timing.narration_end - cut.timing.narration,
    )


def _pictures(cut: SceneCut) -> tuple[PictureLayer, ...]:
    overlays = [o for o in cut.scene.overlays if isinstance(o, ImageOverlay)]
    layers = [
        PictureLayer(o.src, o.position, o.scale, 1.0, _frame(o.start, cut), _frame(o.end, cut))
        for o in overlays
    ]
    mark = cut.film.watermark
    if mark is not None and mark.src is not None:
        layers.append(
            PictureLayer(mark.src, mark.position, mark.scale, mark.opacity, 0, cut.timing.frames)
        )
    return tuple(layer for layer in layers if layer.end > layer.start)


def _frame(seconds: float | None, cut: SceneCut) -> int:
    """The frame nearest to a time in the scene, as for words; None is the scene's end.

    Start and end are rounded alike, so that what follows another neither covers it nor lags.
    """
    frames = cut.timing.frames
    return frames if seconds is None else min(frames, round(seconds * cut.film.fps))


def late_overlays(cut: SceneCut) -> list[str]:
    """A warning for each overlay that begins when its scene is already over."""
    frames = cut.timing.frames
    return [
        f"overlay {number} begins at {overlay.start:g} s, but the scene ends at "
        f"{frames / cut.film.fps:.1f} s: it is never seen."
        for number, overlay in enumerate(cut.scene.overlays, 1)
        if _frame(overlay.start, cut) >= frames
    ]


def _subtitles(cut: SceneCut) -> Subtitles | None:
    film, scene = cut.film, cut.scene
    captions = scene.captions if scene.captions is not None and scene.captions.burn else None
    return subtitles_document(
        film.size,
        cut.timing.frames,
        film.fps,
        cues=scene_cues(cut) if captions else (),
        captions=captions,
        overlays=[o for o in scene.overlays if isinstance(o, TextOverlay)],
        offset=cut.narration_offset / film.fps,
        watermark=film.watermark,
        watermark_span=_watermark_span(film),
        disclosure=film.disclosure if scene.presenter else None,
    )


def _watermark_span(film: Film) -> tuple[int, int] | None:
    """From where to where a picture as watermark stands, in px from the upper edge."""
    mark = film.watermark
    if mark is None or mark.src is None:
        return None
    picture = probe_picture(mark.src).size
    width = round(film.size.width * mark.scale)
    height = min(film.size.height, max(2, round(picture.height * width / picture.width)))
    top = anchored(Size(width, height), mark.position, film.size)[1]
    return top, top + height
