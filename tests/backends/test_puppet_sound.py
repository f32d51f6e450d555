"""A recording alone in, a mouth's track out: good sound, bad sound, no sound."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.backend import AvatarRequest, Job, Size
from avatar_core.media_error import MediaError
from avatar_core.speech import Speech, SpeechRequest, TimedPhoneme, Voice
from backends.puppet import hearing, recogniser
from backends.puppet.lip_options import LipOptions
from backends.puppet.lip_sources import mouth_track
from backends.puppet.listener import by_kinds, by_rule, listen, network
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.track_from_phonemes import track_from_phonemes
from backends.puppet.track_from_sound import track_from_bands, track_from_sound
from renderer.speech.espeak import EspeakEngine

JAW, WIDE, ROUND, PRESS, TUCK, TEETH, TONGUE = range(len(CHANNELS))
TEXT = "We saw a bear. My mama made a pie, and a farmer in a boat gave Bob five big apples."


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    return EspeakEngine().speak(
        SpeechRequest(TEXT, Voice(language="en-US")), Job(tmp_path_factory.mktemp("speech"))
    )


@pytest.fixture(scope="module")
def samples(speech: Speech) -> np.ndarray:
    with wave.open(str(speech.path), "rb") as stream:
        return np.frombuffer(stream.readframes(stream.getnframes()), "<i2") / 32_768


def write(path: Path, sound: np.ndarray, rate: int = 22_050, channels: int = 1) -> Path:
    pcm = (np.clip(sound, -1, 1) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(np.repeat(pcm, channels).tobytes())
    return path


def opening(values: np.ndarray) -> np.ndarray:
    return values[:, JAW] * (1 - values[:, PRESS])


def likeness(speech: Speech, path: Path) -> float:
    """How well the track of a recording agrees with that of the phonemes in it."""
    known = track_from_phonemes(speech.phonemes, speech.duration, 25, LipOptions(variety=0))
    heard = track_from_sound(path, speech.duration, 25, LipOptions(variety=0))
    assert heard.values.shape == known.values.shape
    return float(np.corrcoef(opening(heard.values), opening(known.values))[0, 1])


def test_a_recording_moves_the_mouth_as_its_phonemes_would(speech: Speech) -> None:
    assert likeness(speech, speech.path) > 0.6


def test_that_is_better_than_loudness_alone(speech: Speech) -> None:
    known = track_from_phonemes(speech.phonemes, speech.duration, 25, LipOptions(variety=0))
    loud = hearing.bands(speech.path).sum(axis=1) ** 0.25
    frames = (np.arange(len(known.values)) + 0.5) / 25 + 0.1
    mouth = np.interp(frames, np.arange(len(loud)) / 100, hearing.smoothed(loud, 3))
    alone = float(np.corrcoef(mouth, opening(known.values))[0, 1])
    assert likeness(speech, speech.path) > alone + 0.1


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_will_do(speech: Speech, samples: np.ndarray, rate: int, tmp_path: Path) -> None:
    at = np.arange(int(len(samples) / 22_050 * rate)) * 22_050 / rate
    path = write(tmp_path / "a.wav", np.interp(at, np.arange(len(samples)), samples), rate)
    assert likeness(speech, path) > (0.45 if rate < 16_000 else 0.55)


@pytest.mark.parametrize("channels", [2, 6])
def test_several_channels_are_heard_as_one(
    speech: Speech, samples: np.ndarray, channels: int, tmp_path: Path
) -> None:
    assert likeness(speech, write(tmp_path / "a.wav", samples, channels=channels)) > 0.6


@pytest.mark.parametrize("gain", [0.02, 0.3, 8.0])
def test_quiet_and_clipped_recordings_are_heard_too(
    speech: Speech, samples: np.ndarray, gain: float, tmp_path: Path
) -> None:
    assert likeness(speech, write(tmp_path / "a.wav", samples * gain)) > 0.5


def test_a_noisy_room_does_not_matter_much(
    speech: Speech, samples: np.ndarray, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, len(samples))
    assert likeness(speech, write(tmp_path / "a.wav", samples * 0.7 + noise)) > 0.45


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(22_050 * 3),
        np.random.default_rng(1).normal(0, 1e-4, 22_050 * 3),
        np.random.default_rng(2).normal(0, 0.1, 22_050 * 3),
        0.3 * np.sin(np.arange(22_050 * 3) * 0.01),
        np.full(22_050 * 2, 0.5),
    ],
    ids=["silence", "faint hiss", "loud hiss", "hum", "direct current"],
)
def test_where_nobody_speaks_the_mouth_rests(sound: np.ndarray, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound)
    assert not track_from_sound(path, len(sound) / 22_050, 25).values.any()


def test_the_mouth_rests_in_pauses(speech: Speech, samples: np.ndarray, tmp_path: Path) -> None:
    quiet = np.zeros(22_050 * 2)
    path = write(tmp_path / "a.wav", np.concatenate([quiet, samples, quiet]))
    values = track_from_sound(path, speech.duration + 4, 25).values
    assert not values[:40].any()
    assert not values[-35:].any()
    assert values[55 : 45 + int(speech.duration * 25), JAW].mean() > 0.15


@pytest.mark.parametrize("count", [1, 50, 160, 400, 2_000, 22_050])
@pytest.mark.parametrize("fps", [25, 30])
def test_very_short_sounds_have_their_frames(count: int, fps: int, tmp_path: Path) -> None:
    sound = np.random.default_rng(3).normal(0, 0.2, count) * np.hanning(count + 2)[1:-1]
    seconds = count / 22_050
    values = track_from_sound(write(tmp_path / "a.wav", sound), seconds, fps).values
    assert values.shape == (max(1, int(np.ceil(seconds * fps - 1e-6))), len(CHANNELS))
    assert np.isfinite(values).all()


def test_a_longer_clip_than_its_sound_ends_at_rest(speech: Speech) -> None:
    values = track_from_sound(speech.path, speech.duration + 3, 25).values
    assert not values[-50:].any()


def test_a_sound_without_samples_leaves_the_mouth_at_rest() -> None:
    assert not track_from_bands(hearing.bands_of([]), 1.0, 25).values.any()
    assert not track_from_bands(np.zeros((0, hearing.BANDS)), 1.0, 25).values.any()


def test_the_same_seed_gives_the_same_track_and_another_one_another(speech: Speech) -> None:
    one, same, other = (
        track_from_sound(speech.path, speech.duration, 25, LipOptions(seed=seed)).values
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert 0 < np.abs(one - other).max() < 0.3
    assert np.array_equal(one[:, PRESS], other[:, PRESS])


def test_the_lead_is_what_was_asked(speech: Speech) -> None:
    levels = hearing.bands(speech.path)
    ahead, level = (
        track_from_bands(levels, speech.duration, 100, LipOptions(lead=lead, variety=0)).values
        for lead in (0.1, 0.0)
    )
    assert np.abs(ahead[:-20, JAW] - level[10:-10, JAW]).max() < 0.01


def test_expressiveness_scales_the_mouth(speech: Speech) -> None:
    calm, natural, none = (
        track_from_sound(speech.path, speech.duration, 25, LipOptions(expressiveness=x)).values
        for x in (0.5, 1, 0)
    )
    assert calm[:, JAW].max() == pytest.approx(natural[:, JAW].max() / 2, rel=0.01)
    assert not none.any()


def test_lips_close_somewhere_in_a_sentence_full_of_m_and_b(speech: Speech) -> None:
    values = track_from_sound(speech.path, speech.duration, 25).values
    assert 3 <= np.count_nonzero(np.diff((values[:, PRESS] == 1).astype(int)) == 1) <= 25


@pytest.mark.parametrize("gap", [0.07, 0.09, 0.12])
def test_lips_narrow_in_the_gap_of_a_stop(gap: float) -> None:
    rng = np.random.default_rng(3)
    at = np.arange(2 * hearing.RATE) / hearing.RATE
    buzz = sum(np.sin(2 * np.pi * 140 * n * at) / n for n in range(1, 30))
    sound = 0.1 * buzz + rng.normal(0, 0.02, len(at))
    sound *= 0.6 + 0.4 * np.sin(2 * np.pi * 2 * at)
    sound[np.abs(at - 1) < gap / 2] *= 0.003
    sound[at < 0.3] = 0
    found = listen(hearing.bands_of([sound.astype(np.float32)])).opening
    around = np.r_[found[82:90], found[110:118]]
    assert found[99:102].max() < 0.6 * around.min()


def test_lips_close_only_where_the_sound_itself_is_narrow(speech: Speech) -> None:
    levels = hearing.bands(speech.path)
    heard = listen(levels)
    rule = by_rule(hearing.perceived(levels))
    closed = (heard.press > 0.65) & (heard.voice > 0.5)
    assert closed.any()
    assert rule[closed].mean() < 0.85 * rule[heard.voice > 0.5].mean()


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.001, 3.0),
    st.sampled_from(["speech-like", "clicks", "noise", "sweep"]),
)
@settings(deadline=None, max_examples=40)
def test_whatever_is_heard_nothing_pops_and_nothing_leaves_its_range(
    seed: int, seconds: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    count = max(1, int(seconds * hearing.RATE))
    at = np.arange(count) / hearing.RATE
    sound = {
        "speech-like": rng.normal(0, 0.2, count) * np.maximum(np.sin(at * rng.uniform(5, 60)), 0),
        "clicks": (rng.random(count) < 0.001).astype(float),
        "noise": rng.normal(0, rng.uniform(0, 2), count),
        "sweep": np.sin(at**2 * 2_000) * (at % 0.3 < 0.2),
    }[kind]
    values = track_from_bands(hearing.bands_of([sound.astype(np.float32)]), seconds, 25).values
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1
    assert values[:, [JAW, ROUND, PRESS, TUCK, TEETH, TONGUE]].min() >= 0
    steps = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    assert steps[:, [JAW, ROUND, TEETH]].max() < 0.7
    assert steps[:, WIDE].max() < 0.75
    assert steps[:, PRESS].max() < 0.82
    opening = values[:, JAW] * (1 - values[:, PRESS]) * (1 - 0.6 * values[:, TUCK])
    assert np.abs(np.diff(opening)).max(initial=0) * 25 < 12.01


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_count_as_silence(bad: float) -> None:
    sound = np.full(16_000, bad, np.float32)
    assert not track_from_bands(hearing.bands_of([sound]), 1.0, 25).values.any()


def test_pieces_of_any_size_give_the_same_bands() -> None:
    sound = np.random.default_rng(4).normal(0, 0.1, 400_000).astype(np.float32)
    whole = hearing.bands_of([sound])
    cut = hearing.bands_of(np.split(sound, [1, 7, 90_000, 90_001, 333_333]))
    assert len(whole) == 2_501
    assert np.allclose(whole, cut)


def test_the_network_gives_every_output_and_stays_small() -> None:
    loudness = np.random.default_rng(5).random((300, hearing.BANDS))
    assert network(loudness).shape == (300, 5)
    assert np.abs(network(loudness)).max() < 10


def test_what_is_expected_of_the_kinds_of_sound_is_an_opening(speech: Speech) -> None:
    loudness = hearing.perceived(hearing.bands(speech.path))
    assert recogniser.chances(loudness).sum(axis=1) == pytest.approx(1.0)
    expected = by_kinds(loudness)
    assert 0 <= expected.min() < 0.1
    assert 0.5 < expected.max() <= 1


def test_a_pause_has_no_voice() -> None:
    heard = listen(np.zeros((200, hearing.BANDS)))
    assert not heard.voice.any()
    assert not heard.opening.any()


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x00\x00\x00\x00WAVE"])
def test_what_is_no_sound_is_told_plainly(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        track_from_sound(path, 1.0, 25)
    assert caught.value.file == path


def test_a_missing_recording_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        track_from_sound(tmp_path / "none.wav", 1.0, 25)


def test_ten_minutes_do_not_need_ten_minutes_of_memory() -> None:
    piece = np.random.default_rng(6).normal(0, 0.1, 16_000).astype(np.float32)
    levels = hearing.bands_of(piece for _ in range(600))
    assert levels.shape == (60_001, hearing.BANDS)
    assert track_from_bands(levels, 600, 25).values.shape == (15_000, len(CHANNELS))


def request(audio: Path, seconds: float, phonemes: tuple[TimedPhoneme, ...]) -> AvatarRequest:
    return AvatarRequest(None, audio, seconds, Size(64, 64), 25, phonemes=phonemes)


def test_timed_phonemes_come_before_the_sound(speech: Speech) -> None:
    known = track_from_phonemes(speech.phonemes, speech.duration, 25, language="en-US")
    chosen = mouth_track(request(speech.path, speech.duration, speech.phonemes))
    assert np.array_equal(chosen.values, known.values)


@pytest.mark.parametrize("left", [0, 3])
def test_without_phonemes_or_with_a_few_stray_ones_the_sound_decides(
    speech: Speech, left: int
) -> None:
    heard = track_from_sound(speech.path, speech.duration, 25)
    chosen = mouth_track(request(speech.path, speech.duration, speech.phonemes[:left]))
    assert np.array_equal(chosen.values, heard.values)
