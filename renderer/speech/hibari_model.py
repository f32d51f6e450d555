"""The voice model of hibari-tts with its timing: loaded once, shared by all threads."""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_VOICE = "heart"
RATE = 24_000
# The tensor of hibari-tts 0.2.1 that holds how long each symbol lasts, in units of 25 ms.
_DURATIONS = b"/Clip_output_0"
DURATION_UNIT = 0.025
# The symbols lie this much behind the sound: best agreement of voiced symbols with voiced sound
# at speeds 0.7, 1.0 and 1.5.
LATENESS = 0.05
MAX_SYMBOLS = 250
_CLAUSE_MARKS = frozenset(";:,.!?—…")
# The number reader knows no name for more figures than this.
_LONG_NUMBER = re.compile(r"\d{16,}")


@dataclass(slots=True)
class Phrase:
    """What the model says at once: symbols, and for each the index of its word or None."""

    words: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    owners: list[int | None] = field(default_factory=list)

    def add(self, word: str, symbols: Iterable[str]) -> None:
        self.words.append(word)
        for symbol in symbols:
            self.symbols.append(symbol)
            self.owners.append(len(self.words) - 1)
        self.symbols.append(" ")
        self.owners.append(None)


@dataclass(frozen=True, slots=True)
class Said:
    """A phrase's sound (float32, mono, 24 kHz) and how long each symbol lasts in seconds, the
    silence before the first and after the last included; None without durations."""

    sound: NDArray[np.float32]
    seconds: list[float] | None


class Model:
    """One voice. Text processing is guarded, the network itself may run in several threads."""

    def __init__(self, voice: str) -> None:
        from hibari import Hibari
        from hibari.voices import voice_path

        path = Path(voice_path(voice))
        self.timed, session = _open(path)
        # The constructor loads the model once more, which takes 0.1 s and is freed at once.
        self._hibari = Hibari(voice=voice)
        self._hibari.sess = session
        self._session = session
        self._lock = threading.Lock()

    def phrases(self, text: str) -> Iterator[tuple[Phrase, list[str]]]:
        """The text's phrases, each with the words that cannot be said and are left out."""
        text = _LONG_NUMBER.sub(lambda number: " ".join(number[0]), text)
        for sentence in self._hibari.split_sentences(text):
            with self._lock:
                spoken = self._read(sentence)
            dropped = [word for word, symbols in spoken if not symbols and _is_word(word)]
            kept = [(word, symbols) for word, symbols in spoken if symbols]
            if not any(_says_something(symbols) for _, symbols in kept):
                yield Phrase(), dropped
                continue
            for phrase in _cut(kept):
                yield phrase, dropped
                dropped = []

    def _read(self, sentence: str) -> list[tuple[str, str]]:
        """Words with their symbols; those that the library stumbles over are read as plain
        figures and letters, or have no symbols."""
        try:
            return list(self._words(sentence))
        except ValueError:
            # hibari-tts 0.2.1 takes raised figures before letters ("¹A") for a number.
            return [pair for word in sentence.split() for pair in self._read_word(word)]

    def _read_word(self, word: str) -> list[tuple[str, str]]:
        for text in (word, unicodedata.normalize("NFKC", word)):
            try:
                symbols = "".join(symbols for _, symbols in self._words(text))
            except ValueError:
                continue
            return [(word, symbols)]
        return [(word, "")]

    def _words(self, sentence: str) -> Iterator[tuple[str, str]]:
        """Words as they are read out, with their symbols."""
        from hibari.g2p import normalize

        g2p, known = self._hibari.g2p, self._hibari.vocab
        word, symbols = "", ""
        for token in g2p.phonemize_tokens(g2p.tokenize(normalize(sentence))):
            word += token.text
            symbols += "".join(char for char in token.phonemes or "" if char in known)
            if token.whitespace:
                yield word, symbols
                word, symbols = "", ""
        if word:
            yield word, symbols

    def say(self, phrase: Phrase, speed: float) -> Said:
        import numpy as np
        from hibari import dsp

        ids = self._hibari.ids("".join(phrase.symbols[:-1]))
        inputs = {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)}
        spectrum, durations = [], None
        for output, value in zip(
            self._session.get_outputs(), self._session.run(None, inputs), strict=True
        ):
            if output.name.encode() == _DURATIONS:
                durations = [float(units) * DURATION_UNIT for units in value]
            else:
                spectrum.append(value[0])
        # A fixed seed: the same text gives the same file.
        sound = dsp.synth(*spectrum, np.random.default_rng(0))
        return Said(sound, durations)


def _open(path: Path) -> tuple[bool, Any]:
    """The session, with the durations as one more output if the model has them."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    providers = ["CPUExecutionProvider"]
    content = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(
            content + _output(_DURATIONS), options, providers=providers
        )
        return True, session
    except Exception:
        # Another model, another name: the voice speaks all the same, its words are estimated.
        return False, onnxruntime.InferenceSession(content, options, providers=providers)


def _output(name: bytes) -> bytes:
    """A graph output called ``name`` in protobuf's wire format.

    Appended to a model it is merged into it, because protobuf joins a message that occurs twice
    (https://protobuf.dev/programming-guides/encoding/#last-one-wins). ModelProto.graph is field 7,
    GraphProto.output field 12, ValueInfoProto.name field 1 (onnx.proto).
    """
    return _message(7, _message(12, _message(1, name)))


def _message(number: int, content: bytes) -> bytes:
    # One byte of length is enough for what is written here.
    return bytes([number << 3 | 2, len(content)]) + content


def _is_word(word: str) -> bool:
    return any(char.isalnum() for char in word)


def _says_something(symbols: str) -> bool:
    return any(char.isalpha() for char in symbols)


def _cut(words: Sequence[tuple[str, str]]) -> Iterator[Phrase]:
    """Phrases that the model can take, cut after a clause if there is one."""
    phrase = Phrase()
    for i, (word, symbols) in enumerate(words):
        symbols = symbols[:MAX_SYMBOLS]
        ahead = len(_clause(words[i:])) if phrase.symbols and _ends_clause(words[i - 1][1]) else 0
        if phrase.symbols and (
            len(phrase.symbols) + len(symbols) > MAX_SYMBOLS
            or len(phrase.symbols) + ahead > MAX_SYMBOLS
        ):
            yield phrase
            phrase = Phrase()
        phrase.add(word, symbols)
    if phrase.symbols:
        yield phrase


def _ends_clause(symbols: str) -> bool:
    return symbols[-1:] in _CLAUSE_MARKS


def _clause(words: Sequence[tuple[str, str]]) -> str:
    text = ""
    for _, symbols in words:
        text += symbols + " "
        if _ends_clause(symbols) or len(text) > MAX_SYMBOLS:
            break
    return text


_models: dict[str, Model] = {}
_models_lock = threading.Lock()


def load(voice: str) -> Model:
    """The voice's model; loaded by the first who asks."""
    with _models_lock:
        if voice not in _models:
            _models[voice] = Model(voice)
        return _models[voice]


@functools.cache
def known_voices() -> dict[str, bool]:
    """Voices by name; True for one that is on this machine."""
    from hibari.voices import VOICES, voice_path

    found = {}
    for name in VOICES:
        try:
            found[name] = Path(voice_path(name, download_missing=False)).is_file()
        except FileNotFoundError:
            found[name] = False
    return found
