"""How long each scene will be heard, as far as that is known before anybody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avatar_core.errors import EnvironmentFault
from avatar_core.media import probe_audio
from avatar_core.speech import SpeechEngine
from renderer.film import FilmScene
from renderer.speech.engines import RECORDINGS, Engines, EngineSource, speaks
from renderer.speech.guess import guess_seconds
from renderer.speech.keys import recording_key, silence_key, speech_key, voice_for
from renderer.speech.narration import (
    KIND,
    Narration,
    captions_of,
    narration_from,
    silent_samples,
    spoken_parts,
)
from renderer.speech.recording import require_content
from renderer.speech.sound import RATE
from renderer.store import FileHashes, Store, content_key

# A narration that is still to be made is a WAV file, wherever it will lie.
_NOT_THERE = Path("narration.wav")


@dataclass(frozen=True, slots=True)
class ExpectedNarration:
    """``narration.path`` is there only where ``stored``; ``key`` stands for its sound. ``exact``
    says that the length is no guess. ``engine`` is who will be asked first (None: silence, or
    nobody speaks the language); ``online`` that the text will be sent to its service."""

    narration: Narration
    key: str
    stored: bool
    exact: bool
    engine: str | None = None
    online: bool = False


class ExpectedNarrations:
    """Looks narrations up in the store and guesses the others; asks no engine anything."""

    def __init__(self, engines: EngineSource, store: Store, hashes: FileHashes) -> None:
        self._engines = Engines(engines)
        self._store = store
        self._hashes = hashes

    def of(self, scene: FilmScene) -> ExpectedNarration:
        """Raises `InputError` for a recording that cannot be used and a text without a word."""
        if scene.audio is not None:
            return self._recorded(scene, scene.audio)
        if scene.text is not None:
            return self._spoken(scene)
        samples = silent_samples(scene)
        key = silence_key(samples)
        return self._stored(key, None) or _unmade(key, samples / RATE, exact=True)

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        self._engines.close()

    def _recorded(self, scene: FilmScene, audio: Path) -> ExpectedNarration:
        require_content(audio)
        key = recording_key(self._hashes(audio), captions_of(scene))
        found = self._stored(key, RECORDINGS)
        return found or _unmade(key, probe_audio(audio).seconds, exact=True, engine=RECORDINGS)

    def _spoken(self, scene: FilmScene) -> ExpectedNarration:
        plan, parts = scene.speech, spoken_parts(scene)
        able = self._able(scene)
        keys = {name: speech_key(name, by, voice_for(name, plan), parts) for name, by in able}
        if not able:
            return _unmade(content_key(text=scene.text), guess_seconds(parts, plan.voice.speed))
        (first, engine), *_ = able
        found = {name: self._stored(key, name) for name, key in keys.items()}
        if (own := found[first]) is not None:
            return own
        # Another voice's sound tells the length better than the number of letters does.
        heard = next((one.narration.seconds for one in found.values() if one), None)
        seconds = guess_seconds(parts, plan.voice.speed) if heard is None else heard
        return _unmade(keys[first], seconds, engine=first, online=engine.needs_network)

    def _able(self, scene: FilmScene) -> list[tuple[str, SpeechEngine]]:
        """The engines that speak the scene's language, in the order in which they are asked."""
        language = scene.speech.voice.language
        able = []
        for name in self._engines.order(scene.speech.engines, language):
            try:
                engine = self._engines.get(name)
            except EnvironmentFault:
                continue
            if speaks(engine, language):
                able.append((name, engine))
        return able

    def _stored(self, key: str, engine: str | None) -> ExpectedNarration | None:
        found = self._store.find(KIND, key)
        if found is None:
            return None
        return ExpectedNarration(narration_from(found, engine), key, True, True, engine)


def _unmade(
    key: str,
    seconds: float,
    *,
    exact: bool = False,
    engine: str | None = None,
    online: bool = False,
) -> ExpectedNarration:
    return ExpectedNarration(Narration(_NOT_THERE, seconds), key, False, exact, engine, online)
