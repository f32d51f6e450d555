"""The commands that the puppet adds to `avatar`: what each accepts and prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backends.puppet.annotate import Annotation


def register(cli: typer.Typer) -> None:
    """Add `avatar puppet` and what belongs to it."""
    group = typer.Typer(no_args_is_help=True, help="Look after the faces of embedded presenters.")
    group.callback()(lambda: None)
    group.command()(annotate)
    cli.add_typer(group, name="puppet")


def annotate(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="A portrait.", show_default=False)
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Begin anew: overwrite the landmarks file.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write down where a portrait's mouth and eyes are, to be corrected by hand, and draw it."""
    from backends.puppet import annotate as work

    done = work.annotate(picture, force=force)
    if json:
        import json as format_

        typer.echo(format_.dumps(_told(done)))
        return
    for line in _lines(done):
        typer.echo(line)


def _told(done: Annotation) -> dict[str, str | int]:
    return {
        "landmarks": str(done.sidecar),
        "preview": str(done.preview),
        "source": done.source,
        "faces": done.faces,
        "reason": done.reason,
    }


def _lines(done: Annotation) -> list[str]:
    drawn = f"Drew {done.preview}: what {done.sidecar.name} says."
    if done.source == "declared":
        return [f"{done.sidecar} exists and was kept; --force begins anew.", drawn]
    if done.source == "guessed":
        said = f"{done.reason} The points are a guess: correct them."
    elif done.faces > 1:
        said = f"The picture shows {done.faces} faces; these are the points of the largest."
    else:
        said = "The points are those of the face that was found."
    return [f"Wrote {done.sidecar}. {said}", drawn,
            "Change the numbers and run this again to see where the points are then."]  # fmt: skip
