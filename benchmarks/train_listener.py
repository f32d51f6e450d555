"""Teach the networks that listen to recordings: one guesses mouths, one knows kinds of sounds.

    python benchmarks/train_listener.py [FOLDER]

Writes listener.npz and recogniser.npz (into backends/puppet/models). The teacher is espeak-ng in
two dozen languages and many kinds of voices; English, Vietnamese and every neural voice stay
unseen, for benchmarks/lipsync.py to measure on. Rooms, microphones and telephone lines are imitated
on the spectra. Takes about two minutes; the same numbers every time on the same machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from _lip_truth import Narrator, Spoken, true_opening
from avatar_core.speech import Voice
from backends.puppet import hearing, listener, recogniser
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
_KINDS_HIDDEN, _KINDS_EPOCHS = 48, 6


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


@dataclass(frozen=True)
class Lesson:
    """Some moments of one sentence as heard somewhere: loudness in bands, the same with what is
    around them, what `listener.OUTPUTS` should be, and the kind of sound."""

    heard: NDArray[np.float64]
    around: NDArray[np.float64]
    mouth: NDArray[np.float64]
    kind: NDArray[np.int64]


def lessons_of(said: Spoken, rng: np.random.Generator) -> Iterator[Lesson]:
    """The same sentence in a few places."""
    track = track_from_phonemes(
        said.phonemes, said.seconds, hearing.HOPS_PER_SECOND, LipOptions(lead=0, variety=0)
    ).values
    columns = [track[:, CHANNELS.index(name)] for name in listener.OUTPUTS[1:]]
    truth, spectra = true_opening(said), spectra_of(said)
    count = min(len(spectra), len(truth), len(track))
    mouths = np.column_stack([truth[:count], *(column[:count] for column in columns)])
    kinds = kinds_in(said, count)
    for copy in range(_COPIES):
        heard = hearing.perceived(hearing.banded(elsewhere(spectra, rng)))[:count]
        some = slice(copy % _EVERY, None, _EVERY)
        around = recogniser.in_context(heard)
        yield Lesson(heard[some], around[some], mouths[some], kinds[some])


def kinds_in(said: Spoken, count: int) -> NDArray[np.int64]:
    """The kind of sound (`recogniser.CLASSES`) at each hop."""
    kinds = np.zeros(count, np.int64)
    for phoneme in said.phonemes:
        found = recogniser.classes_of(phoneme.ipa)
        edges = np.linspace(phoneme.start, phoneme.end, len(found) + 1)
        hops = np.round(edges * hearing.HOPS_PER_SECOND).astype(int)
        for kind, start, end in zip(found, hops, hops[1:], strict=False):
            kinds[start:end] = kind
    return kinds


Blame = Callable[["NDArray[np.float64]", "NDArray[np.int64]"], "NDArray[np.float64]"]


def train(
    x: NDArray, outputs: int, blame: Blame, rng: np.random.Generator, hidden: int, epochs: int
) -> dict[str, NDArray]:
    """One hidden layer, tanh; Adam (Kingma and Ba, 2015) with a cosine. ``blame`` gives the slope
    of the error by the outputs, for the moments with the given numbers."""
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
    x = (x - mean) / spread
    sizes = (x.shape[1], hidden), (hidden,), (hidden, outputs), (outputs,)
    params = [rng.normal(0, s[0] ** -0.5, s) if len(s) == 2 else np.zeros(s) for s in sizes]
    first, second = ([np.zeros_like(p) for p in params] for _ in range(2))
    step = 0
    for epoch in range(epochs):
        rate = _RATE * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        for batch in np.array_split(rng.permutation(len(x)), len(x) // _BATCH):
            inside = np.tanh(x[batch] @ params[0] + params[1])
            error = blame(inside @ params[2] + params[3], batch) / len(batch)
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


def mouths(lessons: list[Lesson], rng: np.random.Generator) -> dict[str, NDArray]:
    """Least squares, every output counting the same."""
    x, y = (np.concatenate([getattr(one, name) for one in lessons]) for name in ("heard", "mouth"))
    scale = 1 / y.var(axis=0)
    return train(x, y.shape[1], lambda out, which: (out - y[which]) * scale, rng, _HIDDEN, _EPOCHS)


def kinds(lessons: list[Lesson], rng: np.random.Generator) -> dict[str, NDArray]:
    """Cross entropy; the shares of the kinds are kept, to be made up for later."""
    x, y = (np.concatenate([getattr(one, name) for one in lessons]) for name in ("around", "kind"))
    count = len(recogniser.CLASSES)
    one_hot = np.eye(count)

    def blame(out: NDArray, which: NDArray) -> NDArray:
        odds = np.exp(out - out.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True) - one_hot[y[which]]

    learnt = train(x, count, blame, rng, _KINDS_HIDDEN, _KINDS_EPOCHS)
    return {**learnt, "prior": np.log(np.bincount(y, minlength=count) / len(y) + 1e-3)}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else listener.WEIGHTS.parent
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        lessons = [one for said in spoken(Path(folder), rng) for one in lessons_of(said, rng)]
    for name, learnt in (
        (listener.WEIGHTS.name, mouths(lessons, rng)),
        (recogniser.WEIGHTS.name, kinds(lessons, rng)),
    ):
        np.savez(target / name, **{key: v.astype(np.float32) for key, v in learnt.items()})
        print(f"{name}: {(target / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
