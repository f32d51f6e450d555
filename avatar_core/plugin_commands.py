"""Commands that plugins add to the command line, proved before they are taken over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pluggy
    import typer
    from typer.models import TyperInfo


def commands_of(manager: pluggy.PluginManager) -> typer.Typer:
    """The plugin's commands in an application of their own; raises whatever the plugin raises.

    Typer builds commands late, so that one bad annotation would break every command: building
    them here makes it this plugin's failure alone.
    """
    import typer.main

    own = typer.Typer()
    manager.hook.register_commands(cli=own)
    if own.registered_commands or own.registered_groups:
        typer.main.get_group(own)
    return own


def take_over(own: typer.Typer, cli: typer.Typer) -> None:
    """Move the commands of ``own`` to ``cli``; raises ValueError when a name is taken."""
    clash = _names(own) & _names(cli)
    if clash:
        raise ValueError(f"the command {sorted(clash)[0]!r} exists already")
    cli.registered_commands.extend(own.registered_commands)
    cli.registered_groups.extend(own.registered_groups)


def _names(cli: typer.Typer) -> set[str]:
    from typer.main import get_command_name

    def of(info: Any) -> str:
        return str(info.name or get_command_name(info.callback.__name__))

    commands = {of(info) for info in cli.registered_commands}
    return commands | {_group_name(info) for info in cli.registered_groups}


def _group_name(info: TyperInfo) -> str:
    inner = info.typer_instance.info.name if info.typer_instance else None
    return str(info.name or inner)
