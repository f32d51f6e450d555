"""Music steps back under speech by what was asked for, in the time that was asked for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from renderer.audio.ducking import gain_curve
from renderer.audio.master import build_master
from renderer.audio.plan import Placed, SoundPlan
from renderer.audio.sources import WavReader
from renderer.script.models import Ducking, Music
from support_sound import RATE, Signal, level_of, read_wav, speechlike, tone, write_wav

MUSIC_HZ = 1000.0


def curve_for(signal: Signal, folder: Path, ducking: Ducking, start: int = 4 * RATE) -> Signal:
    """The music's level in dB over 12 s, with ``signal`` spoken from ``start``."""
    reader = WavReader(write_wav(folder / "voice.wav", signal))
    curve = gain_curve([(start, reader.samples, reader)], 12 * RATE, ducking)
    return np.asarray(20 * np.log10(curve.at(0, 12 * RATE)[:, 0]))


@pytest.mark.parametrize("amount", [3.0, 12.0, 25.0])
@pytest.mark.parametrize("level", [0.01, 0.1, 0.7], ids=["quiet", "normal", "loud"])
def test_music_drops_by_the_amount_however_loud_the_voice_is(
    tmp_path: Path, amount: float, level: float
) -> None:
    voice = write_wav(tmp_path / "voice.wav", tone(4, 200, level))
    song = write_wav(tmp_path / "song.wav", tone(12, MUSIC_HZ, 0.2))
    ducking = Ducking(amount_db=amount)
    music = Music(src=song, ducking=ducking, fade_in=0, fade_out=0)
    # Quiet: the limiter must not add to what is measured.
    plan = SoundPlan(360, 30, (Placed(voice, 120, 120),), music=music, loudness=-40)
    build_master(plan, tmp_path / "master.wav", tmp_path)
    sound = read_wav(tmp_path / "master.wav")[:, 0]
    alone = level_of(sound[RATE : 3 * RATE], MUSIC_HZ)
    under = level_of(sound[5 * RATE : 7 * RATE], MUSIC_HZ)
    assert 20 * math.log10(alone / under) == pytest.approx(amount, abs=1)


def test_music_is_down_when_the_first_word_begins_and_up_after_the_release(tmp_path: Path) -> None:
    levels = curve_for(speechlike(3, 0.2), tmp_path, Ducking(amount_db=12, attack=0.2, release=1))
    assert levels[round(3.7 * RATE)] == 0
    assert levels[round(3.9 * RATE)] == pytest.approx(-6, abs=1)
    assert levels[4 * RATE] == pytest.approx(-12, abs=0.1)
    assert levels[round(7.5 * RATE)] == pytest.approx(-6, abs=2)
    assert levels[round(8.1 * RATE)] == pytest.approx(0, abs=0.1)


def test_music_stays_down_between_words_but_not_through_a_long_pause(tmp_path: Path) -> None:
    pause = np.zeros(2 * RATE)
    signal = np.concatenate([speechlike(2, 0.2), pause, speechlike(2, 0.2)])
    levels = curve_for(signal, tmp_path, Ducking(amount_db=12, release=0.3))
    assert levels[4 * RATE : round(5.8 * RATE)].max() == pytest.approx(-12, abs=0.1)
    assert levels[7 * RATE] == 0


def test_a_silent_narration_ducks_nothing(tmp_path: Path) -> None:
    assert not curve_for(np.zeros(2 * RATE), tmp_path, Ducking()).any()


@pytest.mark.parametrize("start", [0, 1, 479, 12 * RATE - 100])
def test_speech_at_the_films_edges_ducks_without_a_fault(tmp_path: Path, start: int) -> None:
    levels = curve_for(speechlike(1, 0.3), tmp_path, Ducking(), start=start)
    assert levels.min() == pytest.approx(-12, abs=0.1)


def test_the_gain_has_no_steps(tmp_path: Path) -> None:
    levels = curve_for(speechlike(3, 0.3), tmp_path, Ducking(amount_db=40, attack=0.05, release=1))
    assert np.abs(np.diff(levels)).max() < 1.1 * 40 / (0.05 * RATE)
