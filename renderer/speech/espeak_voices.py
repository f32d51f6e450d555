"""Which voices espeak-ng has and which of them fits; read from its data folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_core.nearest import nearest
from avatar_core.speech import Voice

# What BCP-47 calls otherwise than espeak's data.
_ALIASES = {"in": "id", "iw": "he", "no": "nb", "zh": "cmn", "zh-hk": "yue"}
_USUAL_RANK = 5


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the library and its data lie."""

    library: Path
    data: Path


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A voice; ``id`` is its first language tag, in small letters. ``ranks`` says how well it
    suits each of its languages: the lower, the better. ``file`` is what espeak knows it by."""

    id: str
    file: str
    name: str
    ranks: dict[str, int]


@dataclass(frozen=True, slots=True)
class Choice:
    """The voice to ask espeak for, None if the language is missing; and what to tell the user."""

    file: str | None
    warning: str | None = None


def find_installation() -> Installation | None:
    """The files of the extra ``espeak``; nothing of them is loaded."""
    spec = importlib.util.find_spec("espeakng_loader")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    libraries = [*folder.glob("libespeak-ng.so"), *folder.glob("*espeak-ng.d*l*")]
    data = folder / "espeak-ng-data"
    return Installation(libraries[0], data) if libraries and data.is_dir() else None


def list_voices(data: Path) -> tuple[EspeakVoice, ...]:
    """All voices of a data folder, by id."""
    found = (_read(path) for path in (data / "lang").rglob("*") if path.is_file())
    return tuple(sorted((voice for voice in found if voice), key=lambda voice: voice.id))


def choose(voice: Voice, voices: Sequence[EspeakVoice], data: Path) -> Choice:
    """The voice named by ``voice.id``, else the nearest one; without an id, the language's."""
    by_language = _for_language(voice.language, voices)
    if by_language is None:
        return Choice(None)
    if voice.id is None:
        return Choice(by_language.file)
    wanted, _, variant = voice.id.partition("+")
    suffix = f"+{variant}" if variant and (data / "voices" / "!v" / variant).is_file() else ""
    for known in voices:
        if wanted.lower() in (known.id, known.name.lower()):
            return Choice(known.file + suffix)
    chosen = _nearest(wanted, by_language, voices)
    return Choice(chosen.file, f"espeak has no voice {voice.id!r} and uses {chosen.id!r}.")


def _nearest(wanted: str, by_language: EspeakVoice, voices: Sequence[EspeakVoice]) -> EspeakVoice:
    primary = by_language.id.split("-")[0]
    kin = {known.id: known for known in voices if known.id.split("-")[0] == primary}
    return kin.get(nearest(wanted, kin) or "", by_language)


def _read(path: Path) -> EspeakVoice | None:
    name, ranks = "", {}
    for line in path.read_text("utf-8", "replace").splitlines():
        key, *values = line.split()[:3] or [""]
        if key == "name":
            name = line.split(maxsplit=1)[-1].strip()
        elif key == "language" and values:
            rank = values[1] if len(values) > 1 else ""
            ranks[values[0].lower()] = int(rank) if rank.isdigit() else _USUAL_RANK
    return EspeakVoice(next(iter(ranks)), path.name, name, ranks) if ranks else None


def _for_language(language: str, voices: Sequence[EspeakVoice]) -> EspeakVoice | None:
    for tag in _tags(language):
        fitting = [known for known in voices if tag in known.ranks]
        if fitting:
            return min(fitting, key=lambda known: (known.id != tag, known.ranks[tag]))
    primary = next(iter(_tags(language.split("-")[0])))
    kin = [known for known in voices if known.id.split("-")[0] == primary]
    return min(kin, key=lambda known: len(known.id), default=None)


def _tags(language: str) -> Iterator[str]:
    """The tag, then ever shorter: zh-hant-tw, zh-hant, zh."""
    parts = language.lower().replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        tag = "-".join(parts[:length])
        yield _ALIASES.get(tag, tag)
