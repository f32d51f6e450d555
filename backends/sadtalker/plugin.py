"""Registers the backend for people with a GPU of their own."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register(
        "sadtalker",
        "backends.sadtalker.backend:SadTalkerBackend",
        summary="SadTalker on a GPU of your own: the face moves and speaks.",
    )
