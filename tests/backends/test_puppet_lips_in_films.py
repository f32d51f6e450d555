"""The lips of an encoded film, found again in its frames: what benchmarks/lipsync.py rests on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_core.backend import Size
from avatar_core.speech import Voice
from renderer.speech.espeak import EspeakEngine

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from _lip_films import FPS, LEAD, PORTRAITS, in_film, in_track
from _lip_measure import Agreement, Follower, agree, loudness_only
from _lip_truth import RATE, Narrator, Spoken, closures, true_opening, wide_vowels

SIZE = Size(160, 160)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    narrator = Narrator("espeak", EspeakEngine(), Voice(), ["My mama made a big apple pie."])
    return narrator.speak(tmp_path_factory.mktemp("speech"), 1)[0]


def judged(openings: np.ndarray, spoken: Spoken) -> Agreement:
    return agree([openings], FPS, [spoken], LEAD)


def ideal(spoken: Spoken, lead: float) -> np.ndarray:
    """The opening that is called for, ``lead`` seconds ahead of the sound."""
    truth = true_opening(spoken)
    seconds = (np.arange(int(np.ceil(spoken.seconds * FPS))) + 0.5) / FPS + lead
    return np.interp(seconds, np.arange(len(truth)) / RATE, truth, right=0.0)


@pytest.mark.parametrize("portrait", PORTRAITS, ids=lambda path: path.stem)
def test_the_lips_of_a_film_say_what_is_heard(
    spoken: Spoken, portrait: Path, tmp_path: Path
) -> None:
    film = in_film(spoken, "phonemes", portrait, tmp_path, SIZE)
    found = judged(film, spoken)
    assert found.r > 0.8
    assert abs(found.lead - LEAD) <= 1 / FPS
    assert found.closed == 1
    assert found.opened > 0.7
    assert np.corrcoef(film, in_track(spoken, "phonemes"))[0, 1] > 0.85


def test_loudness_on_the_same_stage_says_it_worse(spoken: Spoken, tmp_path: Path) -> None:
    film = in_film(spoken, "loudness", PORTRAITS[0], tmp_path, SIZE)
    assert 0 < judged(film, spoken).r < 0.75


def test_a_perfect_mouth_is_perfect(spoken: Spoken) -> None:
    found = judged(ideal(spoken, LEAD), spoken)
    assert found.r > 0.99
    assert found.lead == pytest.approx(LEAD)
    # Between two frames a closure may be missed even so.
    assert found.closed > 0.8
    assert found.opened == 1


def test_a_late_mouth_is_seen_to_be_late(spoken: Spoken) -> None:
    found = judged(ideal(spoken, -0.1), spoken)
    assert found.r > 0.99
    assert found.lead == pytest.approx(-0.1)
    assert found.opened < 1


@pytest.mark.parametrize("still", [0.0, 0.4])
def test_a_mouth_that_never_moves_agrees_with_nothing(spoken: Spoken, still: float) -> None:
    found = judged(np.full(len(ideal(spoken, LEAD)), still), spoken)
    assert (found.r, found.closed, found.opened) == (0, 0, 0)


def test_a_mouth_that_opens_once_and_stays_shut_is_not_called_open(spoken: Spoken) -> None:
    once = np.zeros(len(ideal(spoken, LEAD)))
    once[:3] = 1.0
    found = judged(once, spoken)
    assert found.opened <= 0.5


def test_the_truth_knows_when_lips_meet_and_part(spoken: Spoken) -> None:
    truth = true_opening(spoken)
    middles = [truth[round((start + end) / 2 * RATE)] for start, end in closures(spoken)]
    assert len(middles) >= 6
    assert max(middles) < 0.05
    assert max(truth[round((a + b) / 2 * RATE)] for a, b in wide_vowels(spoken)) > 0.6


def test_loudness_is_a_share_of_the_loudest(spoken: Spoken) -> None:
    loud = loudness_only(spoken, FPS, LEAD)
    assert len(loud) == len(ideal(spoken, LEAD))
    assert 0 <= loud.min() < 0.1
    assert loud.max() == 1


def test_a_face_that_is_lost_is_looked_for_again() -> None:
    picture = np.asarray(Image.open(PORTRAITS[0]).convert("RGB").resize((240, 300)))
    follow = Follower()
    first = follow(picture)
    assert first is not None
    assert follow(np.zeros_like(picture)) is None
    moved = follow(np.roll(picture, 20, axis=1))
    assert moved is not None
    assert np.median(moved - first, axis=0) == pytest.approx([20, 0], abs=2)
