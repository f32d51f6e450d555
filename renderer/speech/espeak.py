"""The engine ``espeak``: over a hundred languages, offline; a robot's voice with exact timing."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from avatar_core.backend import Health, Job
from avatar_core.children import child_options, reader_gone
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.extras import install_advice
from avatar_core.pages import see
from avatar_core.speech import Speech, SpeechEngine, SpeechRequest, Voice
from renderer.speech import espeak_process
from renderer.speech.espeak_events import timed_phonemes, timed_words
from renderer.speech.espeak_voices import Choice, choose, find_installation, list_voices

_WORDS_A_MINUTE = 175
_RATES = (80, 450)
_POLL_SECONDS = 0.1

# Primary subtags of the voices of espeak-ng 1.52, and what BCP-47 calls otherwise.
LANGUAGES = frozenset(
    """
    af am an ar as az ba be bg bn bpy bs ca chr cmn cs cv cy da de el en eo es et eu fa fi fo
    fr ga gd gn grc gu hak haw he hi hr ht hu hy hyw ia id in io is it iw ja jbo ka kaa kk kl kn
    ko kok ku ky la lb lfn lt ltg lv mi mk ml mr ms mt mto my nb nci ne nl no nog om or pa pap
    piqd pl pt py qdb qu quc qya ro ru sd shn si sjn sk sl smj sq sr sv sw ta te th ti tk tn tr tt
    ug uk ur uz vi xex yue zh
    """.split()
)


class EspeakEngine(SpeechEngine):
    """Each text is spoken by a process of its own, see `espeak_process`."""

    name: ClassVar[str] = "espeak"
    revision: ClassVar[str] = "espeak-ng 1.52, 2"
    languages: ClassVar[frozenset[str]] = LANGUAGES

    def __init__(self, program: Sequence[str] | None = None) -> None:
        # Isolated and without site-packages: the child needs the standard library only.
        script = str(Path(espeak_process.__file__).resolve())
        self._program = tuple(program or (sys.executable, "-I", "-S", script))

    def check(self) -> Health:
        found = find_installation()
        if found is None:
            return Health(False, "espeak-ng is not installed.", install_advice("espeakng_loader"))
        return Health(True, "espeak-ng is installed.", details={"data": str(found.data)})

    def voices(self) -> tuple[str, ...]:
        found = find_installation()
        return tuple(voice.id for voice in list_voices(found.data)) if found else ()

    def speak(self, request: SpeechRequest, job: Job) -> Speech:
        order, choice = self._order(request, job)
        self._run(order, job)
        with wave.open(order["sound"], "rb") as sound:
            seconds = sound.getnframes() / sound.getframerate()
        if not seconds:
            raise AvatarError(
                Category.INVALID_INPUT,
                f"espeak cannot say anything of {request.text.strip()[:40]!r}.",
                advice="Write the text in words of the scene's language.",
            )
        told = json.loads(Path(order["events"]).read_text("utf-8"))
        events, rate = told["events"], told["rate"]
        phonemes = timed_phonemes(events, rate, seconds, order["voice"])
        return Speech(
            Path(order["sound"]),
            seconds,
            timed_words(request.text, events, phonemes, rate),
            phonemes,
            (choice.warning,) if choice.warning else (),
        )

    def _order(self, request: SpeechRequest, job: Job) -> tuple[espeak_process.Order, Choice]:
        found = find_installation()
        if found is None:
            health = self.check()
            raise AvatarError(Category.UNSUPPORTED, health.message, advice=health.advice)
        choice = choose(request.voice, list_voices(found.data), found.data)
        if choice.file is None:
            raise AvatarError(
                Category.UNSUPPORTED,
                f"espeak does not speak {request.voice.language}.",
                advice="Correct the language, or choose another engine.",
            )
        return {
            "library": str(found.library),
            "data": str(found.data),
            "voice": choice.file,
            "text": request.text,
            "rate": _rate(request.voice),
            "pitch": _pitch(request.voice),
            "sound": str((job.work_dir / "espeak.wav").resolve()),
            "events": str((job.work_dir / "espeak.json").resolve()),
        }, choice

    def _run(self, order: espeak_process.Order, job: Job) -> None:
        printed = job.work_dir / "espeak.txt"
        with printed.open("wb") as errors:
            process = subprocess.Popen(
                self._program,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                **child_options(),
            )
            try:
                _send(process, order)
                _wait(process, job)
            finally:
                _end(process)
        if process.returncode != 0:
            raise _failure(process.returncode, printed.read_text("utf-8", "replace"))


def _send(process: subprocess.Popen[bytes], order: espeak_process.Order) -> None:
    if process.stdin is None:
        return
    # A child that died at once is told by its exit status, not by its pipe.
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    except OSError as failure:
        if not reader_gone(failure):
            raise


def _wait(process: subprocess.Popen[bytes], job: Job) -> None:
    while True:
        try:
            process.wait(timeout=_POLL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if job.cancelled:
                raise Cancelled("cancelled") from None
            if job.remaining == 0:
                raise AvatarError(
                    Category.TIMEOUT, "espeak did not finish in time.", advice=_SHORTEN
                ) from None


_SHORTEN = "Split the scene's text, or allow more time."


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _failure(status: int, printed: str) -> AvatarError:
    said = printed.strip().splitlines()[-1] if printed.strip() else ""
    if status == espeak_process.FAILED and said:
        return AvatarError(
            Category.SERVER, f"espeak failed: {said}.", advice=_REINSTALL, status=status
        )
    return AvatarError(
        Category.BACKEND_BUG,
        f"espeak's process crashed (exit status {status}). {said}".strip(),
        advice=_REINSTALL,
        status=status,
    )


_REINSTALL = f"Choose another engine, or install the package again. {see('install#updating')}"


def _rate(voice: Voice) -> int:
    return min(max(round(_WORDS_A_MINUTE * voice.speed), _RATES[0]), _RATES[1])


def _pitch(voice: Voice) -> int:
    # espeak's scale runs from an octave below (0) to an octave above (100) its normal pitch.
    return min(max(round(50 + 50 * math.log2(voice.pitch)), 0), 100)
