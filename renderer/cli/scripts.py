"""`avatar check`, `avatar schema` and `avatar init`: scene scripts without rendering them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.errors import NO_ROOM, DiskFull, InputError
from renderer.cli import streams
from renderer.cli.progress import count
from renderer.cli.streams import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from renderer.film import Film, FilmScene

SCRIPT_NAME = "film.yaml"
SCHEMA_NAME = "avatar.schema.json"
SETTINGS_NAME = "avatar.toml"

_SAMPLE_SETTINGS = """\
# Settings for every film in this folder. An argument or an environment variable
# (AVATAR_BACKEND, AVATAR_WORKERS ...) wins over this file. `avatar doctor` shows what counts.

# The backend that makes the presenters: see `avatar backends`. When it fails, the ones in
# `fallback` are tried, and at last a still picture.
backend = "puppet"
# fallback = []

# What a film in which a scene fell back counts as: "accept", or "fail" for exit code 3.
# on_degraded = "accept"

# [video]
# preset = "shorts"

# [speech]
# engine = "hibari"
# fallback = []
"""


def check_script(
    script: Path, config: Path | None, assignments: tuple[str, ...], *, as_json: bool
) -> None:
    """Print what the script holds; raises `InputError` with all of its mistakes."""
    from renderer.cli.json_lines import json_output
    from renderer.cli.rendering import split_assignments
    from renderer.renderer import SmartVideoRenderer

    def read() -> Film:
        overrides, variables = split_assignments(assignments)
        with SmartVideoRenderer(config=config, overrides=overrides) as renderer:
            return renderer.check(script, variables=variables)

    if as_json:
        with json_output() as lines:
            lines.write(_film_as_json(read()))
        return
    film = read()
    for warning in film.warnings:
        streams.err().print(f"Warning: {printable(warning)}", style="yellow")
    _show_film(streams.out(), film, script)


def write_schema(output: Path | None) -> None:
    """Print the JSON Schema of scene scripts, or write it to ``output``."""
    text = _schema_text()
    if output is None:
        with streams.reserved_stdout() as stream:
            stream.write(text)
        return
    _write(Path.cwd() / output, text.encode("utf-8"))
    streams.err().print(f"Written to {printable(output)}")


def start_film(folder: Path, language: str) -> None:
    """Write a script, a portrait, the schema and a settings file; overwrites nothing."""
    from renderer.cli.rendering import DEMO_SCRIPT
    from renderer.script.starter import PORTRAIT, starter_script

    folder = Path.cwd() / folder
    texts = {
        SCRIPT_NAME: starter_script(language),
        SCHEMA_NAME: _schema_text(),
        SETTINGS_NAME: _SAMPLE_SETTINGS,
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    # Without the demonstration's landmarks: beside another picture of that name they would lie.
    files[PORTRAIT] = (DEMO_SCRIPT.parent / "assets" / PORTRAIT).read_bytes()
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise InputError(
            f"{', '.join(there)} would be overwritten.",
            file=folder,
            advice="Choose another folder, or move what is there.",
        )
    if folder.exists() and not folder.is_dir():
        raise InputError("It is a file, not a folder.", file=folder, advice="Choose another name.")
    _write_all({folder / name: content for name, content in files.items()})
    _show_next_steps(streams.out(), folder, list(files))


def _schema_text() -> str:
    from renderer.script.schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _write_all(contents: Mapping[Path, bytes]) -> None:
    """Write all of the files or none of them."""
    written: list[Path] = []
    try:
        for path, content in contents.items():
            _write(path, content)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    """Write ``path`` whole or not at all; raises `InputError`, `DiskFull`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(content)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise DiskFull(path) from failure
        raise InputError(
            f"It cannot be written: {failure.strerror or failure}.",
            file=path,
            advice="Choose another place, or make this one writable.",
        ) from failure


def _show_next_steps(console: Console, folder: Path, names: list[str]) -> None:
    console.print(f"In {printable(folder)}:")
    for name in names:
        console.print(f"  {name}")
    console.print(f"Change {SCRIPT_NAME}, then run there:", style="bold")
    console.print(f"  avatar check {SCRIPT_NAME}\n  avatar render {SCRIPT_NAME}")


def _show_film(console: Console, film: Film, script: Path) -> None:
    console.print(_scene_table(film), soft_wrap=False)
    title = f" {film.title!r}," if film.title else ""
    console.print(
        printable(
            f"{script} can be rendered:{title} {count(len(film.scenes), 'scene')}, "
            f"{film.size}, {film.fps} fps."
        ),
        style="green",
    )


def _scene_table(film: Film) -> Table:
    from rich.table import Table

    table = Table()
    for column in ("Scene", "Length", "Presenter", "Backends", "Layout"):
        table.add_column(column, overflow="fold")
    for scene in film.scenes:
        presenter = scene.presenter
        table.add_row(
            scene.id,
            printable(_length(scene)),
            printable(presenter.name) if presenter else "-",
            ", ".join(presenter.backends) if presenter else "-",
            presenter.layout if presenter else "-",
        )
    return table


def _length(scene: FilmScene) -> str:
    """What sets the length: a recording, a number of words, or a time."""
    if scene.audio is not None:
        return scene.audio.name
    if scene.duration is not None:
        return f"{scene.duration:g} s"
    return count(len((scene.text or "").split()), "word")


def _film_as_json(film: Film) -> dict[str, Any]:
    scenes = [
        {
            "id": scene.id,
            "line": scene.line,
            "speaker": scene.presenter.name if scene.presenter else None,
            "backends": list(scene.presenter.backends) if scene.presenter else [],
            "layout": scene.presenter.layout if scene.presenter else None,
        }
        for scene in film.scenes
    ]
    size = {"width": film.size.width, "height": film.size.height}
    return {
        "event": "checked",
        "title": film.title,
        **size,
        "fps": film.fps,
        "scenes": scenes,
        "warnings": list(film.warnings),
    }
