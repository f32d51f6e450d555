"""Registers `avatar notebook`."""

from __future__ import annotations

from typing import Any

from avatar_core import hookimpl


@hookimpl
def register_commands(cli: Any) -> None:
    from backends.colab.notebook import commands

    commands.register(cli)
