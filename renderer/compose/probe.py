"""What composition must know about a video before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avatar_core.errors import InputError
from avatar_core.media import open_media

_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """``seconds`` is 0 where it is unknown. ``decoder`` is set where ffmpeg's own one would drop
    the transparency. ``matrix`` is the name of the colour matrix for swscale. ``square`` is
    False when the pixels are not."""

    seconds: float
    width: int
    height: int
    square: bool
    has_alpha: bool
    decoder: str | None
    matrix: str


def probe_video(path: Path) -> VideoFacts:
    """Read the facts from the file's header; raises `InputError` for what is no video."""
    import av

    with open_media(path, "video") as container:
        if not container.streams.video:
            raise InputError("This file holds no video.", file=path)
        stream = container.streams.video[0]
        context = stream.codec_context
        seconds = 0.0
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / av.time_base
        decoder = None
        if stream.metadata.get("alpha_mode") == "1":
            decoder = _ALPHA_DECODERS.get(context.codec.canonical_name)
        alpha = decoder is not None or _has_alpha(context.pix_fmt or "")
        matrix = _matrix(int(context.colorspace or 2), context.height)
        square = (context.sample_aspect_ratio or 1) == 1
        size = context.width, context.height
        return VideoFacts(seconds, *size, square, alpha, decoder, matrix)


def _has_alpha(pixels: str) -> bool:
    return pixels.startswith(("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya", "pal8"))


def _matrix(colorspace: int, height: int) -> str:
    """Untagged video follows the custom: BT.709 for high definition, BT.601 below."""
    if colorspace == 2:
        return "bt709" if height >= 720 else "bt601"
    return "auto"
