"""The finished clip held against its narration: every picture at its time, every sound with it."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.media import probe_audio, probe_video
from backends.sadtalker.finish import Take, join, take
from backends.sadtalker.picture import Kept
from backends.sadtalker.sound import Piece, read_narration
from support_media import write_clip, write_wav

TOKEN = CancelToken()
# How much brighter a picture is for each second of its time; how exactly that comes back.
BRIGHTER, BLUR = 40.0, 3.0


def timed(path: Path, piece: Piece, lacking: int = 0, fps: int = 25) -> Take:
    """A take whose every picture tells its time in the narration; ``lacking`` frames too short."""
    frames = math.ceil(piece.seconds * fps - 1e-6) - lacking
    begin = piece.start - piece.lead

    def shade(number: int) -> Image.Image:
        return Image.new("L", (64, 48), round(20 + BRIGHTER * (begin + number / fps))).convert(
            "RGB"
        )

    write_clip(path, frames, fps, shade)
    return Take(path, piece, probe_video(path))


def told(path: Path) -> list[float]:
    """The time that each picture of ``path`` tells, in seconds, up to what the colours cost."""
    with av.open(str(path)) as container:
        shades = [float(f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    return [(shade - 20) / BRIGHTER for shade in shades]


@pytest.mark.parametrize("lacking", [0, 3, 6])
@pytest.mark.parametrize("fps", [25, 30])
def test_a_part_that_is_too_short_moves_no_later_one(
    tmp_path: Path, lacking: int, fps: int
) -> None:
    parts = [Piece(0.0, 1.2), Piece(1.2, 2.6, 0.2), Piece(2.6, 4.03, 0.2)]
    takes = [timed(tmp_path / f"{n}.mp4", part, lacking, fps) for n, part in enumerate(parts)]
    target = tmp_path / "clip.mp4"
    join(takes, write_wav(tmp_path / "voice.wav", 4.03), 4.03, Kept(), target, TOKEN)
    times = told(target)
    assert len(times) == math.ceil(4.03 * fps - 1e-6)
    assert probe_audio(target).seconds == pytest.approx(4.03, abs=0.03)
    off = times[0]
    late = [number / fps + off - time for number, time in enumerate(times)]
    slack = BLUR / BRIGHTER
    assert min(late) > -slack, "a picture comes before its sound"
    assert max(late) < lacking / fps + slack
    # Where a part has taken over, it is on time again.
    for start in (1.2, 2.6):
        assert abs(late[round((start + 0.2) * fps)]) < slack


def test_a_sound_that_begins_late_in_its_file_stays_with_the_lips(tmp_path: Path) -> None:
    """As in a film whose picture begins first: the engine hears the sound from its beginning."""
    spoken = write_wav(tmp_path / "voice.wav", 1.0)
    film = tmp_path / "film.mkv"
    picture = ["-f", "lavfi", "-i", "color=s=64x48:d=2"]
    later = ["-itsoffset", "0.7", "-i", str(spoken), "-map", "0:v", "-map", "1:a"]
    run_ffmpeg(["-v", "error", *picture, *later, "-c:a", "flac", str(film)])
    heard = read_narration(film, tmp_path, 16_000, TOKEN)
    assert heard.seconds == pytest.approx(1.0, abs=0.01)
    one = timed(tmp_path / "take.mp4", Piece(0.0, 1.0))
    target = tmp_path / "clip.mp4"
    join([one], film, heard.seconds, Kept(), target, TOKEN)
    assert probe_audio(target).seconds == pytest.approx(1.0, abs=0.03)
    with av.open(str(target)) as container:
        loud = [float(np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio=0)]
    assert max(loud[1:4]) > 0.1


@pytest.mark.parametrize(("given", "kept", "longest", "wanted"), [
    (Size(128, 192), Kept(), 96, Size(64, 96)),
    (Size(192, 128), Kept(0.25, 0.25, 0.5, 0.5), 96, Size(96, 64)),
    (Size(130, 62), Kept(), 64, Size(64, 30)),
    (Size(64, 48), Kept(), 64, Size(64, 48)),
    (Size(64, 48), Kept(), None, Size(64, 48)),
])  # fmt: skip
def test_a_clip_is_no_larger_than_it_may_be_and_never_enlarged(
    tmp_path: Path, given: Size, kept: Kept, longest: int | None, wanted: Size
) -> None:
    path = write_clip(tmp_path / "take.mp4", 5, 25, lambda n: Image.new("RGB", tuple(given)))
    one = take(path, Piece(0.0, 0.2), 0.2)
    sound = write_wav(tmp_path / "voice.wav", 0.2)
    assert join([one], sound, 0.2, kept, tmp_path / "clip.mp4", TOKEN, longest).size == wanted
