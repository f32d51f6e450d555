"""The typer application: the built-in commands, then the plugins', then one guard for all."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from avatar_core.children import reader_gone
from renderer.cli import commands, streams

_EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong input, 3 done but degraded (--strict), 130 cancelled."
)


class _Guarded(TyperGroup):
    """Runs any command, a plugin's too, and turns what it raises into a sentence and a code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, OSError) and reader_gone(error):
                raise BrokenPipeError(errno.EPIPE, "nobody reads any more") from error
            # Typer's and click's own exceptions show themselves, wherever they come from.
            if hasattr(error, "exit_code") and hasattr(error, "show"):
                raise
            raise typer.Exit(_told(error)) from error


def _told(error: BaseException) -> int:
    """The exit code of ``error``, which is shown in a sentence."""
    from renderer.cli.failures import explain, show

    failure = explain(error)
    show(failure, error)
    return failure.exit_code


def run(argv: list[str]) -> int:
    """Run the application with ``argv`` and return the exit code."""
    streams.use_utf8()
    _set_up_logging()
    try:
        application()(argv, prog_name="avatar")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except OSError as error:
        # Help and usage are printed outside of any command, to a disk that may be full.
        return _told(error)
    return 0


def application() -> typer.Typer:
    """The whole command line, plugins included."""
    app = typer.Typer(
        cls=_Guarded,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=_EPILOG,
    )
    app.callback()(_root)
    commands.register(app)
    _add_plugin_commands(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("avatar-core"))
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Talking-presenter videos: a scene script goes in, a finished film comes out."""
    del version


def _add_plugin_commands(app: typer.Typer) -> None:
    from avatar_core.plugins import load_plugins

    # What a plugin prints while it is imported must not end up in somebody's JSON.
    with streams.reserved_stdout():
        plugins = load_plugins()
        known = len(plugins.failed)
        plugins.add_commands(app)
    # The other failures are told by the commands that load plugins; this one by nobody else.
    for failed in plugins.failed[known:]:
        streams.err().print(f"Warning: {streams.printable(failed)}", style="yellow")


class _Discreet(logging.Formatter):
    """Libraries log the addresses they ask, and tracebacks hold what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        from avatar_core.secrets import scrub

        return scrub(super().format(record))


def _set_up_logging() -> None:
    """Everything a user should know comes as an event or a message; records are for debugging."""
    from renderer.cli.failures import debugging

    if debugging():
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Discreet(logging.BASIC_FORMAT))
        logging.basicConfig(level=logging.DEBUG, handlers=[handler])
        # It writes down whole addresses, and the query of one may be all that a thief needs.
        logging.getLogger("urllib3").setLevel(logging.INFO)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
