"""One narration from what an engine said, exact pauses, and one clock for all its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_core.backend import Job
from avatar_core.errors import AvatarError, Category
from avatar_core.speech import (
    Speech,
    SpeechEngine,
    SpeechRequest,
    TimedPhoneme,
    TimedWord,
    Voice,
)
from renderer.script.markup import Break, Spoken
from renderer.speech.estimate import estimate_words
from renderer.speech.recording import decode_recording, recording_warnings
from renderer.speech.sound import (
    RATE,
    NotSound,
    convert,
    copy_samples,
    create_wav,
    sounding,
    write_silence,
)
from renderer.speech.utterances import Utterance
from renderer.speech.words import place_words, tokens

# Engines surround their sound with up to half a second of silence. What stays lets a mouth open
# before the first sound and a last one fade.
_LEAD_SECONDS = 0.10
_TAIL_SECONDS = 0.15


@dataclass(slots=True)
class Assembly:
    """What is known of a narration while it grows; ``samples`` at 48 kHz."""

    samples: int = 0
    words: list[TimedWord] = field(default_factory=list)
    phonemes: list[TimedPhoneme] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    exact: bool = True

    def to_json(self) -> dict[str, Any]:
        """JSON-ready notes for the store."""
        return {
            "samples": self.samples,
            "words": [[word.text, word.start, word.end] for word in self.words],
            "phonemes": [[one.ipa, one.start, one.end] for one in self.phonemes],
            "warnings": list(dict.fromkeys(self.warnings)),
            "timing": "exact" if self.exact else "estimated",
        }


def speak_all(
    engine: SpeechEngine,
    parts: Sequence[Utterance | Break],
    voice: Voice,
    target: Path,
    job: Job,
) -> Assembly:
    """Speak ``parts`` into ``target`` (PCM, 48 kHz, mono); raises `AvatarError`."""
    assembly = Assembly()
    with create_wav(target) as sound:
        for i, part in enumerate(parts):
            job.progress(i / len(parts), f"speaking with {engine.name}")
            if isinstance(part, Break):
                pause = round(part.seconds * RATE)
                write_silence(sound, pause)
                assembly.samples += pause
                continue
            speech = engine.speak(SpeechRequest(part.text, voice), job)
            said = job.work_dir / f"said{i}.wav"
            samples = _normalised(engine, speech, said)
            start, end = _trimmed(said, samples, speech)
            copy_samples(said, sound, start, end)
            _note(assembly, part, speech, said, (start, end))
            said.unlink()
    return assembly


def place_recording(source: Path, pieces: Sequence[Spoken], target: Path, job: Job) -> Assembly:
    """Bring a recording into ``target`` as it is, and lay its words over its voice."""
    decoded = decode_recording(
        source, target, lambda seconds: job.progress(0, f"reading {source.name}: {seconds:.0f} s")
    )
    part, seconds = Utterance(tuple(pieces)), decoded.samples / RATE
    return Assembly(
        decoded.samples,
        list(place_words(pieces, _estimated(part, target), seconds)),
        warnings=list(recording_warnings(source, decoded)),
        exact=False,
    )


def _normalised(engine: SpeechEngine, speech: Speech, target: Path) -> int:
    try:
        samples = convert(speech.path, target, lambda seconds: None).samples
    except NotSound as failure:
        raise AvatarError(
            Category.BAD_OUTPUT, f"{engine.name} delivered no sound: {failure}."
        ) from failure
    if not samples:
        raise AvatarError(Category.BAD_OUTPUT, f"{engine.name} delivered an empty sound.")
    return samples


def _trimmed(said: Path, samples: int, speech: Speech) -> tuple[int, int]:
    """The first and last sample to keep; a sound that the engine has timed is always kept."""
    loud = sounding(said)
    if loud is None:
        return 0, samples
    timed = [(word.start, word.end) for word in speech.words]
    timed += [(phoneme.start, phoneme.end) for phoneme in speech.phonemes]
    first = min([loud[0], *(round(start * RATE) for start, _ in timed)])
    last = max([loud[1], *(round(end * RATE) for _, end in timed)])
    start = max(0, first - round(_LEAD_SECONDS * RATE))
    return start, min(samples, last + round(_TAIL_SECONDS * RATE))


def _note(
    assembly: Assembly, part: Utterance, speech: Speech, said: Path, kept: tuple[int, int]
) -> None:
    """Take over what is known of the timing, moved to where the sound now stands."""
    heard = speech.words or _estimated(part, said)
    assembly.exact = assembly.exact and bool(speech.words)
    length = (kept[1] - kept[0]) / RATE
    offset, moved = assembly.samples / RATE, kept[0] / RATE
    heard = tuple(TimedWord(w.text, w.start - moved, w.end - moved) for w in heard)
    assembly.words += [
        TimedWord(word.text, word.start + offset, word.end + offset)
        for word in place_words(part.pieces, heard, length)
    ]
    for one in speech.phonemes:
        start, end = max(0.0, one.start - moved), min(length, one.end - moved)
        if end > start:
            assembly.phonemes.append(TimedPhoneme(one.ipa, start + offset, end + offset))
    assembly.warnings += speech.warnings
    assembly.samples += kept[1] - kept[0]


def _estimated(part: Utterance, said: Path) -> tuple[TimedWord, ...]:
    words = [token.text for token in tokens(part.text)]
    spans = estimate_words(words, said)
    return tuple(TimedWord(w, start, end) for w, (start, end) in zip(words, spans, strict=True))
