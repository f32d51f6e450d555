"""Registers the static backend."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register(
        "static",
        "backends.static.backend:StaticBackend",
        summary="The portrait as a still picture; always works.",
    )
