"""The built-in commands: what each accepts. What each does is imported when it is run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from renderer.cli.rendering import Order

Script = Annotated[
    Path, typer.Argument(metavar="SCRIPT", help="A scene script: YAML or JSON.", show_default=False)
]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Settings file, instead of ./avatar.toml.", show_default=False
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Avatar backend, or several with commas: a chain.", show_default=False
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="NUMBER", help="How many scenes are made side by side.", show_default=False
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A setting, or variables.NAME of the script. Repeatable.",
        show_default=False,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 when a scene had to fall back.")
]
AsLines = Annotated[
    bool, typer.Option("--json", help="Print events as JSON, one a line; the last is the result.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class CacheAction(StrEnum):
    """What `avatar cache` can do."""

    INFO = "info"
    PRUNE = "prune"
    CLEAR = "clear"


def register(app: typer.Typer) -> None:
    """Add the built-in commands in the order in which a newcomer meets them."""
    for command in (
        demo, render, plan, estimate, check, init, schema, backends, doctor, cache, docs,
    ):  # fmt: skip
        app.command()(command)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILM", help="Where the film goes.")
    ] = Path("avatar-demo.mp4"),
    backend: Backend = None,
    strict: Strict = False,
    json: AsLines = False,
) -> None:
    """Render the film that comes with the package: needs no network, key or GPU."""
    from renderer.cli.rendering import DEMO_SCRIPT, Order

    _render(Order(script=DEMO_SCRIPT, output=output, backend=backend, strict=strict), json)


def render(
    script: Script,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILM",
            help="Where the film goes (.mp4): else the script's output.path, else the script's "
            "name in this folder.",
            show_default=False,
        ),
    ] = None,
    backend: Backend = None,
    config: Config = None,
    scene: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only this scene. Repeatable.", show_default=False),
    ] = None,
    workers: Workers = None,
    set_: Assignments = None,
    strict: Strict = False,
    json: AsLines = False,
) -> None:
    """Render a scene script. Doing it again makes only what has changed."""
    from renderer.cli.rendering import Order

    order = Order(
        script=script,
        output=output,
        backend=backend,
        config=config,
        scenes=tuple(scene or ()),
        workers=workers,
        assignments=tuple(set_ or ()),
        strict=strict,
    )
    _render(order, json)


def plan(
    script: Script,
    backend: Backend = None,
    config: Config = None,
    set_: Assignments = None,
    json: AsJson = False,
) -> None:
    """Say what a render would do now, scene by scene: who, price, time; does nothing."""
    from renderer.cli.planning import Question, show_plan

    assignments = tuple(set_ or ())
    question = Question(script=script, backend=backend, config=config, assignments=assignments)
    show_plan(question, as_json=json)


def estimate(
    script: Script,
    backend: Backend = None,
    config: Config = None,
    set_: Assignments = None,
    json: AsJson = False,
) -> None:
    """Say how long a film will be, what it will cost and take, with each backend."""
    from renderer.cli.planning import Question, show_estimate

    assignments = tuple(set_ or ())
    question = Question(script=script, backend=backend, config=config, assignments=assignments)
    show_estimate(question, as_json=json)


def check(
    script: Script, config: Config = None, set_: Assignments = None, json: AsJson = False
) -> None:
    """Say whether a script can be rendered, and list its scenes; renders nothing."""
    from renderer.cli.scripts import check_script

    check_script(script, config, tuple(set_ or ()), as_json=json)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to start; made if missing.")
    ] = Path(),
    language: Annotated[
        str, typer.Option(metavar="TAG", help="The film's language, such as vi-VN.")
    ] = "en-US",
) -> None:
    """Start a film: a script to change, a presenter, the schema and a settings file."""
    from renderer.cli.scripts import start_film

    start_film(folder, language)


def schema(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it there instead.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of scene scripts, for editors and other programs."""
    from renderer.cli.scripts import write_schema

    write_schema(output)


def backends(config: Config = None, json: AsJson = False) -> None:
    """List the avatar backends, who brought each, and whether it works here and now."""
    from renderer.cli.inspecting import list_backends

    list_backends(config, as_json=json)


def doctor(config: Config = None, json: AsJson = False) -> None:
    """Look over everything that a render needs; exits with 1 when something essential is broken."""
    from renderer.cli.inspecting import show_diagnosis

    raise typer.Exit(show_diagnosis(config, as_json=json))


def cache(
    action: Annotated[
        CacheAction,
        typer.Argument(metavar="info|prune|clear", help="What to do.", show_default="info"),
    ] = CacheAction.INFO,
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="prune: not used for so long, as 30d.", show_default=False
        ),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="prune: then the longest unused, until so much is left, as 2G.",
            show_default=False,
        ),
    ] = None,
    paid: Annotated[
        bool, typer.Option("--paid", help="Clips that were paid for, too: they are paid again.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: Config = None,
    json: AsJson = False,
) -> None:
    """Say what the cache holds, or make it smaller; what a running render uses stays."""
    from renderer.cli.caching import Wish, manage_cache

    wish = Wish(action.value, older_than, max_size, paid=paid, dry=dry_run, config=config)
    manage_cache(wish, as_json=json)


def docs(
    page: Annotated[
        str | None,
        typer.Argument(
            metavar="PAGE[#SECTION]", help="A page, or one section of it.", show_default=False
        ),
    ] = None,
) -> None:
    """Show the documentation: the list of pages, one page, or one section of it."""
    from renderer.cli import reading

    reading.show_pages() if page is None else reading.show_page(page)


def _render(order: Order, as_lines: bool) -> None:
    from renderer.cli.rendering import render_for_people, render_for_programs

    raise typer.Exit(render_for_programs(order) if as_lines else render_for_people(order))
