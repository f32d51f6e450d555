"""Teach the network that guesses mouths from recordings (backends/puppet/models/listener.npz).

    python benchmarks/train_listener.py [FILE]

Its teacher is espeak-ng in two dozen languages and many kinds of voices; English, Vietnamese and
every neural voice stay unseen, for benchmarks/lipsync.py to measure on. Rooms, microphones and
telephone lines are imitated on the spectra. Takes about two minutes; the same numbers every time
on the same machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from _lip_truth import Narrator, Spoken, true_opening
from avatar_core.speech import Voice
from backends.puppet import hearing, listener
from backends.puppet.lip_options import LipOptions
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.track_from_phonemes import track_from_phonemes
from renderer.speech.espeak import EspeakEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LANGUAGES = "de fr es it pt nl tr pl id sv hu fi ro cs hr sw eo et lv ca da nb sk sl eu".split()
_VARIANTS = (
    "m1 m3 m5 m7 f1 f2 f3 f4 f5 klatt klatt3 klatt5 anika ed linda michael steph zac robert "
    "grandma whisper"
).split()
_ROUNDS, _SENTENCES_EACH = 4, 6
_SENTENCES = (
    "Meine Mutter wohnt am blauen Fluss, wo viele alte Boote liegen und Kinder baden.",
    "Pourquoi ne pas prendre un peu de pain, du beurre et un bon verre de vin?",
    "La ventana abierta deja pasar el viento fresco de la noche hasta la cama.",
    "Domani mattina compriamo pane, formaggio, pomodori e una bottiglia di vino bianco.",
    "O homem comprou um livro velho sobre a vida dos peixes e das baleias.",
    "Wij fietsen morgen naar het bos om bomen, vogels en bloemen te bekijken.",
    "Babam sabah erken kalkar, bahçede kahve içer ve gazete okur.",
    "Moja babcia piecze pyszne ciasto z jabłkami i opowiada bajki.",
    "Ibu membeli buah mangga, pepaya dan pisang di pasar pagi.",
    "Barnen sjunger om sommaren medan båten sakta lämnar hamnen.",
    "A kisfiú labdázik a barátaival, amíg be nem jön a vacsora.",
    "Famfoma hefei pomuva, bimi sasho tupe lakoni wewa mumbi faveli opapa.",
)
_COPIES, _EVERY = 4, 4
_HIDDEN, _EPOCHS, _RATE, _BATCH, _DECAY = 32, 12, 3e-3, 256, 1e-4


def spoken(folder: Path, rng: np.random.Generator) -> Iterator[Spoken]:
    """Every language as itself and in other voices, fast and slow, high and low."""
    for number in range(_ROUNDS):
        for language in _LANGUAGES:
            variant = f"+{rng.choice(_VARIANTS)}" if number else ""
            voice = Voice(
                id=language + variant, language=language,
                speed=float(rng.uniform(0.8, 1.4)), pitch=float(rng.uniform(0.75, 1.4)),
            )  # fmt: skip
            chosen = [str(text) for text in rng.permutation(_SENTENCES)[:_SENTENCES_EACH]]
            yield from Narrator(voice.id or "", EspeakEngine(), voice, chosen).speak(
                folder, _SENTENCES_EACH
            )


def spectra_of(said: Spoken) -> NDArray[np.float64]:
    """The power spectra of one sentence, at the rate of `hearing`."""
    frame = av.AudioFrame.from_ndarray(said.sound[None], format="flt", layout="mono")
    frame.rate = said.rate // gcd(said.rate, 1)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=hearing.RATE)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    margin = np.zeros(200, np.float32)
    return hearing.power(np.concatenate([margin, *(p.to_ndarray()[0] for p in parts), margin]))


def elsewhere(spectra: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The same sentence in another room, over another microphone."""
    hertz = np.linspace(0, hearing.RATE / 2, spectra.shape[1])
    octaves = np.log2(np.maximum(hertz, 50) / 1000)
    gain = rng.normal(0, 3) * octaves
    for _ in range(2):
        gain += rng.normal(0, 3) * np.cos(octaves * rng.uniform(0.5, 2) + rng.uniform(0, 6))
    changed = spectra * 10 ** (gain / 10)
    hiss = 10 ** (rng.normal(-0.3, 0.3) * octaves)
    loud = np.percentile(changed.sum(axis=1), 95) * 10 ** -rng.uniform(2.5, 5.5)
    changed += loud * hiss / hiss.sum() * rng.exponential(1, changed.shape)
    if rng.random() < 0.15:
        changed *= np.where(hertz < 3800, 1, 1e-4)
    if rng.random() < 0.4:
        echo = rng.uniform(0.6, 0.9) ** np.arange(30)
        late = np.column_stack([np.convolve(c, echo)[: len(c)] for c in changed.T])
        changed += 0.1 * rng.random() * late
    return changed


