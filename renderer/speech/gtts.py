"""The engine ``gtts``: the voices of Google Translate, online, without timing."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from avatar_core.backend import Health, Job
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.speech import Speech, SpeechEngine, SpeechRequest, Voice
from renderer.speech.online import as_avatar_error, check_module
from renderer.speech.sound import RATE, NotSound, convert

_TIMEOUTS = (5.0, 20.0)
_ACCENTS = {"en-au": "com.au", "en-gb": "co.uk", "en-in": "co.in", "en-ca": "ca", "es-mx": "com.mx"}
_TEMPO_RANGE = (0.5, 2.0)

LANGUAGES = frozenset(
    """
    af am ar bg bn bs ca cs cy da de el en es et eu fi fil fr gl gu ha he hi hr hu id is it iw ja
    jv jw km kn ko la lt lv ml mr ms my nb ne nl no pa pl pt ro ru si sk sq sr su sv sw ta te th tl
    tr uk ur vi yue zh
    """.split()
)
# What the service calls otherwise than BCP-47.
_CODES = {
    "fil": "tl",
    "fr-ca": "fr-CA",
    "he": "iw",
    "jv": "jw",
    "nb": "no",
    "pt-pt": "pt-PT",
    "zh": "zh-CN",
    "zh-hant": "zh-TW",
    "zh-tw": "zh-TW",
}


class GttsEngine(SpeechEngine):
    """One request for about 100 letters; the text leaves the machine."""

    name: ClassVar[str] = "gtts"
    revision: ClassVar[str] = "1"
    languages: ClassVar[frozenset[str]] = LANGUAGES
    needs_network: ClassVar[bool] = True

    def check(self) -> Health:
        return check_module("gtts", "Google Translate")

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        health = self.check()
        if not health.ok:
            raise AvatarError(Category.UNSUPPORTED, health.message, advice=health.advice)
        received = job.work_dir / "gtts.mp3"
        self._receive(request, received, job)
        target = job.work_dir / "gtts.wav"
        low, high = _TEMPO_RANGE
        tempo = min(max(request.voice.speed, low), high)
        try:
            decoded = convert(received, target, lambda seconds: job.progress(1.0), tempo=tempo)
        except NotSound as failure:
            raise AvatarError(Category.BAD_OUTPUT, f"gtts sent no sound: {failure}.") from failure
        return Speech(target, decoded.samples / RATE, warnings=_warnings(request.voice))

    def _receive(self, request: SpeechRequest, target: Path, job: Job) -> None:
        from gtts import gTTS

        try:
            speaker = gTTS(
                request.text,
                tld=_ACCENTS.get(request.voice.language.lower(), "com"),
                lang=_code(request.voice.language),
                lang_check=False,
                timeout=_TIMEOUTS,
            )
            with target.open("wb") as stream:
                for part in speaker.stream():
                    stream.write(part)
                    job.progress(0.5, "receiving speech from gtts")
        except (AvatarError, Cancelled):
            raise
        except AssertionError as failure:
            # The library's way to say that nothing is left of a text that it cannot speak.
            raise AvatarError(
                Category.INVALID_INPUT,
                f"gtts cannot say anything of {request.text.strip()[:40]!r}.",
            ) from failure
        except Exception as failure:
            raise as_avatar_error(self.name, failure) from failure


def _code(language: str) -> str:
    """The service's code for a BCP-47 language."""
    primary = language.split("-")[0].lower()
    return _CODES.get(language.lower()) or _CODES.get(primary, primary)


def _warnings(voice: Voice) -> tuple[str, ...]:
    found = []
    if voice.pitch != 1.0:
        found.append("gtts has one pitch; the scene's is ignored.")
    if voice.id is not None:
        found.append(f"gtts has one voice a language; {voice.id!r} is ignored.")
    return tuple(found)
