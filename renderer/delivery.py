"""The last step: parts and sound become the film, with its captions and thumbnail beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_core.cancel import CancelToken
from renderer.assemble import Part, assemble, thumbnail
from renderer.captions.cues import Cue
from renderer.captions.sidecar import write_sidecars
from renderer.film import Film
from renderer.script.models import Captions
from renderer.segments import SceneCut, scene_cues
from renderer.store import Artifact, FileHashes, Store, content_key
from renderer.timeline import Timeline
from renderer.verify import verify_film

KIND = "film"
# Changes when the same parts would give another file.
REVISION = "1"
SYNTHETIC_NOTE = "This film contains a synthetic, computer-made presenter."


@dataclass(frozen=True, slots=True)
class Delivery:
    """What lies where the user asked for it."""

    path: Path
    captions: tuple[Path, ...]
    thumbnail: Path | None
    loudness: float | None


def deliver(
    film: Film,
    cuts: Sequence[SceneCut],
    segments: Sequence[Path],
    joins: Mapping[int, Path],
    sound: Artifact,
    timeline: Timeline,
    target: Path,
    *,
    hashes: FileHashes,
    store: Store,
    cancel: CancelToken,
    on_progress: Callable[[float], None],
) -> Delivery:
    """Assemble, check and put everything beside ``target``."""
    parts = film_parts(cuts, segments, joins)
    notes = _metadata(film)
    key = content_key(
        revision=REVISION,
        parts=[(hashes(part.path), part.first, part.frames) for part in parts],
        sound=hashes(sound.path),
        notes=notes,
    )
    mark = content_key(target=str(target.resolve()), store=str(store.root))
    with store.locked("target", mark, cancel):
        if not _is_there(store, key, target, hashes):
            assemble(
                parts,
                sound.path,
                target,
                size=film.size,
                fps=film.fps,
                metadata=notes,
                cancel=cancel,
                on_progress=on_progress,
                check=lambda draft: verify_film(draft, timeline.frames, film.fps, film.size),
                mark=mark,
            )
            _remember(store, key, target, hashes)
    on_progress(1.0)
    picture = target.with_suffix(".jpg") if film.thumbnail else None
    if picture is not None:
        thumbnail(target, picture)
    captions = write_sidecars(
        target,
        film_cues(cuts, timeline),
        _sidecar_kinds(film),
        size=film.size,
        style=_sidecar_look(film),
    )
    return Delivery(target, captions, picture, sound.meta.get("loudness"))


def film_parts(
    cuts: Sequence[SceneCut], segments: Sequence[Path], joins: Mapping[int, Path]
) -> list[Part]:
    """Bodies of the segments with the joins between them, in the order of the film."""
    parts = []
    for i, (cut, segment) in enumerate(zip(cuts, segments, strict=True)):
        timing = cut.timing
        if i in joins:
            parts.append(Part(joins[i], 0, timing.head))
        body = timing.frames - timing.head - timing.tail
        parts.append(Part(segment, timing.head, body))
    return parts


def film_cues(cuts: Sequence[SceneCut], timeline: Timeline) -> tuple[Cue, ...]:
    """All captions in seconds of the film."""
    cues = []
    for cut in cuts:
        shift = timeline.at(cut.timing.narration)
        cues += [cue.shifted(shift) for cue in scene_cues(cut)]
    return tuple(cues)


def _sidecar_kinds(film: Film) -> tuple[str, ...]:
    looks = [scene.captions for scene in film.scenes if scene.captions is not None]
    wanted = {kind for look in looks for kind in look.sidecar}
    return tuple(kind for kind in ("srt", "vtt", "ass") if kind in wanted)


def _sidecar_look(film: Film) -> Captions | None:
    """A file has one look: the first scene's that has captions."""
    return next((scene.captions for scene in film.scenes if scene.captions is not None), None)


def _metadata(film: Film) -> dict[str, str]:
    notes = {"title": film.title, "description": film.description}
    seen = any(scene.presenter for scene in film.scenes)
    if film.disclosure is not None and film.disclosure.metadata and seen:
        notes["comment"] = SYNTHETIC_NOTE
    return {name: value for name, value in notes.items() if value}


def _is_there(store: Store, key: str, target: Path, hashes: FileHashes) -> bool:
    """Whether ``target`` is still the very film that these parts gave."""
    found = store.find(KIND, key)
    return found is not None and target.is_file() and found.meta["sha256"] == hashes(target)


def _remember(store: Store, key: str, target: Path, hashes: FileHashes) -> None:
    digest = hashes(target)
    with store.work_dir() as work:
        note = work / "film.txt"
        note.write_text(f"{digest}\n", encoding="ascii")
        store.put(KIND, key, note, {"sha256": digest})
