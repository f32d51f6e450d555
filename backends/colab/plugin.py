"""Registers the colab backend."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register(
        "colab",
        "backends.colab.backend:ColabBackend",
        summary="SadTalker on a free GPU: a Colab notebook, or your own GPU box.",
    )
