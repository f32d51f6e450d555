"""What a face does besides speaking: the same everywhere, calm in silence, never at the ends."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from avatar_core.media_error import MediaError
from avatar_core.speech import TimedPhoneme
from backends.puppet import emphasis
from backends.puppet.blinks import blinks, schedule
from backends.puppet.chance import noise, uniform
from backends.puppet.config import PuppetOptions
from backends.puppet.emphasis import Voice, voice_of
from backends.puppet.life import CHANNELS, live
from backends.puppet.splines import spline_matrix
from support_media import write_wav, write_wav_header

FPS = 25
LID = CHANNELS.index("lid")
SEEDS = st.integers(0, 2**63 - 1)


def voice(seconds: float, speaking: float = 1.0, fps: float = FPS) -> Voice:
    """Somebody who speaks (or not) all the time, with an accent every second."""
    frames = round(seconds * fps)
    accents = [(n + 0.5, 0.4 + 0.6 * (n % 3) / 2) for n in range(int(seconds))] if speaking else []
    level = np.full(frames, 0.7 * speaking)
    return Voice(level, np.full(frames, speaking), np.array(accents).reshape(-1, 2))


def phrases(seconds: float, fps: float = FPS) -> Voice:
    """Three seconds of speech, one of silence, again and again."""
    time = np.arange(round(seconds * fps)) / fps
    speaking = (time % 4 < 3).astype(float)
    return Voice(speaking, speaking, np.zeros((0, 2)))


def column(values: np.ndarray, name: str) -> np.ndarray:
    return values[:, CHANNELS.index(name)]


# Chance


def test_chance_is_the_same_on_every_machine() -> None:
    index = np.array([-1, 0, 1, 10**6])
    assert uniform(1, 2, index).tolist() == pytest.approx(
        [0.8175540204197477, 0.3799717276602822, 0.06979517256533418, 0.517005400735009], abs=1e-15
    )


@given(seed=SEEDS, channel=st.integers(0, 200))
def test_chance_is_even_and_depends_on_seed_and_channel(seed: int, channel: int) -> None:
    index = np.arange(4000)
    values = uniform(seed, channel, index)
    assert values.min() >= 0 and values.max() < 1
    assert abs(values.mean() - 0.5) < 0.03
    counts = np.histogram(values, 10, (0, 1))[0]
    assert counts.min() > 300 and counts.max() < 500
    for other in (uniform(seed + 1, channel, index), uniform(seed, channel + 1, index)):
        assert abs(np.corrcoef(values, other)[0, 1]) < 0.1


def test_any_part_of_a_noise_is_the_same_without_what_came_before() -> None:
    time = np.arange(3000) / FPS
    whole = noise(7, 3, time, 2.5)
    assert (noise(7, 3, time[1234:1300], 2.5) == whole[1234:1300]).all()


@given(seed=SEEDS, period=st.floats(0.5, 10))
def test_noise_is_smooth_and_fills_its_range(seed: int, period: float) -> None:
    step = period / 50
    values = noise(seed, 0, np.arange(5000) * step, period)
    assert np.abs(values).max() <= 1
    assert 0.3 < values.std() < 0.5
    assert np.abs(np.diff(values, 2)).max() < 5 / 50**2


@given(places=st.lists(st.floats(0, 88), min_size=1, max_size=20), knots=st.integers(14, 20))
def test_a_spline_repeats_straight_lines_and_weighs_to_one(places: list[float], knots: int) -> None:
    matrix = spline_matrix(np.array(places), knots, 8.0)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(matrix @ ((np.arange(knots) - 1) * 8.0), places, atol=1e-3)


# Blinks


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, paused=st.booleans())
def test_blinks_come_irregularly_two_to_ten_seconds_apart(seed: int, paused: bool) -> None:
    seconds = 600.0
    heard = phrases(seconds) if paused else voice(seconds)
    moments = [when for when, _ in schedule(np.arange(600 * FPS) / FPS, heard, 1.0, seed)]
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= 2 - 1e-9 and max(gaps) <= 10 + 1e-9
    assert 3 < np.mean(gaps) < 5 and np.std(gaps) > 0.8
    assert moments[0] >= 0.6 and moments[-1] < seconds - 0.5


def test_blinks_wait_for_the_end_of_a_phrase_that_is_near() -> None:
    time = np.arange(600 * FPS) / FPS
    moments = np.array([when for when, _ in schedule(time, phrases(600), 1.0, 1)])
    at_ends = np.abs(moments % 4 - 3) < 0.05
    assert at_ends.mean() > 0.15


@pytest.mark.parametrize("fps", [12, 24, 25, 30, 60])
def test_lids_fall_fast_close_and_rise_slowly(fps: int) -> None:
    time = np.arange(60 * fps) / fps
    lids = blinks(time, voice(60, fps=fps), 1.0, 3)
    deep = [lids[i] for i in range(1, len(lids) - 1) if lids[i - 1] < lids[i] >= lids[i + 1]]
    assert len(deep) >= 6 and min(deep) > (0.75 if fps >= 24 else 0.3)
    if fps >= 60:
        falling, rising = (np.diff(lids) > 0.01).sum(), (np.diff(lids) < -0.01).sum()
        assert 1.8 < rising / falling < 3.5
        assert 0.25 < (lids > 0).sum() / fps / len(deep) < 0.45


def test_who_shall_not_blink_does_not_and_who_shall_does_twice_as_often() -> None:
    time, heard = np.arange(600 * FPS) / FPS, voice(600)
    counts = [len(schedule(time, heard, rate, 5)) for rate in (0.0, 0.5, 1.0, 2.0)]
    assert counts[0] == 0 and counts[1] < counts[2] < counts[3]
    assert counts[3] / counts[2] == pytest.approx(2, rel=0.15)
    assert not blinks(time, heard, 0.0, 5).any()


@given(seconds=st.floats(0.04, 2.0), seed=SEEDS)
def test_a_short_clip_begins_and_ends_with_open_eyes(seconds: float, seed: int) -> None:
    lids = live(voice(seconds), FPS, PuppetOptions(blink=3), seed).values[:, LID]
    edge = min(len(lids), 10)
    assert not lids[:edge].any() and not lids[-edge:].any()


# Life


def test_the_first_frame_is_the_portrait_and_the_last_one_nearly() -> None:
    values = live(voice(8), FPS, PuppetOptions(), 11).values
    assert not values[0].any()
    whole = np.abs(values).max(axis=0)
    assert (np.abs(values[-1]) <= 0.02 * whole + 1e-9).all()


def test_the_same_seed_gives_the_same_life_and_another_one_another() -> None:
    first, again, other = (live(voice(20), FPS, PuppetOptions(), seed).values for seed in (1, 1, 2))
    assert (first == again).all()
    assert np.abs(first - other).max(axis=0).min() > 0


def test_life_does_not_depend_on_the_frame_rate() -> None:
    slow = live(voice(20, fps=25), 25, PuppetOptions(), 4).values
    fast = live(voice(20, fps=50), 50, PuppetOptions(), 4).values[::2]
    inner = slice(25, -25)
    assert np.allclose(slow[inner], fast[inner], atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_a_head_moves_visibly_but_never_far(seed: int) -> None:
    values = live(voice(60), FPS, PuppetOptions(), seed).values
    for name, most in {"yaw": 5.5, "pitch": 5.5, "roll": 2.2}.items():
        degrees = np.degrees(np.abs(column(values, name)))
        assert 0.3 < degrees.max() < most
    for name in ("x", "y"):
        assert np.abs(column(values, name)).max() < 0.03
    assert column(values, "brow").min() >= -0.3 and column(values, "brow").max() <= 1
    assert column(values, "breath").min() >= 0 and column(values, "breath").max() <= 1


def test_nothing_jerks_but_eyes_and_lids() -> None:
    values = live(voice(60, fps=50), 50, PuppetOptions(), 9).values[:, :6]
    whole = np.ptp(values, axis=0)
    assert (np.abs(np.diff(values, 2, axis=0)).max(axis=0) < 0.03 * whole).all()


def test_in_silence_a_face_is_calmer_and_still_alive() -> None:
    lively, calm = (live(voice(120, s), FPS, PuppetOptions(), 6).values for s in (1.0, 0.0))
    for name in ("yaw", "pitch", "roll"):
        assert 0.2 < column(calm, name).std() / column(lively, name).std() < 0.95
    assert not column(calm, "brow").any()
    assert column(calm, "breath").std() > 0.2 and column(calm, "lid").max() > 0.7


@pytest.mark.parametrize(
    ("option", "channels"),
    [("head_motion", ["yaw", "pitch", "roll", "x", "y", "breath"]), ("blink", ["lid"]),
     ("gaze", ["gaze_x", "gaze_y"]), ("expressiveness", ["brow"])],
)  # fmt: skip
def test_every_option_can_switch_its_part_off(option: str, channels: list[str]) -> None:
    values = live(voice(30), FPS, PuppetOptions(**{option: 0}), 8).values
    for name in CHANNELS:
        assert column(values, name).any() == (name not in channels)


def test_more_head_motion_is_more_of_the_same() -> None:
    once, twice = (
        live(voice(30, 0), FPS, PuppetOptions(head_motion=n), 8).values[:, :5] for n in (1, 2)
    )
    assert np.allclose(2 * once, twice, atol=1e-6)


def test_eyes_look_at_the_viewer_most_of_the_time_and_step_quickly() -> None:
    values = live(voice(300, fps=50), 50, PuppetOptions(), 2).values[50:-50, -2:]
    away = np.hypot(*values.T)
    assert 0.4 < (away < 0.005).mean() < 0.95
    assert 0.02 < away.max() < 0.06
    assert (np.abs(np.diff(away)) > 1e-4).mean() < 0.08


@pytest.mark.parametrize("values", [
    {"expressiveness": -0.1}, {"head_motion": 2.1}, {"blink": float("nan")}, {"gaze": "wide"},
    {"seed": -1}, {"seed": 1.5}, {"lead": 1}, {"colour": "red"},
])  # fmt: skip
def test_options_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PuppetOptions(**values)  # type: ignore[arg-type]


# Emphasis


def bursts(path: Path, rate: int = 16_000) -> Path:
    """Three seconds: a quiet hum with a loud syllable at 0.5, 1.5 and 2.5 s."""
    time = np.arange(3 * rate) / rate
    loud = 0.03 + 0.5 * np.exp(-0.5 * (((time % 1) - 0.5) / 0.07) ** 2)
    samples = (loud * np.sin(2 * np.pi * 180 * time) * 32000).astype("<i2")
    return write_wav_header(path, 1, samples.tobytes(), 16, rate)


def test_loud_syllables_are_accents_where_they_are_heard(tmp_path: Path) -> None:
    heard = voice_of(bursts(tmp_path / "a.wav"), 75, FPS)
    assert heard.accents[:, 0] == pytest.approx([0.5, 1.5, 2.5], abs=0.05)
    assert heard.accents[:, 1].max() == 1
    assert heard.level[12] > 0.9 > 0.6 > heard.level[0]


def test_stressed_vowels_are_accents_where_phonemes_are_known(tmp_path: Path) -> None:
    spoken = [
        TimedPhoneme("h", 0.35, 0.42), TimedPhoneme("ə", 0.42, 0.45),
        TimedPhoneme("ˈoʊ", 0.46, 0.58), TimedPhoneme("ˈiː", 2.4, 2.6),
    ]  # fmt: skip
    heard = voice_of(bursts(tmp_path / "a.wav"), 75, FPS, spoken)
    assert heard.accents[:, 0] == pytest.approx([0.52, 2.5])


def test_pauses_are_told_from_speech(tmp_path: Path) -> None:
    rate = 16_000
    tone = (np.sin(np.arange(2 * rate) * 0.1) * 9000).astype("<i2")
    samples = np.concatenate([tone, np.zeros(2 * rate, "<i2"), tone])
    heard = voice_of(write_wav_header(tmp_path / "a.wav", 1, samples.tobytes(), 16, rate), 150, FPS)
    assert heard.speaking[25] > 0.9 and heard.speaking[75] < 0.05 and heard.speaking[125] > 0.9


@pytest.mark.parametrize(
    ("seconds", "rate", "channels"),
    [(0.01, 24_000, 1), (1.0, 8_000, 1), (1.0, 48_000, 6), (1.0, 96_000, 2)],
)
def test_every_kind_of_wav_is_heard(
    tmp_path: Path, seconds: float, rate: int, channels: int
) -> None:
    path = write_wav(tmp_path / "a.wav", seconds, rate, channels)
    heard = voice_of(path, 25, FPS)
    assert len(heard.level) == len(heard.speaking) == 25
    assert np.isfinite(heard.level).all()
    # What is shorter than half a frame falls between two of them.
    assert heard.level.max() > 0.5 or seconds < 0.02


@pytest.mark.parametrize("value", [0, 1])
def test_silence_has_neither_level_nor_accents(tmp_path: Path, value: int) -> None:
    samples = np.full(16_000, value, "<i2").tobytes()
    heard = voice_of(write_wav_header(tmp_path / "a.wav", 1, samples, 16, 16_000), 25, FPS)
    assert not heard.level.any() and not heard.speaking.any() and not len(heard.accents)


def test_samples_that_are_no_numbers_count_as_silence(tmp_path: Path) -> None:
    body = b"".join(struct.pack("<f", v) for v in (float("nan"), float("inf"), 0.5, -0.5) * 4000)
    heard = voice_of(write_wav_header(tmp_path / "a.wav", 3, body, 32, 16_000), 25, FPS)
    assert np.isfinite(heard.level).all()


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_no_sound_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(MediaError):
        voice_of(tmp_path / "a.wav", 25, FPS)


@given(
    lengths=st.lists(st.integers(0, 500), max_size=12),
    seed=st.integers(0, 1000),
)
def test_how_a_sound_is_cut_into_pieces_does_not_matter(lengths: list[int], seed: int) -> None:
    whole = np.random.default_rng(seed).standard_normal(sum(lengths)).astype(np.float32)
    cuts = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    assert np.allclose(emphasis._energies(cuts), emphasis._energies([whole]))
