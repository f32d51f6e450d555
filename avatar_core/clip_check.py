"""Whether a backend's clip is what it should be, before anything is built on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from avatar_core.backend import AvatarClip, AvatarRequest, Size
from avatar_core.errors import AvatarError, Category

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# A quarter of a second is what services round to; in a long clip their clocks drift.
TOLERANCE_SECONDS = 0.25
TOLERANCE_SHARE = 0.05
# What compression makes of one flat colour stays within this many of 255 steps.
_FLAT_STEPS = 6
_SAMPLES_PER_SECOND = 4
_THUMBNAIL = 48


@dataclass(slots=True)
class _Seen:
    frames: int = 0
    size: Size = Size(0, 0)
    flat: bool = True
    end: float = 0.0


def validate_clip(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
    """The clip with its real size, rate, length and alpha filled in.

    Raises `AvatarError` (bad_output) unless the file exists, decodes to its end, has a picture
    that is not one flat colour throughout (a still clip may be), and lasts as long as the
    narration, give or take 0.25 s or 5 %, whichever is more.
    """
    from avatar_core.media import MediaError, has_alpha, open_media

    try:
        with open_media(clip.path, "video") as container:
            if not container.streams.video:
                raise _bad("The clip has no picture in it.")
            stream = container.streams.video[0]
            seen = _watch(container, stream, clip)
            alpha = has_alpha(stream)
            fps = float(stream.average_rate or stream.guessed_rate or 0)
    except MediaError as failure:
        raise _bad(failure.message) from failure
    return _judged(clip, request, seen, fps, alpha)


def _judged(
    clip: AvatarClip, request: AvatarRequest, seen: _Seen, fps: float, alpha: bool
) -> AvatarClip:
    if not seen.frames or not fps:
        raise _bad("The clip holds no frame that can be decoded.")
    duration = max(seen.frames / fps, seen.end)
    tolerance = max(TOLERANCE_SECONDS, TOLERANCE_SHARE * request.duration)
    if abs(duration - request.duration) > tolerance:
        raise _bad(
            f"The clip lasts {duration:.2f} s, but the narration lasts {request.duration:.2f} s."
        )
    # A still clip shows what the portrait shows, be it one colour: that is not its fault.
    if seen.flat and not clip.still:
        raise _bad("The clip shows nothing but one flat colour.")
    return replace(clip, size=seen.size, fps=fps, duration=duration, has_alpha=alpha)


def _watch(container: InputContainer, stream: VideoStream, clip: AvatarClip) -> _Seen:
    """Decode to the end, look closely at a few frames a second.

    Of a clip that calls itself still, only the key frames are decoded: the rest repeat them,
    and the packets are counted all the same.
    """
    stream.thread_type = "AUTO"
    if clip.still:
        stream.codec_context.skip_frame = "NONKEY"
    every = max(1, round(float(stream.average_rate or 25) / _SAMPLES_PER_SECOND))
    seen, decoded = _Seen(), 0
    for packet in container.demux(stream):
        if packet.size:
            seen.frames += 1
            seen.end = max(seen.end, _end(packet))
        for frame in packet.decode():
            if clip.still or decoded % every == 0:
                seen.flat = seen.flat and _is_flat(frame)
            seen.size = _shown_size(frame)
            decoded += 1
    if not clip.still:
        seen.frames = min(seen.frames, decoded)
    elif not decoded:
        seen.frames = 0
    return seen


def _end(packet: Any) -> float:
    if packet.pts is None or packet.time_base is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)


def _shown_size(frame: VideoFrame) -> Size:
    size = Size(frame.width, frame.height)
    return Size(size.height, size.width) if round(frame.rotation) % 180 else size


def _is_flat(frame: VideoFrame) -> bool:
    small = frame.reformat(width=_THUMBNAIL, height=_THUMBNAIL, format="rgba").to_ndarray()
    visible = small[small[..., 3] > 0]
    if not len(visible):
        return True
    return bool((visible.max(axis=0).astype(int) - visible.min(axis=0)).max() <= _FLAT_STEPS)


def _bad(message: str) -> AvatarError:
    return AvatarError(Category.BAD_OUTPUT, message)
