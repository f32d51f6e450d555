"""Registers the speech engines that come with the package; imports none of them."""

from __future__ import annotations

from typing import Any

from avatar_core.hookspecs import hookimpl

ENGINES = {
    "hibari": (
        "renderer.speech.hibari:HibariEngine",
        "English, neural, works offline; timed words and phonemes",
    ),
    "espeak": (
        "renderer.speech.espeak:EspeakEngine",
        "over 100 languages, robotic, works offline; timed words and phonemes",
    ),
    "file": (
        "renderer.speech.recording:RecordingEngine",
        "a recording of your own: WAV, MP3, OGG, M4A and others",
    ),
    "gtts": (
        "renderer.speech.gtts:GttsEngine",
        "Google Translate's voices, online; the text leaves this machine",
    ),
    "edge": (
        "renderer.speech.edge:EdgeEngine",
        "Microsoft Edge's neural voices, online; the text leaves this machine; timed words",
    ),
}


@hookimpl
def register_speech_engines(register: Any) -> None:
    for name, (target, summary) in ENGINES.items():
        register(name, target, summary=summary)
