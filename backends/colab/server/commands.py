"""`avatar serve`: what it accepts and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def register(cli: typer.Typer) -> None:
    """Add `avatar serve`."""
    cli.command()(serve)


def serve(
    engine: Annotated[
        str, typer.Option("--engine", help="Which engine makes the clips.")
    ] = "sadtalker",
    root: Annotated[Path, typer.Option("--root", help="The engine's folder.")] = Path("SadTalker"),
    python: Annotated[
        Path | None, typer.Option("--python", help="The Python of the engine's own environment.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 5000,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Else AVATAR_SERVE_TOKEN, else one that is made and kept."),
    ] = None,
    new_token: Annotated[
        bool, typer.Option("--new-token", help="Forget the kept token and make another.")
    ] = False,
    tunnel: Annotated[
        Literal["ngrok", "cloudflared", "none"],
        typer.Option("--tunnel", help="How the server is reached from elsewhere."),
    ] = "none",
    ngrok_url: Annotated[
        str | None, typer.Option("--ngrok-url", help="One of your ngrok account's addresses.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where jobs are kept.")] = None,
    queue: Annotated[
        int | None, typer.Option("--queue", min=1, max=1000, help="How many jobs may wait.")
    ] = None,
    audio_seconds: Annotated[
        float | None, typer.Option("--audio-seconds", min=1, help="The longest narration.")
    ] = None,
    keep_hours: Annotated[
        float | None, typer.Option("--keep-hours", min=0, help="How long videos are kept.")
    ] = None,
    without_gpu: Annotated[
        bool, typer.Option("--without-gpu", help="Serve also where no NVIDIA GPU is found.")
    ] = False,
) -> None:
    """Make presenter clips for other computers on this one's GPU, until Ctrl-C.

    Prints one line to copy: COLAB_API_URL=https://avatar:TOKEN@HOST
    """  # fmt: skip
    from backends.colab.server import serving

    keep = {"waiting": queue, "audio_seconds": audio_seconds}
    if keep_hours is not None:
        keep |= {"keep_seconds": keep_hours * 3600, "forget_seconds": keep_hours * 7200 + 3600}
    options = serving.ServeOptions(
        engine=engine,
        root=root,
        python=python,
        host=host,
        port=port,
        token=token,
        new_token=new_token,
        tunnel=tunnel,
        ngrok_url=ngrok_url,
        folder=folder,
        without_gpu=without_gpu,
        limits=serving.limits_from(keep),
    )
    serving.serve(
        options,
        announce=lambda address: typer.echo(f"COLAB_API_URL={address}"),
        tell=lambda line: typer.echo(line, err=True),
    )
