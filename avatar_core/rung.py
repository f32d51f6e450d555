"""One rung of a fallback chain: a backend by name, opened only when its turn comes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, SecretStr

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, NoOptions


@dataclass(frozen=True, slots=True)
class Rung:
    """``open`` returns the backend, the same one each time; it may raise `EnvironmentFault`.

    ``options`` are what the request carries on this rung, ``revision`` and ``reads_text`` are
    the backend's.
    """

    name: str
    open: Callable[[], AvatarBackend]
    options: BaseModel = field(default_factory=NoOptions)
    revision: str = "1"
    reads_text: bool = False

    @classmethod
    def of(cls, backend: AvatarBackend, options: BaseModel | None = None) -> Rung:
        """A rung for a backend that exists already."""
        return cls(
            backend.name,
            lambda: backend,
            backend.options if options is None else options,
            backend.revision,
            reads_text(backend),
        )

    def key(self, request: AvatarRequest) -> str | None:
        """What the clip is kept under, the same in every process; None for a request without one.

        Secrets never enter it, nor does an option declared with ``Field(exclude=True)``: that
        is how a backend leaves out what does not change the picture, such as its address.
        """
        if not request.key:
            return None
        parts: dict[str, Any] = {
            "request": request.key,
            "backend": self.name,
            "revision": self.revision,
            "options": _without_secrets(self.options.model_dump()),
            "size": list(request.size),
            "fps": request.fps,
        }
        if self.reads_text:
            parts["said"] = [request.text, [astuple(word) for word in request.words]]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def reads_text(backend: AvatarBackend | type[AvatarBackend]) -> bool:
    """What it declares. A plugin may declare anything, and hears of it when its turn comes."""
    return bool(getattr(getattr(backend, "capabilities", None), "reads_text", False))


class ClipCache(Protocol):
    """Where finished clips are kept, by the key of the rung that made them."""

    def find(self, key: str) -> AvatarClip | None:
        """The kept clip, or None when it is not there or not whole."""

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        """Keep ``clip`` and return it with the path where it now lies."""


def _without_secrets(value: Any) -> Any:
    """Without what is None, too: a secret that is not set must not differ from one that is."""
    if isinstance(value, dict):
        return {k: _without_secrets(v) for k, v in value.items() if _counts(v)}
    if isinstance(value, list | tuple):
        return [_without_secrets(v) for v in value if _counts(v)]
    if isinstance(value, set | frozenset):
        # A set of texts has another order in every process.
        return sorted((_without_secrets(v) for v in value if _counts(v)), key=repr)
    return value


def _counts(value: Any) -> bool:
    return value is not None and not isinstance(value, SecretStr)
