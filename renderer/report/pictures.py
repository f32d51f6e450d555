"""Small pictures out of the finished film, as addresses that a page can hold in itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from renderer.report.markup import Markup

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# In pixels; twice what the page shows, for screens with fine pixels.
_LONGER_SIDE = 320
_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Picture:
    """``address`` is a JPEG as data: URI (RFC 2397); the sizes are its pixels."""

    address: Markup
    width: int
    height: int


def pictures_at(film: Path, moments: Sequence[float]) -> list[Picture | None]:
    """The film's picture at each of ``moments`` (seconds); None where it has none to give."""
    import av

    try:
        with av.open(str(film)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            return [_picture(container, stream, moment) for moment in moments]
    except (av.FFmpegError, OSError, IndexError):
        # The page says as much without pictures.
        return [None] * len(moments)


def _picture(container: InputContainer, stream: VideoStream, moment: float) -> Picture | None:
    from PIL import Image

    frame = _frame_at(container, stream, moment)
    if frame is None:
        return None
    shrink = min(1.0, _LONGER_SIDE / max(frame.width, frame.height))
    width, height = (max(1, round(side * shrink)) for side in (frame.width, frame.height))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=_QUALITY)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    return Picture(Markup(f"data:image/jpeg;base64,{data}"), width, height)


def _frame_at(container: InputContainer, stream: VideoStream, moment: float) -> VideoFrame | None:
    """The frame that is seen at ``moment``, the film's last one after its end."""
    if stream.time_base is not None:
        container.seek(int(moment / stream.time_base), stream=stream)
    seen = None
    for frame in container.decode(stream):
        if seen is not None and (frame.time or 0.0) > moment:
            break
        seen = frame
    return seen
