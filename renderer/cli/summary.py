"""What a finished render leaves on the screen: the film, its scenes and what fell back."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from renderer.cli.streams import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from renderer.result import RenderResult, SceneResult


def show_result(
    console: Console, result: RenderResult, took: float, already_said: Collection[str] = ()
) -> None:
    """Print where the film is, a table of its scenes, what fell back and what to know."""
    console.print(_table(result), soft_wrap=False)
    for line in _fallbacks(result):
        console.print(printable(line), style="yellow")
    for warning in _warnings(result):
        if warning not in already_said:
            console.print(f"Warning: {printable(warning)}", style="yellow")
    for path in result.captions:
        console.print(f"Captions: {printable(path)}")
    if result.cost.amount:
        console.print(f"Cost: {result.cost.amount} {result.cost.currency}")
    console.print(f"{result.seconds:.1f} s of film, made in {took:.1f} s.")
    console.print(f"The film is here: {printable(result.path)}", style="bold green")


def _table(result: RenderResult) -> Table:
    from rich.table import Table

    table = Table(title_justify="left")
    for name in ("Scene", "Presenter", "Voice"):
        table.add_column(name, overflow="fold")
    table.add_column("Seconds", justify="right")
    table.add_column("State")
    for scene in result.scenes:
        table.add_row(
            printable(scene.id),
            scene.backend or "-",
            _engine(scene) or "-",
            f"{scene.seconds:.1f}",
            _state(scene),
        )
    return table


def _state(scene: SceneResult) -> str:
    made = "unchanged" if scene.cached else "made"
    return f"{made}, fell back" if scene.degraded else made


def _engine(scene: SceneResult) -> str | None:
    """The engine that spoke: the attempt that succeeded."""
    return next((attempt.engine for attempt in scene.speech_trail if not attempt.category), None)


def _fallbacks(result: RenderResult) -> Iterator[str]:
    """A sentence for each rung that was passed over, with its reason and what to do."""
    for scene in result.scenes:
        if not scene.degraded:
            continue
        for attempt in [*scene.speech_trail, *scene.trail]:
            if attempt.category is not None:
                name = getattr(attempt, "backend", None) or getattr(attempt, "engine", "")
                reason = " ".join(part for part in (attempt.message, attempt.advice) if part)
                yield f"{scene.id}: {name} did not make it ({attempt.category}): {reason}"
        if scene.backend:
            yield f"{scene.id}: made by {scene.backend} instead."


def _warnings(result: RenderResult) -> Iterator[str]:
    yield from dict.fromkeys(result.warnings)
    for scene in result.scenes:
        for warning in scene.warnings:
            yield f"{scene.id}: {warning}"
