"""Registers the D-ID backend."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register(
        "did",
        "backends.did.backend:DidBackend",
        summary="The portrait speaks, made by D-ID: a paid cloud, needs a key.",
    )
