"""Still clips: exact to the frame, the picture as it was, and cheap."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.media import probe_video
from avatar_core.still import write_still_clip
from support_media import noise


@pytest.mark.parametrize("fps", [1, 24, 25, 30, 60])
@pytest.mark.parametrize("frames", [1, 2, 29, 30, 31, 60, 61, 95])
def test_a_clip_has_exactly_its_frames_at_a_constant_rate(
    tmp_path: Path, frames: int, fps: int
) -> None:
    path = tmp_path / "a.mp4"
    write_still_clip(noise((64, 48)), frames, fps, path)
    info = probe_video(path)
    assert (info.frames, info.fps, info.pix_fmt, info.codec) == (frames, fps, "yuv420p", "h264")
    with av.open(str(path)) as container:
        stamps = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert len(stamps) == frames
    assert all(b - a == pytest.approx(1 / fps) for a, b in pairwise(stamps))
    assert stamps[0] == 0


def test_every_frame_shows_the_picture(tmp_path: Path) -> None:
    picture, path = noise((320, 240)), tmp_path / "a.mp4"
    write_still_clip(picture, 75, 25, path)
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            shown = frame.to_ndarray(format="rgb24").astype(int)
            assert np.abs(shown - np.asarray(picture)).mean() < 4


def test_colours_are_tagged_and_converted_as_bt709(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_still_clip(Image.new("RGB", (64, 64), (255, 0, 0)), 2, 25, path)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        tags = context.color_primaries, context.color_trc, context.colorspace, context.color_range
        frame = next(container.decode(video=0))
    assert tags == (1, 1, 1, 1)
    # Pure red in BT.709, limited range; BT.601 would give (82, 90, 240).
    planes = [
        np.asarray(bytearray(plane)).reshape(plane.height, -1)[4, 4] for plane in frame.planes
    ]
    assert np.abs(np.subtract(planes, (63, 102, 240), dtype=int)).max() <= 2


def test_it_decodes_without_a_warning_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_still_clip(noise((64, 48)), 77, 30, path)
    printed = run_ffmpeg(["-v", "warning", "-i", str(path), "-f", "null", "-"])
    assert printed.strip() == ""


def test_a_long_clip_is_encoded_once_and_then_copied(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_still_clip(noise((640, 480)), 3000, 30, path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [bytes(p) for p in container.demux(stream) if p.size]
    assert len(packets) == 3000
    assert len(set(packets)) == 30


@pytest.mark.parametrize(("size", "frames"), [((63, 48), 5), ((64, 47), 5), ((64, 48), 0)])
def test_what_h264_cannot_hold_is_refused(
    tmp_path: Path, size: tuple[int, int], frames: int
) -> None:
    with pytest.raises(ValueError, match=r"even|one frame"):
        write_still_clip(noise(size), frames, 30, tmp_path / "a.mp4")
