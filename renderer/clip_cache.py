"""Presenter clips kept in the store, so that no scene is made or paid for twice."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from avatar_core.backend import AvatarClip, Cost, Size
from renderer.store import Artifact, Store

KIND = "avatar"


class StoredClips:
    """The chain's clip cache over the content-addressed store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, rung_key: str) -> AvatarClip | None:
        found = self._store.find(KIND, rung_key)
        return None if found is None else _clip_from(found)

    def keep(self, rung_key: str, clip: AvatarClip) -> AvatarClip:
        return _clip_from(self._store.put(KIND, rung_key, clip.path, _notes(clip)))


def _notes(clip: AvatarClip) -> dict[str, Any]:
    notes = asdict(clip)
    del notes["path"]
    notes["cost"] = [str(clip.cost.amount), clip.cost.currency]
    return notes


def _clip_from(artifact: Artifact) -> AvatarClip:
    notes = dict(artifact.meta)
    amount, currency = notes.pop("cost")
    size, warnings = Size(*notes.pop("size")), tuple(notes.pop("warnings"))
    cost = Cost(Decimal(amount), currency)
    return AvatarClip(path=artifact.path, size=size, warnings=warnings, cost=cost, **notes)
