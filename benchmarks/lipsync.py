"""Do the lips say what is heard? Tracks against the openings that the true phonemes call for.

    python benchmarks/lipsync.py [--quick] [--plots FOLDER]

Three engines that know their phonemes' times speak 20 sentences each. Measured: tracks from those
phonemes, tracks from the sound and its text, tracks from the sound alone (both by listeners that
never heard these voices or languages), and beside them a mouth that follows loudness and one that
never moves.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from _lip_measure import Agreement, agree, loudness_only, opening_of
from _lip_truth import Spoken, narrators
from _report import finish
from backends.puppet.hearing import bands
from backends.puppet.lip_options import LipOptions
from backends.puppet.track_from_phonemes import track_from_phonemes
from backends.puppet.track_from_sound import track_from_bands
from backends.puppet.track_from_text import track_from_text

FPS = 25
LEAD = 0.1
OPTIONS = LipOptions(lead=LEAD)
Mouth = Callable[[Spoken], "np.ndarray"]


def from_phonemes(spoken: Spoken) -> np.ndarray:
    track = track_from_phonemes(spoken.phonemes, spoken.seconds, FPS, OPTIONS, spoken.language)
    return opening_of(track)


def from_sound(spoken: Spoken) -> np.ndarray:
    return opening_of(track_from_bands(bands(spoken.path), spoken.seconds, FPS, OPTIONS))


def from_text(spoken: Spoken) -> np.ndarray:
    track = track_from_text(
        bands(spoken.path), spoken.text, (), spoken.seconds, FPS, OPTIONS, spoken.language
    )
    return from_sound(spoken) if track is None else opening_of(track)


def from_loudness(spoken: Spoken) -> np.ndarray:
    return loudness_only(spoken, FPS, LEAD)


def static(spoken: Spoken) -> np.ndarray:
    return np.zeros(int(np.ceil(spoken.seconds * FPS)))


MOUTHS: dict[str, Mouth] = {
    "phonemes": from_phonemes, "text": from_text, "sound": from_sound,
    "loudness": from_loudness, "static": static,
}  # fmt: skip


def measure(sentences: Sequence[Spoken], mouth: Mouth) -> Agreement:
    return agree([mouth(spoken) for spoken in sentences], FPS, sentences, LEAD)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="six sentences a voice")
    parser.add_argument("--plots", type=Path, help="draw the curves there (needs matplotlib)")
    chosen = parser.parse_args()
    found: dict[str, dict[str, Agreement]] = {name: {} for name in MOUTHS}
    with tempfile.TemporaryDirectory() as folder:
        for narrator in narrators():
            sentences = narrator.speak(Path(folder), 6 if chosen.quick else 20)
            for name, mouth in MOUTHS.items():
                result = found[name][narrator.name] = measure(sentences, mouth)
                print(
                    f"{narrator.name:10} {name:9} r {result.r:.3f}  lead {result.lead:+.2f} s  "
                    f"closed on {result.closed:4.0%} of p, b, m"
                )
            if chosen.plots:
                from _lip_plots import draw

                draw(chosen.plots / f"{narrator.name}.png", sentences[:4], MOUTHS, FPS, LEAD)
    finish("lipsync", *report(found))


def report(
    found: dict[str, dict[str, Agreement]],
) -> tuple[dict[str, float], dict[str, tuple[str, str, float]]]:
    metrics = {
        f"{name} r": round(float(np.mean([a.r for a in results.values()])), 3)
        for name, results in found.items()
    }
    timed = list(found["phonemes"].values())
    metrics["least phonemes r"] = round(min(a.r for a in timed), 3)
    metrics["worst lag"] = round(max(abs(a.lead - LEAD) for a in timed), 3)
    metrics["least closed"] = round(min(a.closed for a in timed), 3)
    return metrics, {
        "timed phonemes: r at least 0.85 for every voice": ("least phonemes r", ">=", 0.85),
        "the best lag within one frame of the lead": ("worst lag", "<=", 1 / FPS),
        "closed on at least 95 % of p, b and m": ("least closed", ">=", 0.95),
        "recordings with their text: r at least 0.78": ("text r", ">=", 0.78),
        "recordings alone: r at least 0.70": ("sound r", ">=", 0.70),
    }


if __name__ == "__main__":
    main()
