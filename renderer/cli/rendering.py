"""`avatar render` and `avatar demo`: one render, watched, cancellable, and told at its end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from avatar_core.events import Event, Warned
from renderer.cli import failures, streams
from renderer.cli.cancelling import CANCELLED, run_cancellable
from renderer.cli.json_lines import json_output
from renderer.cli.progress import progress_view

if TYPE_CHECKING:
    from renderer.film import Film
    from renderer.result import RenderResult

DEMO_SCRIPT = Path(__file__).parent.parent / "demo" / "demo.yaml"
_VARIABLES = "variables."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the command line asks to be rendered."""

    script: Path
    output: Path | None = None
    backend: str | None = None
    config: Path | None = None
    scenes: tuple[str, ...] = ()
    workers: int | None = None
    assignments: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished render; ``took`` is in seconds."""

    result: RenderResult
    took: float
    strict: bool

    @property
    def exit_code(self) -> int:
        return failures.DEGRADED if self.strict and self.result.degraded else 0


def render_for_people(order: Order) -> int:
    """Render with progress on standard error and a summary on standard output."""
    console = streams.err()
    view = progress_view(console)
    said: set[str] = set()

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            said.add(f"{event.scene}: {event.message}" if event.scene else event.message)
        view(event)

    def abandon() -> None:
        view.abandon()
        _say_cancelled()

    token = CancelToken()
    try:
        outcome = run_cancellable(
            lambda: _render(order, token, listen, console.print), token, abandon
        )
    finally:
        view.close()
    from renderer.cli.summary import show_result

    show_result(streams.out(), outcome.result, outcome.took, said)
    if outcome.exit_code == failures.DEGRADED:
        console.print("Degraded, and that counts as a failure here (--strict).", style="red")
    return outcome.exit_code


def render_for_programs(order: Order) -> int:
    """Render with nothing but JSON lines on standard output."""
    token = CancelToken()
    with json_output() as lines:

        def abandon() -> None:
            lines.write(failures.explain(Cancelled()).to_json())
            _say_cancelled()

        outcome = run_cancellable(lambda: _render(order, token, lines), token, abandon)
        lines.write(outcome.result.event().to_json())
    return outcome.exit_code


def _say_cancelled() -> None:
    # Not through a console: another thread may hold its lock for ever.
    sys.stderr.write(f"{CANCELLED}\n")


def _render(
    order: Order,
    token: CancelToken,
    listen: Callable[[Event], None],
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    from renderer.renderer import SmartVideoRenderer

    started = time.monotonic()
    overrides, variables = split_assignments(order.assignments)
    with SmartVideoRenderer(
        chain_of(order.backend),
        config=order.config,
        workers=order.workers,
        on_event=listen,
        overrides=overrides,
        cancel=token,
    ) as renderer:
        film = renderer.check(order.script, variables=variables)
        output = choose_output(order, film, say)
        scenes = order.scenes or None
        result = renderer.render(order.script, output, scenes=scenes, variables=variables)
        strict = order.strict or renderer.settings.on_degraded == "fail"
    return Outcome(result, time.monotonic() - started, strict)


def chain_of(backend: str | None) -> list[str] | None:
    """The backends to try, in their order; None leaves the choice to the settings."""
    if backend is None:
        return None
    names = [name.strip() for name in backend.split(",") if name.strip()]
    if not names:
        raise InputError("No name is given.", key="--backend", advice="See: avatar backends")
    return names


def split_assignments(assignments: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the script's variables among ``name=value`` texts."""
    from avatar_core.settings import parse_assignments

    values = parse_assignments(assignments)
    variables = {k.removeprefix(_VARIABLES): v for k, v in values.items() if _is_variable(k)}
    return {k: v for k, v in values.items() if not _is_variable(k)}, variables


def _is_variable(name: str) -> bool:
    return name.startswith(_VARIABLES)


def choose_output(order: Order, film: Film, say: Callable[[str], None]) -> Path:
    """Where the film goes: the argument, else the script's own path, else beside the reader."""
    if order.output is not None:
        return checked_output(order.output, "--output")
    if film.path is not None:
        return checked_output(film.path, "output.path")
    path = checked_output(Path(f"{order.script.stem}.mp4"), "--output")
    say(f"No --output is given, so the film goes to {streams.printable(path)}")
    return path


def checked_output(path: Path, key: str) -> Path:
    """The absolute path of an MP4 that can be written there; raises `InputError`."""
    # Absolute, because a name that starts with a dash would be an option to what comes next.
    path = Path.cwd() / path
    if os.path.isdir(path):  # noqa: PTH112 - the other one raises for names that are too long
        raise InputError(
            f"{path} is a folder.",
            key=key,
            advice=f"Name the film in it, such as {path / 'film.mp4'}",
        )
    if path.suffix.lower() != ".mp4":
        raise InputError(
            f"The film is an MP4, and {path.name!r} does not end in .mp4.",
            key=key,
            advice=f"Write {path.with_suffix('.mp4').name}",
        )
    return path
