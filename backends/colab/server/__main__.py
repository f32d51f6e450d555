"""``python -m backends.colab.server``: `avatar serve` where the rest of `avatar` is not installed,
as on the notebook's machine. It takes the same options."""

from __future__ import annotations

import sys

from avatar_core.errors import AvatarError, EnvironmentFault, InputError


def main() -> int:
    """The exit code: 0 stopped, 1 failed, 2 wrong input."""
    try:
        import typer
    except ModuleNotFoundError:
        print("The package typer is not installed: pip install typer", file=sys.stderr)
        return 1
    from backends.colab.server.commands import serve

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(serve)
    try:
        app()
    except InputError as failure:
        print(failure, file=sys.stderr)
        return 2
    except (AvatarError, EnvironmentFault) as failure:
        print(f"{failure.message} {failure.advice or ''}".rstrip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
