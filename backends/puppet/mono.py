"""Any sound as mono, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def mono_pieces(audio: Path, rate: int) -> Iterator[NDArray[np.float32]]:
    """The samples at ``rate``, -1 to 1; damaged packets are left out. Raises `MediaError`."""
    import av

    from avatar_core.media import open_media
    from avatar_core.media_error import MediaError

    with open_media(audio, "sound") as container:
        if not container.streams.audio:
            raise MediaError("The file has no sound in it.", file=audio)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        for packet in container.demux(audio=0):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in decoded:
                for part in resampler.resample(frame):
                    yield part.to_ndarray()[0]
        for part in resampler.resample(None):
            yield part.to_ndarray()[0]
