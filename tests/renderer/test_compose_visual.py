import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moviepy import AudioClip, ColorClip, VideoClip

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from renderer.compose.visual import visual_to_video
from support_compose import FPS, SIZE, frames_of, near


def draw(visual: Any, folder: Path, frames: int = 15, **more: Any) -> Path | None:
    return visual_to_video(visual, frames, SIZE, FPS, folder / "v.mp4", scene="hook", **more)


def steps(seconds: float, size: tuple[int, int] = (40, 30)) -> VideoClip:
    return VideoClip(
        lambda t: np.full((size[1], size[0], 3), 20 + 10 * round(t * FPS), np.uint8),
        duration=seconds,
    )


def test_a_clip_becomes_a_video_frame_by_frame(tmp_path: Path) -> None:
    assert draw(steps(3), tmp_path) is None
    frames = frames_of(tmp_path / "v.mp4")
    assert frames.shape == (15, 30, 40, 3)
    assert [round((int(f[15, 20, 0]) - 20) / 10) for f in frames] == list(range(15))


def test_a_function_gets_the_seconds_and_gives_the_clip(tmp_path: Path) -> None:
    asked: list[float] = []

    def visual(seconds: float) -> VideoClip:
        asked.append(seconds)
        return steps(seconds)

    draw(visual, tmp_path, 12)
    assert asked == [0.8] and len(frames_of(tmp_path / "v.mp4")) == 12


def test_a_shorter_clip_gives_a_shorter_video(tmp_path: Path) -> None:
    draw(steps(0.4), tmp_path)
    assert len(frames_of(tmp_path / "v.mp4")) == 6


def test_a_clip_of_odd_size_and_true_colours_works(tmp_path: Path) -> None:
    draw(ColorClip((31, 17), (27, 67, 50), duration=1), tmp_path)
    frame = frames_of(tmp_path / "v.mp4")[3]
    assert frame.shape == (17, 31, 3) and near(frame[8, 15], (27, 67, 50))


def test_a_clip_larger_than_the_frame_is_stored_no_larger_than_needed(tmp_path: Path) -> None:
    draw(ColorClip((1000, 640), (255, 0, 0), duration=1), tmp_path, 2)
    assert frames_of(tmp_path / "v.mp4").shape[1:3] == (320, 500)


def test_what_is_transparent_shows_the_colour(tmp_path: Path) -> None:
    half = ColorClip((40, 40), (255, 0, 0), duration=1).with_opacity(0.5)
    draw(half, tmp_path, color="#0000ff")
    assert near(frames_of(tmp_path / "v.mp4")[2, 20, 20], (128, 0, 127))


def test_a_clips_sound_is_written_beside_it(tmp_path: Path) -> None:
    tone = AudioClip(lambda t: np.sin(2 * np.pi * 440 * t), duration=3, fps=44100)
    sound = draw(steps(3).with_audio(tone), tmp_path)
    assert sound is not None
    with wave.open(str(sound)) as wav:
        assert wav.getnframes() / wav.getframerate() == pytest.approx(1.0, abs=0.05)


def no_clip(seconds: float) -> int:
    return round(seconds)


def divides(seconds: float) -> VideoClip:
    raise ZeroDivisionError("division by zero")


def fails_later(seconds: float) -> VideoClip:
    def frame(t: float) -> Any:
        if t > 0.3:
            raise RuntimeError("out of paint")
        return np.zeros((30, 40, 3), np.uint8)

    return VideoClip(frame, duration=seconds)


def grows(seconds: float) -> VideoClip:
    return VideoClip(lambda t: np.zeros((30 + round(t * 10), 40, 3), np.uint8), duration=seconds)


@pytest.mark.parametrize(
    ("visual", "what"),
    [
        (no_clip, "int"),
        ("a text", "str"),
        (lambda: None, "TypeError"),
        (divides, "division by zero"),
        (fails_later, "out of paint"),
        (grows, "changes its size"),
    ],
)
def test_a_failing_visual_names_its_scene_in_a_sentence(
    tmp_path: Path, visual: Any, what: str
) -> None:
    with pytest.raises(InputError, match="Scene 'hook'") as caught:
        draw(visual, tmp_path)
    assert what in str(caught.value)


def test_a_cancelled_visual_stops(tmp_path: Path) -> None:
    cancel = CancelToken()

    def frame(t: float) -> Any:
        if t > 1:
            cancel.cancel()
        return np.zeros((320, 180, 3), np.uint8)

    with pytest.raises(Cancelled):
        visual_to_video(
            VideoClip(frame, duration=3600), 3600 * FPS, Size(180, 320), FPS, tmp_path / "v.mp4",
            scene="a", cancel=cancel,
        )  # fmt: skip
