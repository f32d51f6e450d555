"""Do the lips say what is heard? Encoded films against the openings that the true sounds call for.

    python benchmarks/lipsync.py [--quick] [--tracks] [--plots FOLDER]

Three voices that tell when each sound is said speak 20 sentences each. Two presenters say them in
turns, once with those times, once with the sound and its text, once with the sound alone (by
listeners that never heard these voices or languages). In every frame of the encoded films the face
is found again, and the opening of its inner lips measured. Beside them a mouth that follows the
loudness, on the same stage, and a still picture. The numbers that move the lips are measured too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from _lip_films import FPS, LEAD, MOUTHS, PORTRAITS, in_film, in_track
from _lip_measure import Agreement, agree
from _lip_truth import Spoken, narrators
from _report import finish

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ALL, _FEW = 20, 4
_PROCESSES = 2
# How open lips are: an array for each sentence, with a number for each frame.
Openings: TypeAlias = "list[NDArray[np.float64]]"


def main() -> NoReturn:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help=f"{_FEW} sentences a voice")
    parser.add_argument("--tracks", action="store_true", help="no films: ten seconds")
    parser.add_argument("--plots", type=Path, help="draw the curves there (needs matplotlib)")
    chosen = parser.parse_args()
    found: dict[tuple[str, str, str], Agreement] = {}
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(_PROCESSES) as pool:
        for narrator in narrators():
            sentences = narrator.speak(Path(name), _FEW if chosen.quick else _ALL)
            curves = tracks(sentences)
            if not chosen.tracks:
                curves |= films(sentences, Path(name), pool)
            for (kind, mouth), seen in curves.items():
                result = agree(seen, FPS, sentences, LEAD)
                found[kind, mouth, narrator.name] = result
                tell(f"{narrator.name:10} {kind:5} {mouth:9}", result)
            if chosen.plots:
                from _lip_plots import draw

                draw(chosen.plots / f"{narrator.name}.png", sentences[:4], curves, FPS, LEAD)
    finish("lipsync", summary(found), goals("track" if chosen.tracks else "film", chosen.quick))


def tracks(sentences: Sequence[Spoken]) -> dict[tuple[str, str], Openings]:
    return {("track", mouth): [in_track(spoken, mouth) for spoken in sentences] for mouth in MOUTHS}


def films(
    sentences: Sequence[Spoken], folder: Path, pool: Executor
) -> dict[tuple[str, str], Openings]:
    """The presenters take turns, so that each voice is seen on every face."""
    faces = list(islice(cycle(PORTRAITS), len(sentences)))
    return {
        ("film", mouth): list(pool.map(in_film, sentences, repeat(mouth), faces, repeat(folder)))
        for mouth in MOUTHS
    }


def tell(what: str, result: Agreement) -> None:
    print(
        f"{what} r {result.r:.3f}  lead {result.lead:+.2f} s  closed on {result.closed:4.0%} of "
        f"p, b, m  open on {result.opened:4.0%} of wide vowels",
        flush=True,
    )


def summary(found: Mapping[tuple[str, str, str], Agreement]) -> dict[str, float]:
    """For each kind of measurement and each mouth the worst of the voices, and their mean r."""
    metrics: dict[str, float] = {}
    for kind, mouth in dict.fromkeys((kind, mouth) for kind, mouth, _ in found):
        voices = [result for key, result in found.items() if key[:2] == (kind, mouth)]
        for name in ("r", "closed", "opened"):
            metrics[f"{kind} {mouth} {name}"] = min(getattr(one, name) for one in voices)
        metrics[f"{kind} {mouth} mean r"] = sum(one.r for one in voices) / len(voices)
        if metrics[f"{kind} {mouth} r"]:
            metrics[f"{kind} {mouth} lag"] = max(abs(one.lead - LEAD) for one in voices)
    return {name: round(value, 3) for name, value in metrics.items()}


def goals(kind: str, few: bool) -> dict[str, tuple[str, str, float]]:
    """What is asked for. With ``few`` sentences recordings are not judged: from one sentence to
    the next their r scatters by 0.05 to 0.08."""
    timed = {
        "timed sounds: r at least 0.85 for every voice": (f"{kind} phonemes r", ">=", 0.85),
        "the best lag within one frame of the lead": (f"{kind} phonemes lag", "<=", 1 / FPS),
        "closed on at least 95 % of p, b and m": (f"{kind} phonemes closed", ">=", 0.95),
        "open on at least 95 % of wide vowels": (f"{kind} phonemes opened", ">=", 0.95),
    }
    recorded = {
        "recordings with their text: mean r at least 0.75": (f"{kind} text mean r", ">=", 0.75),
        "recordings alone: r at least 0.70 for every voice": (f"{kind} sound r", ">=", 0.70),
    }
    return timed if few else timed | recorded


if __name__ == "__main__":
    main()
