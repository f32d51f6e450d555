"""Transitions between two scenes: the shared frames of both, blended into a segment of its own."""

from __future__ import annotations

from pathlib import Path

from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import ffmpeg_version
from renderer.compose.join import compose_join
from renderer.segments import SceneCut
from renderer.store import FileHashes, Store, content_key

KIND = "join"
# Changes when the same two segments would give another join.
REVISION = "1"


def make_join(
    before: SceneCut,
    before_path: Path,
    after: SceneCut,
    after_path: Path,
    store: Store,
    hashes: FileHashes,
    cancel: CancelToken,
) -> Path:
    """Blend the tail of ``before`` into the head of ``after``, or find the join in the store."""
    film, frames = after.film, after.timing.head
    style = after.scene.transition.type if after.scene.transition else "fade"
    begin = before.timing.frames - before.timing.tail
    key = content_key(
        revision=REVISION,
        encoder=ffmpeg_version(),
        before=hashes(before_path),
        begin=begin,
        after=hashes(after_path),
        frames=frames,
        transition=style,
        quality=film.quality,
    )

    def build(target: Path, work: Path) -> dict[str, int]:
        compose_join(
            before_path,
            begin,
            after_path,
            frames,
            style,
            film.size,
            film.fps,
            film.quality,
            target,
            work,
            cancel=cancel,
        )
        return {"frames": frames}

    return store.make(KIND, key, ".mp4", build, cancel=cancel).path
