"""Registers the puppet backend and its commands."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register(
        "puppet",
        "backends.puppet.backend:PuppetBackend",
        summary="The portrait speaks, on this computer: no network, no key.",
    )


@hookimpl
def register_commands(cli: Any) -> None:
    from backends.puppet import commands

    commands.register(cli)
