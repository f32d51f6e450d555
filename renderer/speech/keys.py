"""Under which key a narration is kept: everything that its sound and its notes depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, replace

from avatar_core.speech import SpeechEngine, Voice
from renderer.film import SpeechPlan
from renderer.script.markup import Break, Spoken
from renderer.speech.recording import RecordingEngine
from renderer.speech.utterances import Utterance
from renderer.store import content_key

# Changes when the same engine and text would give other notes or another sound.
_FORMAT = 1


def silence_key(samples: int) -> str:
    """The key of ``samples`` of silence."""
    return content_key(format=_FORMAT, silence=samples)


def recording_key(content: str, pieces: Sequence[Spoken]) -> str:
    """The key of a recording with this hash, whose captions show ``pieces``."""
    return content_key(
        format=_FORMAT,
        engine=RecordingEngine.revision,
        recording=content,
        pieces=[astuple(piece) for piece in pieces],
    )


def speech_key(
    name: str, engine: SpeechEngine, voice: Voice, parts: Sequence[Utterance | Break]
) -> str:
    """The key of ``parts`` as the engine called ``name`` speaks them."""
    return content_key(
        format=_FORMAT,
        engine=[name, engine.revision],
        voice=asdict(voice),
        parts=[asdict(part) for part in parts],
    )


def voice_for(name: str, plan: SpeechPlan) -> Voice:
    """The voice that the engine called ``name`` is asked for."""
    # A voice's id means something to the engine it was chosen for only.
    if plan.engines and name != plan.engines[0]:
        return replace(plan.voice, id=None)
    return plan.voice
