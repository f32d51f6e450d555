"""What would leave this machine, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.planning.plan import RungPlan, ScenePlan, Sending

FACE_AND_VOICE = "face and voice"
TEXT = "text"


def sendings_of(scenes: Sequence[ScenePlan], online: Sequence[bool]) -> tuple[Sending, ...]:
    """Texts to voices that are ``online`` (one value for each scene), then faces and voices:
    surely, and only if another backend fails."""
    texts = [
        (scene.voice, scene.id)
        for scene, is_online in zip(scenes, online, strict=True)
        if is_online and scene.voice is not None
    ]
    rungs = [(rung, scene.id) for scene in scenes for rung in scene.rungs if _is_sent(rung)]
    surely = [(rung.backend, scene) for rung, scene in rungs if rung.chosen]
    perhaps = [(rung.backend, scene) for rung, scene in rungs if not rung.chosen]
    return (
        *_grouped(texts, TEXT),
        *_grouped(surely, FACE_AND_VOICE),
        *_grouped(perhaps, FACE_AND_VOICE, fallback=True),
    )


def _is_sent(rung: RungPlan) -> bool:
    return rung.uploads and rung.state == "make"


def _grouped(
    sent: Sequence[tuple[str, str]], what: str, *, fallback: bool = False
) -> Iterator[Sending]:
    scenes: dict[str, list[str]] = {}
    for to, scene in sent:
        scenes.setdefault(to, []).append(scene)
    for to, ids in scenes.items():
        yield Sending(to, what, tuple(ids), fallback)
