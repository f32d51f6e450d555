"""The engine ``edge``: Microsoft Edge's neural voices, online, with timed words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar, cast

from avatar_core.backend import Health, Job
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.speech import Speech, SpeechEngine, SpeechRequest, TimedWord, Voice
from renderer.speech.online import as_avatar_error, check_module
from renderer.speech.sound import RATE, NotSound, convert

_CONNECT_SECONDS = 5
_RECEIVE_SECONDS = 30
_POLL_SECONDS = 0.1
_TICKS = 10_000_000
# A factor of pitch becomes Hertz for a voice of this height, the middle of men's and women's.
_USUAL_HERTZ = 165

# One voice for each language; any other may be named by its id.
VOICES = {
    "ar": "ar-EG-SalmaNeural",
    "bn": "bn-IN-TanishaaNeural",
    "cs": "cs-CZ-VlastaNeural",
    "da": "da-DK-ChristelNeural",
    "de": "de-DE-KatjaNeural",
    "el": "el-GR-AthinaNeural",
    "en": "en-US-AriaNeural",
    "en-au": "en-AU-NatashaNeural",
    "en-gb": "en-GB-SoniaNeural",
    "en-in": "en-IN-NeerjaNeural",
    "es": "es-ES-ElviraNeural",
    "es-mx": "es-MX-DaliaNeural",
    "fi": "fi-FI-NooraNeural",
    "fil": "fil-PH-BlessicaNeural",
    "fr": "fr-FR-DeniseNeural",
    "fr-ca": "fr-CA-SylvieNeural",
    "he": "he-IL-HilaNeural",
    "hi": "hi-IN-SwaraNeural",
    "hu": "hu-HU-NoemiNeural",
    "id": "id-ID-GadisNeural",
    "it": "it-IT-ElsaNeural",
    "ja": "ja-JP-NanamiNeural",
    "km": "km-KH-SreymomNeural",
    "ko": "ko-KR-SunHiNeural",
    "lo": "lo-LA-KeomanyNeural",
    "ms": "ms-MY-YasminNeural",
    "my": "my-MM-NilarNeural",
    "nb": "nb-NO-PernilleNeural",
    "nl": "nl-NL-ColetteNeural",
    "no": "nb-NO-PernilleNeural",
    "pl": "pl-PL-ZofiaNeural",
    "pt": "pt-BR-FranciscaNeural",
    "pt-pt": "pt-PT-RaquelNeural",
    "ro": "ro-RO-AlinaNeural",
    "ru": "ru-RU-SvetlanaNeural",
    "sv": "sv-SE-SofieNeural",
    "ta": "ta-IN-PallaviNeural",
    "th": "th-TH-PremwadeeNeural",
    "tr": "tr-TR-EmelNeural",
    "uk": "uk-UA-PolinaNeural",
    "ur": "ur-PK-UzmaNeural",
    "vi": "vi-VN-HoaiMyNeural",
    "zh": "zh-CN-XiaoxiaoNeural",
    "zh-hk": "zh-HK-HiuMaanNeural",
    "zh-tw": "zh-TW-HsiaoChenNeural",
}


class EdgeEngine(SpeechEngine):
    """The text leaves the machine. ``proxy`` is the address of an HTTP proxy."""

    name: ClassVar[str] = "edge"
    revision: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str]] = frozenset(tag.split("-")[0] for tag in VOICES)
    needs_network: ClassVar[bool] = True

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy

    def check(self) -> Health:
        return check_module("edge_tts", "Microsoft")

    def voices(self) -> tuple[str, ...]:
        return tuple(sorted(set(VOICES.values())))

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        received = job.work_dir / "edge.mp3"
        try:
            words = asyncio.run(_receive(self._messages(request), received, job))
        except (AvatarError, Cancelled):
            raise
        except Exception as failure:
            raise as_avatar_error(self.name, failure) from failure
        target = job.work_dir / "edge.wav"
        try:
            decoded = convert(received, target, lambda seconds: job.progress(1.0))
        except NotSound as failure:
            raise AvatarError(Category.BAD_OUTPUT, f"edge sent no sound: {failure}.") from failure
        return Speech(target, decoded.samples / RATE, words)

    def _messages(self, request: SpeechRequest) -> AsyncIterator[dict[str, Any]]:
        """What the service sends: {"type": "audio", "data"} and {"type": "WordBoundary", "text",
        "offset", "duration"} in units of 100 ns. Raises `AvatarError` without the package."""
        health = self.check()
        if not health.ok:
            raise AvatarError(Category.UNSUPPORTED, health.message, advice=health.advice)
        import edge_tts

        voice = request.voice
        try:
            speaker = edge_tts.Communicate(
                request.text,
                _voice(voice),
                rate=f"{round((voice.speed - 1) * 100):+d}%",
                pitch=f"{round((voice.pitch - 1) * _USUAL_HERTZ):+d}Hz",
                boundary="WordBoundary",
                proxy=self._proxy,
                connect_timeout=_CONNECT_SECONDS,
                receive_timeout=_RECEIVE_SECONDS,
            )
        except ValueError as failure:
            raise AvatarError(
                Category.UNSUPPORTED,
                f"edge has no voice {voice.id!r}.",
                advice="Name one such as vi-VN-HoaiMyNeural (edge-tts --list-voices shows all).",
            ) from failure
        return cast("AsyncIterator[dict[str, Any]]", speaker.stream())


async def _receive(
    messages: AsyncIterator[dict[str, Any]], target: Path, job: Job
) -> tuple[TimedWord, ...]:
    """Write the sound as it comes; stops within a moment when the work is cancelled."""
    task = asyncio.ensure_future(_write(messages, target, job))
    while not task.done():
        await asyncio.wait({task}, timeout=_POLL_SECONDS)
        if job.cancelled or job.remaining == 0:
            break
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
        job.cancel.check()
        raise AvatarError(Category.TIMEOUT, "edge's service did not answer in time.")
    return task.result()


async def _write(
    messages: AsyncIterator[dict[str, Any]], target: Path, job: Job
) -> tuple[TimedWord, ...]:
    words = []
    with target.open("wb") as stream:
        async for message in messages:
            if message["type"] == "audio":
                stream.write(message["data"])
                job.progress(0.5, "receiving speech from edge")
            elif message["type"] == "WordBoundary":
                start = message["offset"] / _TICKS
                words.append(
                    TimedWord(message["text"], start, start + message["duration"] / _TICKS)
                )
    return tuple(words)


def _voice(voice: Voice) -> str:
    language = voice.language.lower()
    return voice.id or VOICES.get(language) or VOICES[language.split("-")[0]]
