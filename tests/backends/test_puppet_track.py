"""Timed phonemes in, a mouth's track out: contacts reached, no popping, rest, lead, sameness."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avatar_core.backend import Job
from avatar_core.speech import SpeechRequest, TimedPhoneme, Voice
from backends.puppet import ipa
from backends.puppet.lip_options import LipOptions
from backends.puppet.mouth_track import CHANNELS, MouthTrack
from backends.puppet.track_from_phonemes import track_from_phonemes
from renderer.speech.espeak import EspeakEngine
from renderer.speech.hibari import HibariEngine

JAW, WIDE, ROUND, PRESS, TUCK, TEETH, TONGUE = range(len(CHANNELS))
SOUNDS = "p b m f v w t d s ʃ tʃ k ŋ h l ɹ a ˈa ɑː i ˈiː u uː ɔ ɛ ə aɪ oʊ ɨ (en) ˥".split()
# The shortest and longest that the engines were heard to make at any speed.
LENGTHS = st.floats(0.001, 0.4)


def say(*sounds: tuple[str, float], start: float = 0.0) -> list[TimedPhoneme]:
    """Phonemes one after the other; "_" is silence."""
    said, at = [], start
    for sound, seconds in sounds:
        if sound != "_":
            said.append(TimedPhoneme(sound, at, at + seconds))
        at += seconds
    return said


def track(
    phonemes: Sequence[TimedPhoneme], seconds: float | None = None, fps: float = 25.0, **more: float
) -> MouthTrack:
    seconds = max((p.end for p in phonemes), default=0.0) if seconds is None else seconds
    return track_from_phonemes(phonemes, seconds, fps, LipOptions(**more))  # type: ignore[arg-type]


def frames_of(phoneme: TimedPhoneme, frames: int, fps: float, lead: float) -> slice:
    """Those that show ``phoneme``, one more on each side."""
    first = int((phoneme.start - lead) * fps) - 1
    last = int((phoneme.end - lead) * fps) + 2
    return slice(min(max(first, 0), frames - 1), max(last, 1))


sequences = st.lists(st.tuples(st.sampled_from([*SOUNDS, "_"]), LENGTHS), min_size=1, max_size=60)


@given(sequences, st.sampled_from([24.0, 25.0, 29.97, 30.0, 50.0, 60.0]), st.floats(0.08, 0.12))
@example([("b", 0.001), ("a", 0.02)] * 20, 25.0, 0.1)
@settings(deadline=None)
def test_lips_close_for_a_whole_frame_on_every_p_b_m_however_fast(
    sounds: list[tuple[str, float]], fps: float, lead: float
) -> None:
    said = say(*sounds)
    values = track(said, fps=fps, lead=lead).values if said else np.zeros((1, 7))
    for phoneme in said:
        if phoneme.ipa in ("p", "b", "m"):
            shown = values[frames_of(phoneme, len(values), fps, lead), PRESS]
            assert shown.max() == 1


@given(sequences)
@settings(deadline=None)
def test_nothing_pops_and_nothing_leaves_its_range(sounds: list[tuple[str, float]]) -> None:
    values = track(say(*sounds)).values
    assert np.isfinite(values).all()
    assert values[:, [JAW, ROUND, PRESS, TUCK, TEETH, TONGUE]].min() >= 0
    assert np.abs(values).max() <= 1
    steps = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    assert steps[:, [JAW, ROUND, TEETH, TONGUE]].max() < 0.5
    assert steps[:, WIDE].max() < 0.75
    # Lips meet and part within two frames or more, as people's do.
    assert steps[:, PRESS].max() < 0.82
    assert steps[:, TUCK].max() < 0.85


@given(sequences, st.sampled_from([24.0, 25.0, 30.0, 50.0]), st.floats(0, 2))
@settings(deadline=None)
def test_lips_are_never_faster_than_peoples_and_close_all_the_same(
    sounds: list[tuple[str, float]], fps: float, expressiveness: float
) -> None:
    said = say(*sounds)
    values = track(said, fps=fps, expressiveness=expressiveness).values
    opening = values[:, JAW] * (1 - values[:, PRESS]) * (1 - 0.6 * values[:, TUCK])
    assert np.abs(np.diff(opening)).max(initial=0) * fps < 12.01
    assert opening[values[:, PRESS] == 1].max(initial=0) == 0


@given(sequences)
@settings(deadline=None, max_examples=40)
def test_acceleration_is_limited(sounds: list[tuple[str, float]]) -> None:
    values = track(say(*sounds), fps=100.0).values[:, [JAW, WIDE, ROUND, TEETH, TONGUE]]
    assert np.abs(np.diff(values, 2, axis=0)).max(initial=0) * 100**2 < 2_000


@pytest.mark.parametrize("sound", ["f", "v"])
def test_the_lip_reaches_the_teeth_for_a_whole_frame(sound: str) -> None:
    for seconds in (0.01, 0.05, 0.15):
        values = track(say(("a", 0.15), (sound, seconds), ("a", 0.15))).values
        assert values[:, TUCK].max() == 1


def test_a_long_rest_stays_a_rest_to_the_last_bit() -> None:
    said = say(
        *[("a", 0.1), ("b", 0.1)] * 3, ("_", 900.0), *[("f", 0.05), ("m", 0.05), ("a", 0.2)] * 3
    )
    values = track(said).values
    assert np.isfinite(values).all() and values.min() >= -1
    assert not values[50 : 890 * 25].any()


def test_lips_that_press_let_go_of_the_teeth() -> None:
    values = track(say(("a", 0.1), ("v", 0.06), ("b", 0.06), ("a", 0.1))).values
    assert (values[:, TUCK] + values[:, PRESS]).max() < 1.4
    assert values[values[:, PRESS] == 1, TUCK].max() == 0
    assert values[:, TUCK].max() > 0.6


@pytest.mark.parametrize("lead", [0.0, 0.08, 0.1, 0.12])
def test_the_lips_lead_by_what_was_asked(lead: float) -> None:
    said = say(("_", 0.5), *[("t", 0.1), ("a", 0.2), ("s", 0.1), ("i", 0.15)] * 8)
    values = track(said, seconds=6, fps=100.0, lead=lead, variety=0).values[:, JAW]
    expected = np.zeros(600)
    for phoneme in said:
        if phoneme.ipa == "a":
            expected[round(phoneme.start * 100) : round(phoneme.end * 100)] = 0.8
    shifts = range(-30, 31)
    best = max(shifts, key=lambda n: float(np.corrcoef(np.roll(values, n), expected)[0, 1]))
    assert best / 100 == pytest.approx(lead, abs=0.03)


def test_a_pause_brings_the_mouth_back_to_the_portrait() -> None:
    said = say(("_", 0.6), ("a", 0.3), ("_", 1.0), ("u", 0.3), ("_", 2.0))
    values = track(said, seconds=4.2).values
    for second in (0.1, 1.4, 3.0, 4.1):
        assert not values[int(second * 25)].any()
    assert values[int(0.65 * 25), JAW] > 0.5


def test_a_short_gap_within_a_phrase_is_no_rest() -> None:
    values = track(say(("a", 0.3), ("_", 0.06), ("a", 0.3))).values
    assert values[2:13, JAW].min() > 0.5


def test_the_mouth_does_not_shut_before_the_voice_ends() -> None:
    said = say(("_", 0.5), ("a", 0.3))
    values = track(said, seconds=2.0, fps=100.0).values
    assert values[74, JAW] > 0.25
    assert values[110:, JAW].max() < 0.05


def test_silence_or_no_phonemes_is_the_mouth_of_the_portrait() -> None:
    assert not track([], seconds=3.0).values.any()
    assert not track(say(("(en)", 0.5), ("˥", 0.5))).values.any()


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"),
    [(0.0, 25, 1), (0.01, 25, 1), (1.0, 25, 25), (1.01, 25, 26), (2.0000000001, 30, 60)],
)
def test_there_are_as_many_frames_as_cover_the_sound(
    seconds: float, fps: float, frames: int
) -> None:
    made = track(say(("a", 0.5)), seconds=seconds, fps=fps)
    assert made.values.shape == (frames, len(CHANNELS))
    assert made.values.dtype == np.float32
    assert made.fps == fps


def test_the_same_seed_gives_the_same_track_and_another_one_another() -> None:
    said = say(*[(sound, 0.1) for sound in SOUNDS])
    first, again = track(said, seed=7), track(said, seed=7)
    other = track(said, seed=8)
    assert np.array_equal(first.values, again.values)
    assert 0.005 < np.abs(first.values - other.values)[:, JAW].max() < 0.2
    assert np.array_equal(first.values[:, PRESS], other.values[:, PRESS])


def test_the_order_and_nonsense_among_the_phonemes_do_not_matter() -> None:
    said = say(("m", 0.1), ("a", 0.2), ("p", 0.05))
    mixed = [
        said[2], TimedPhoneme("a", 9.0, 9.5), TimedPhoneme("a", float("nan"), 1.0), said[0],
        TimedPhoneme("b", 0.2, 0.2), TimedPhoneme("b", 0.3, 0.1), TimedPhoneme("b", -2.0, -1.0),
        said[1],
    ]  # fmt: skip
    assert np.array_equal(track(mixed, seconds=0.35).values, track(said, seconds=0.35).values)


def test_expressiveness_scales_the_mouth_but_not_its_contacts() -> None:
    said = say(("b", 0.1), ("a", 0.2), ("uː", 0.2), ("f", 0.1), ("iː", 0.2))
    calm, natural, lively, none = (track(said, expressiveness=x).values for x in (0.5, 1, 1.6, 0))
    assert calm[:, JAW].max() == pytest.approx(natural[:, JAW].max() / 2, rel=0.01)
    assert lively[:, JAW].max() > natural[:, JAW].max()
    for values in (calm, natural, lively):
        assert values[:, PRESS].max() == values[:, TUCK].max() == 1
        assert np.abs(values).max() <= 1
    assert not none[:, [JAW, WIDE, ROUND, PRESS, TUCK]].any()


def test_lips_round_before_the_round_vowel_is_heard() -> None:
    said = say(("_", 0.5), ("s", 0.1), ("t", 0.06), ("uː", 0.3))
    values = track(said, seconds=1.5, fps=100.0, lead=0.0).values
    assert values[round(said[-1].start * 100), ROUND] > 0.35
    assert values[round(said[0].start * 100), ROUND] < 0.1


def test_neighbours_colour_a_sound_that_insists_on_nothing() -> None:
    near_u = track(say(("u", 0.2), ("k", 0.08), ("u", 0.2)), fps=100.0, variety=0).values
    near_i = track(say(("i", 0.2), ("k", 0.08), ("i", 0.2)), fps=100.0, variety=0).values
    middle = round((0.24 - 0.1) * 100)
    assert near_u[middle, ROUND] > 0.6
    assert near_i[middle, WIDE] > 0.4


def test_vietnamese_finals_after_round_vowels_bring_the_lips_together() -> None:
    said = say(("h", 0.07), ("ˈɔ", 0.16), ("k", 0.05), ("_", 0.3))
    nearly = track_from_phonemes(said, 0.6, 25, language="vi-VN").values[:, PRESS]
    assert 0.4 < nearly.max() < 0.9
    assert track_from_phonemes(said, 0.6, 25, language="en-US").values[:, PRESS].max() == 0
    begins = say(("ˈo", 0.16), ("k", 0.05), ("ˈa", 0.2))
    assert track_from_phonemes(begins, 0.4, 25, language="vi").values[:, PRESS].max() == 0


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0, 2.5])
@pytest.mark.parametrize("engine", ["hibari", "espeak en", "espeak vi"])
def test_what_the_engines_say_closes_at_any_speed(
    engine: str, speed: float, tmp_path: Path
) -> None:
    name, _, language = engine.partition(" ")
    text = (
        "Bà ấy mua bốn bắp ngô mập mạp." if language == "vi"
        else "Pam put a purple bump map back up, maybe by mid-summer."
    )  # fmt: skip
    voice = Voice(language=language or "en", speed=speed)
    speaker = HibariEngine() if name == "hibari" else EspeakEngine()
    said = speaker.speak(SpeechRequest(text, voice), Job(tmp_path))
    values = track_from_phonemes(said.phonemes, said.duration, 25, language=language).values
    closures = [p for p in said.phonemes if any(s.place == ipa.BILABIAL for s in ipa.sounds(p.ipa))]
    assert len(closures) > 5
    for phoneme in closures:
        assert values[frames_of(phoneme, len(values), 25, 0.1), PRESS].max() == 1
    assert values[:, JAW].max() > 0.4


def test_ten_minutes_take_well_under_a_second_and_little_memory() -> None:
    said = say(*[(SOUNDS[n % len(SOUNDS)], 0.08) for n in range(7_500)])
    started = time.thread_time()
    made = track(said, seconds=600, fps=30)
    assert time.thread_time() - started < 1.0
    assert len(made.values) == 18_000
    tracemalloc.start()
    track(said, seconds=600, fps=30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


def test_one_long_sound_is_held_all_along() -> None:
    made = track(say(("m", 30.0), ("a", 60.0)))
    assert made.values[10:700, PRESS].min() == 1
    assert made.values[800:2200, JAW].min() > 0.6
    assert replace(made, fps=30.0).fps == 30.0
