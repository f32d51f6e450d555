"""Whether the video that arrived is the one that was made, whole and for this narration."""

from __future__ import annotations

import hashlib
from pathlib import Path

from avatar_core.backend import AvatarClip, AvatarRequest
from avatar_core.clip_check import TOLERANCE_SECONDS, TOLERANCE_SHARE
from avatar_core.errors import AvatarError, Category
from avatar_core.pages import see
from backends.colab.api import Video
from backends.colab.errors import linked


def require_whole(path: Path, video: Video | None) -> None:
    """Raise `AvatarError` (bad_output) unless the file is what the server says it sent."""
    if video is None:
        return
    if path.stat().st_size != video.bytes or digest(path) != video.sha256:
        raise linked(
            AvatarError(
                Category.BAD_OUTPUT,
                "The video was changed on its way here.",
                advice="It is fetched again; if that does not help, use another tunnel.",
            )
        )


def clip_of(path: Path, request: AvatarRequest, backend: str) -> AvatarClip:
    """The file as a clip; raises `AvatarError` (bad_output) for one that cannot be read or has
    another length than the narration, which is how the video of another job is known."""
    from avatar_core.media import MediaError, probe_video

    try:
        seen = probe_video(path)
    except MediaError as failure:
        raise linked(AvatarError(Category.BAD_OUTPUT, failure.message)) from failure
    tolerance = max(TOLERANCE_SECONDS, TOLERANCE_SHARE * request.duration)
    if abs(seen.seconds - request.duration) > tolerance:
        raise not_ours(
            f"The video lasts {seen.seconds:.2f} s and the narration {request.duration:.2f} s: it "
            "is probably that of an earlier job."
        )
    return AvatarClip(path, seen.size, seen.fps, seen.seconds, backend, seen.has_alpha)


def not_ours(message: str) -> AvatarError:
    """The video of somebody else's job came."""
    advice = "Old notebooks mix up their videos: write a new one with `avatar notebook`."
    return AvatarError(Category.BAD_OUTPUT, message, advice=f"{advice} {see('colab#wrong-video')}")


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
