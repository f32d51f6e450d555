"""The whole extension surface: what a plugin may implement."""

from __future__ import annotations

from typing import Any

import pluggy

PROJECT = "avatar_core"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_avatar_backends(register: Any) -> None:
    """Call register(name, target, summary="...") for each avatar backend; target is a class or "module:Class"."""


@hookspec
def register_speech_engines(register: Any) -> None:
    """Call register(name, target, summary="...") for each speech engine; target is a class or "module:Class"."""


@hookspec
def register_commands(cli: Any) -> None:
    """Add commands to the typer application ``cli``."""


@hookspec
def on_event(event: Any) -> None:
    """Receive every event of every render (see avatar_core.events); must be quick."""
