"""What sound and video files hold, read from the files themselves; every complaint a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from avatar_core.backend import Size
from avatar_core.clip_check import validate_clip
from avatar_core.media_error import MediaError, require_file
from avatar_core.pictures import PictureInfo, load_picture, probe_picture
from avatar_core.riff import riff_shortage

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

__all__ = [
    "AudioInfo",
    "MediaError",
    "PictureInfo",
    "VideoInfo",
    "load_picture",
    "open_media",
    "probe_audio",
    "probe_picture",
    "probe_video",
    "validate_clip",
]

# Frame rates of real files are exact fractions; anything finer is a clock, not a rate.
_MOST_FPS = 1000
# Less than this share of the promised sound means that the file was cut off.
_WHOLE = 0.95
_SLACK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """``seconds`` is what really decodes, ``rate`` in Hz."""

    seconds: float
    rate: int
    channels: int
    codec: str


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """``size`` is in pixels as shown, after rotation; ``frames`` are counted, not claimed."""

    size: Size
    fps: float
    frames: int
    seconds: float
    codec: str
    pix_fmt: str
    has_alpha: bool
    has_audio: bool
    rotation: int = 0


@contextmanager
def open_media(path: Path, what: str) -> Iterator[InputContainer]:
    """The opened file; every failure of reading it becomes a `MediaError`."""
    import av

    require_file(path, what)
    try:
        # The prefix keeps a name with a colon from being taken for a protocol, and the list
        # keeps a playlist from opening anything on the network.
        container = av.open(
            f"file:{path.absolute()}",
            options={"protocol_whitelist": "file"},
            **_lenient(),
        )
        with container:
            yield container
    except av.error.FFmpegError as failure:
        raise MediaError(
            f"This is not a {what} file that can be read, or it is damaged "
            f"({failure.strerror or failure}).",
            file=path,
            advice="Open it in a player to check, and export or copy it again.",
        ) from failure


def _lenient() -> dict[str, Any]:
    """What makes PyAV accept titles in any encoding; from version 19 on it always does."""
    import av

    return {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def probe_audio(path: Path) -> AudioInfo:
    """Decode the sound once and measure it. Raises `MediaError`."""
    with open_media(path, "sound") as container:
        if not container.streams.audio:
            raise MediaError("The file has no sound in it.", file=path)
        stream = container.streams.audio[0]
        samples, rate, channels = _measure(container)
        if not samples:
            raise MediaError(
                "The file holds no sound: it is empty or damaged.",
                file=path,
                advice="Open it in a player to check, and export or copy it again.",
            )
        seconds = samples / rate
        claimed = float((stream.duration or 0) * (stream.time_base or 0))
        claimed = max(claimed, seconds * riff_shortage(path))
        if seconds < claimed * _WHOLE - _SLACK_SECONDS:
            raise MediaError(
                f"The sound is cut off: the file says {claimed:.1f} s and holds {seconds:.1f} s.",
                file=path,
                advice="Export or copy it again.",
            )
        return AudioInfo(seconds, rate, channels, stream.codec_context.name)


def probe_video(path: Path) -> VideoInfo:
    """Read the file to its end, decoding only one frame. Raises `MediaError`."""
    with open_media(path, "video") as container:
        if not container.streams.video:
            raise MediaError("The file has no picture in it.", file=path)
        stream = container.streams.video[0]
        rotation, first = _first_frame(container)
        if first is None:
            raise MediaError("The video holds no frame that can be decoded.", file=path)
        container.seek(0)
        frames = sum(1 for packet in container.demux(stream) if packet.size)
        _require_whole(stream, frames, path)
        fps = _rate(stream)
        width, height = first
        return VideoInfo(
            size=Size(height, width) if rotation % 180 else Size(width, height),
            fps=float(fps),
            frames=frames,
            seconds=frames / float(fps),
            codec=stream.codec_context.name,
            pix_fmt=stream.codec_context.pix_fmt or "",
            has_alpha=has_alpha(stream),
            has_audio=bool(container.streams.audio),
            rotation=rotation,
        )


def has_alpha(stream: VideoStream) -> bool:
    """True for pixels that can be transparent; WebM says it in a tag, the rest in the format."""
    if stream.metadata.get("alpha_mode") == "1":
        return True
    pixel = stream.codec_context.format
    return pixel is not None and any(component.is_alpha for component in pixel.components)


def _measure(container: InputContainer) -> tuple[int, int, int]:
    """Samples, rate and channels; a damaged packet is skipped, as players do."""
    import av

    samples = rate = channels = 0
    for packet in container.demux(audio=0):
        try:
            for frame in cast("list[Any]", packet.decode()):
                samples += frame.samples
                rate, channels = frame.sample_rate, frame.layout.nb_channels
        except av.error.InvalidDataError:
            continue
    return samples, rate, channels


def _first_frame(container: InputContainer) -> tuple[int, tuple[int, int] | None]:
    for frame in container.decode(video=0):
        return round(frame.rotation), (frame.width, frame.height)
    return 0, None


def _require_whole(stream: VideoStream, frames: int, path: Path) -> None:
    if frames < stream.frames * _WHOLE - 1:
        raise MediaError(
            f"The video is cut off: the file says {stream.frames} frames and holds {frames}.",
            file=path,
            advice="Export or copy it again.",
        )


def _rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= _MOST_FPS:
            return Fraction(rate)
    return Fraction(25)
