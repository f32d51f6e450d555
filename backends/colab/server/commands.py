"""`avatar serve`: what it accepts and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Option

_Engine = Annotated[str, Option("--engine", metavar="NAME", help="What makes the clips.")]
_Root = Annotated[Path, Option("--root", metavar="FOLDER", help="The engine's folder.")]
_Python = Annotated[
    Path | None,
    Option("--python", metavar="FILE", help="The Python of the engine's own environment."),
]
_Host = Annotated[str, Option("--host", metavar="ADDRESS", help="The address to listen on.")]
_Port = Annotated[
    int, Option("--port", metavar="NUMBER", min=0, max=65535, help="The port; 0 is any free one.")
]
_Token = Annotated[
    str | None,
    Option(
        "--token",
        metavar="TOKEN",
        help="The token: else AVATAR_SERVE_TOKEN, else one that is made and kept.",
    ),
]
_NewToken = Annotated[bool, Option("--new-token", help="Forget the kept token and make another.")]
_Tunnel = Annotated[
    Literal["ngrok", "cloudflared", "none"],
    Option("--tunnel", help="How the server is reached from elsewhere."),
]
_NgrokUrl = Annotated[
    str | None,
    Option("--ngrok-url", metavar="ADDRESS", help="One of your ngrok account's addresses."),
]
_Folder = Annotated[Path | None, Option("--folder", metavar="FOLDER", help="Where jobs are kept.")]
_Queue = Annotated[
    int | None,
    Option("--queue", metavar="NUMBER", min=1, max=1000, help="How many jobs may wait."),
]
_AudioSeconds = Annotated[
    float | None,
    Option("--audio-seconds", metavar="SECONDS", min=1, help="The longest narration."),
]
_KeepHours = Annotated[
    float | None, Option("--keep-hours", metavar="HOURS", min=0, help="How long videos are kept.")
]
_WithoutGpu = Annotated[
    bool, Option("--without-gpu", help="Serve also where no NVIDIA GPU is found.")
]


def register(cli: typer.Typer) -> None:
    """Add `avatar serve`."""
    cli.command()(serve)


def serve(
    engine: _Engine = "sadtalker",
    root: _Root = Path("SadTalker"),
    python: _Python = None,
    host: _Host = "127.0.0.1",
    port: _Port = 5000,
    token: _Token = None,
    new_token: _NewToken = False,
    tunnel: _Tunnel = "none",
    ngrok_url: _NgrokUrl = None,
    folder: _Folder = None,
    queue: _Queue = None,
    audio_seconds: _AudioSeconds = None,
    keep_hours: _KeepHours = None,
    without_gpu: _WithoutGpu = False,
) -> None:
    """Make presenter clips for other computers on this one's GPU, until Ctrl-C.

    Prints one line to copy: COLAB_API_URL=https://avatar:TOKEN@HOST
    """
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
