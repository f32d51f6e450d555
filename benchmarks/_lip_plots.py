"""Curves of mouths over the waveform, to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from _lip_truth import RATE, Spoken, true_opening


def draw(
    path: Path,
    sentences: Sequence[Spoken],
    curves: Mapping[tuple[str, str], Sequence[np.ndarray]],
    fps: float,
    lead: float,
) -> None:
    """One row a sentence: the sound, the truth (``lead`` ahead), and each mouth's opening as a
    share of its widest."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    path.parent.mkdir(parents=True, exist_ok=True)
    _, rows = plt.subplots(len(sentences), 1, figsize=(18, 4 * len(sentences)), squeeze=False)
    for number, (row, spoken) in enumerate(zip(rows[:, 0], sentences, strict=True)):
        at = np.arange(len(spoken.sound)) / spoken.rate
        row.plot(at, 0.3 * spoken.sound / np.abs(spoken.sound).max() - 0.3, lw=0.3, color="grey")
        truth = true_opening(spoken)
        row.plot(np.arange(len(truth)) / RATE - lead, truth, "k", label="truth")
        for name, openings in curves.items():
            seen = openings[number] / max(float(openings[number].max()), 1e-9)
            row.step(np.arange(len(seen)) / fps, seen, where="post", lw=0.9, label=" ".join(name))
        for phoneme in spoken.phonemes:
            row.text((phoneme.start + phoneme.end) / 2 - lead, 1.03, phoneme.ipa, ha="center")
        row.set_ylim(-0.6, 1.12)
    rows[0, 0].legend(loc="lower right")
    plt.tight_layout()
    plt.savefig(path, dpi=60)
    plt.close()
