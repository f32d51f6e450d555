"""A clip of one picture that costs almost nothing: a short stretch is encoded once, then copied."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from PIL.Image import Image

_STRETCH_SECONDS = 1
_CRF = "15"


def write_still_clip(picture: Image, frames: int, fps: int, path: Path) -> None:
    """Write ``picture`` as an MP4 of ``frames`` frames: H.264, yuv420p, BT.709.

    The width and height must be even. Without B-frames every stretch stands alone and its
    packets can be repeated, and cut after any of them, as they are.
    """
    import av

    if picture.width % 2 or picture.height % 2:
        raise ValueError(f"the size {picture.width}x{picture.height} is not even")
    if frames < 1:
        raise ValueError("a clip has at least one frame")
    stretch = min(frames, _STRETCH_SECONDS * fps)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = _stream(container, picture, fps, stretch)
        packets = _encode(stream, picture, stretch)
        _repeat(container, stream, packets, frames)


def _stream(container: OutputContainer, picture: Image, fps: int, stretch: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=fps)
    stream.width, stream.height = picture.size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, fps)
    stream.codec_context.gop_size = stretch
    stream.codec_context.max_b_frames = 0
    for name in ("color_primaries", "color_trc", "colorspace", "color_range"):
        # All four are 1 for BT.709 in limited range.
        setattr(stream.codec_context, name, 1)
    stream.options = {
        "preset": "veryfast",
        "tune": "stillimage",
        "crf": _CRF,
        "x264-params": f"keyint={stretch}:min-keyint={stretch}:scenecut=0:bframes=0",
    }
    return stream


def _encode(stream: VideoStream, picture: Image, frames: int) -> list[Packet[Any]]:
    from av.video.frame import VideoFrame
    from av.video.reformatter import Colorspace

    frame = VideoFrame.from_image(picture.convert("RGB"))  # type: ignore[no-untyped-call]
    frame = frame.reformat(
        format="yuv420p", src_colorspace=Colorspace.DEFAULT, dst_colorspace=Colorspace.ITU709
    )
    packets: list[Packet[Any]] = []
    for number in range(frames):
        frame.pts = number
        frame.time_base = stream.time_base
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _repeat(
    container: OutputContainer, stream: VideoStream, packets: list[Packet[Any]], frames: int
) -> None:
    from av.packet import Packet

    time_base = 1 / Fraction(stream.codec_context.framerate)
    parts = [(bytes(packet), packet.is_keyframe) for packet in packets]
    for number, (data, is_key) in enumerate(itertools.islice(itertools.cycle(parts), frames)):
        packet: Packet[Any] = Packet(data)
        packet.pts = packet.dts = number
        packet.duration = 1
        packet.time_base = time_base
        packet.is_keyframe = is_key
        packet.stream = stream
        container.mux(packet)
