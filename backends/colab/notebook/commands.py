"""`avatar notebook`: what it accepts and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from avatar_core.errors import EnvironmentFault, InputError

_DEFAULT = Path("SadTalker_Colab.ipynb")


def register(cli: typer.Typer) -> None:
    """Add `avatar notebook`."""
    cli.command()(notebook)


def notebook(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the notebook goes.")
    ] = _DEFAULT,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE", help="Fill a field in, such as TUNNEL=none. Repeatable."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether it is what would be written now.")
    ] = False,
) -> None:
    """Write the Colab notebook that lends a GPU to the colab backend; the program is inside."""
    from backends.colab.notebook.build import notebook_text

    if check:
        _check(output)
        return
    text = notebook_text(_pairs(values or []))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as failure:
        raise InputError(
            f"The notebook cannot be written: {failure.strerror}.",
            file=output,
            advice="Name another place with -o.",
        ) from failure
    typer.echo(f"Wrote {output} ({len(text) / 1000:.0f} kB), with the server inside.")
    typer.echo("Open it on https://colab.research.google.com (File > Upload notebook), choose a "
               "GPU under Runtime > Change runtime type, then Runtime > Run all.")  # fmt: skip


def _check(file: Path) -> None:
    from backends.colab.notebook.build import is_current

    try:
        current = is_current(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as failure:
        why = getattr(failure, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"The notebook cannot be read: {why}.", file=file) from failure
    if not current:
        raise EnvironmentFault(
            f"{file} was written by another version of this program.",
            advice=f"Write it again: avatar notebook -o {file}",
        )
    typer.echo(f"{file} is what this program would write now.")


def _pairs(values: list[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, sign, text = value.partition("=")
        if not sign:
            raise InputError(f"--set {value}: a field and its value are wanted, FIELD=VALUE.")
        pairs[name.strip()] = text.strip()
    return pairs
