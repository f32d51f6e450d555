"""Words of a sound whose timing nobody knows."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.speech.estimate import estimate_words, voiced
from renderer.speech.words import settle
from support_speech import tones


def sound(folder: Path, *stretches: tuple[float, float]) -> Path:
    return tones(folder / "sound.wav", stretches, rate=48_000)


def test_a_pause_falls_between_two_sentences(tmp_path: Path) -> None:
    path = sound(tmp_path, (1.0, 0.5), (1.0, 0.0))
    words = "One two three. Four five six".split()
    spans = estimate_words(words, path)
    assert spans[2][1] == pytest.approx(1.0, abs=0.03)
    assert spans[3][0] == pytest.approx(1.5, abs=0.03)


def test_a_comma_draws_the_pause_to_it(tmp_path: Path) -> None:
    path = sound(tmp_path, (0.75, 0.4), (1.25, 0.0))
    spans = estimate_words("ta ta ta, ta ta ta ta".split(), path)
    assert spans[2][1] == pytest.approx(0.75, abs=0.03)
    assert spans[3][0] == pytest.approx(1.15, abs=0.03)


def test_more_pauses_than_marks_never_leave_words_in_the_wrong_order(tmp_path: Path) -> None:
    path = sound(tmp_path, *[(0.3, 0.3)] * 6)
    spans = estimate_words("go. stop".split(), path)
    assert spans[0][1] <= spans[1][0]
    assert spans[1][1] == pytest.approx(3.3, abs=0.05)


def test_longer_words_get_more_time(tmp_path: Path) -> None:
    (a, b) = estimate_words(["extraordinary", "on"], sound(tmp_path, (2.0, 0.0)))
    assert a[1] - a[0] > 2 * (b[1] - b[0])


def test_silence_around_the_voice_holds_no_words(tmp_path: Path) -> None:
    path = sound(tmp_path, (0.0, 0.6), (1.0, 0.8))
    spans = estimate_words(["one", "two"], path)
    assert spans[0][0] == pytest.approx(0.6, abs=0.03)
    assert spans[-1][1] == pytest.approx(1.6, abs=0.03)


def test_a_silent_recording_shares_its_length_evenly(tmp_path: Path) -> None:
    spans = estimate_words(["tick", "tock"], sound(tmp_path, (0.0, 1.0)))
    assert spans[0] == pytest.approx((0.0, 0.5), abs=0.02)
    assert spans[1] == pytest.approx((0.5, 1.0), abs=0.02)


def test_no_words_take_no_time(tmp_path: Path) -> None:
    assert estimate_words([], sound(tmp_path, (0.5, 0.0))) == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a", "long-word", "39.000đ", "stop.", "well,"]), min_size=1, max_size=20
    ),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300),
)
def test_any_loudness_gives_words_in_order(words: list[str], levels: list[float]) -> None:
    from renderer.speech.estimate import _borders, _spread

    stretches = voiced(np.array(levels, np.float32))
    spans = _spread(words, stretches, _borders(words, stretches))
    assert len(spans) == len(words)
    assert all(start <= end for start, end in spans)
    assert all(a[1] <= b[0] + 1e-6 for a, b in itertools.pairwise(spans))
    assert settle(spans, len(levels) * 0.01)