def lesson(said: Spoken, rng: np.random.Generator) -> Iterator[tuple[NDArray, NDArray]]:
    """Loudness in bands and what `listener.OUTPUTS` should be, a few times over."""
    track = track_from_phonemes(
        said.phonemes, said.seconds, hearing.HOPS_PER_SECOND, LipOptions(lead=0, variety=0)
    ).values
    columns = [track[:, CHANNELS.index(name)] for name in listener.OUTPUTS[1:]]
    truth = true_opening(said)
    spectra = spectra_of(said)
    count = min(len(spectra), len(truth), len(track))
    answers = np.column_stack([truth[:count], *(column[:count] for column in columns)])
    for copy in range(_COPIES):
        heard = hearing.perceived(hearing.banded(elsewhere(spectra, rng)))[:count]
        yield heard[copy % _EVERY :: _EVERY], answers[copy % _EVERY :: _EVERY]


def train(x: NDArray, y: NDArray, rng: np.random.Generator) -> dict[str, NDArray]:
    """One hidden layer, tanh, mean square error; Adam (Kingma and Ba, 2015) with a cosine."""
    mean, spread, scale = x.mean(axis=0), x.std(axis=0) + 1e-3, 1 / y.var(axis=0)
    x = (x - mean) / spread
    sizes = (x.shape[1], _HIDDEN), (_HIDDEN,), (_HIDDEN, y.shape[1]), (y.shape[1],)
    params = [rng.normal(0, s[0] ** -0.5, s) if len(s) == 2 else np.zeros(s) for s in sizes]
    params[3] = y.mean(axis=0)
    first, second = ([np.zeros_like(p) for p in params] for _ in range(2))
    step = 0
    for epoch in range(_EPOCHS):
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * epoch / _EPOCHS))
        for batch in np.array_split(rng.permutation(len(x)), len(x) // _BATCH):
            inside = np.tanh(x[batch] @ params[0] + params[1])
            error = (inside @ params[2] + params[3] - y[batch]) * scale / len(batch)
            back = (error @ params[2].T) * (1 - inside**2)
            slopes = [
                x[batch].T @ back + _DECAY * params[0], back.sum(axis=0),
                inside.T @ error + _DECAY * params[2], error.sum(axis=0),
            ]  # fmt: skip
            step += 1
            for i, slope in enumerate(slopes):
                first[i] = 0.9 * first[i] + 0.1 * slope
                second[i] = 0.999 * second[i] + 0.001 * slope**2
                size = np.sqrt(second[i] / (1 - 0.999**step)) + 1e-8
                params[i] = params[i] - rate * first[i] / (1 - 0.9**step) / size
    w1 = params[0] / spread[:, None]
    return {"w1": w1, "b1": params[1] - mean @ w1, "w2": params[2], "b2": params[3]}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else listener.WEIGHTS
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        lessons = [pair for said in spoken(Path(folder), rng) for pair in lesson(said, rng)]
    x, y = (np.concatenate(parts) for parts in zip(*lessons, strict=True))
    learnt = train(x, y, rng)
    np.savez(target, **{name: values.astype(np.float32) for name, values in learnt.items()})
    print(f"{len(x)} moments of {len(lessons) // _COPIES} sentences; {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
