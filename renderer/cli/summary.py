"""What a finished render leaves on the screen: the film, its scenes and what fell back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from renderer.cli.streams import printable
from renderer.report.words import listed, price

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from avatar_core.trail import TrailEntry
    from renderer.result import RenderResult, SceneResult
    from renderer.speech.narration import SpeechAttempt

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# A film of many scenes that fell for one reason is told in a line and not in a page.
_MOST_NAMES = 6


def show_result(
    console: Console, result: RenderResult, took: float, already_said: Collection[str] = ()
) -> None:
    """Print where the film is, a table of its scenes, what fell back and what to know."""
    console.print(_table(result), soft_wrap=False)
    fallbacks = list(_fallbacks(result))
    console.print("What fell back, and why:" if fallbacks else "Nothing fell back.")
    for line in fallbacks:
        console.print(f"  {printable(line)}", style="yellow")
    if any(entry.passing for scene in result.scenes if scene.degraded for entry in scene.trail):
        console.print("Render again later: scenes that fell back are tried again, and only they.")
    for warning in _warnings(result):
        if warning not in already_said:
            console.print(f"Warning: {printable(warning)}", style="yellow")
    for path in result.captions:
        console.print(f"Captions: {printable(path)}")
    if result.report is not None:
        console.print(f"Report: {printable(result.report)}")
    for cost in result.costs:
        console.print(f"Cost: {price([cost])}")
    console.print(f"{result.seconds:.1f} s of film, made in {took:.1f} s.")
    console.print(f"The film is here: {printable(result.path)}", style="bold green")


def _table(result: RenderResult) -> Table:
    from rich.table import Table

    table = Table(title_justify="left")
    for name in ("Scene", "Presenter", "Voice"):
        table.add_column(name, overflow="fold")
    table.add_column("Seconds", justify="right")
    table.add_column("State", overflow="fold")
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
    spoke = (a.engine for a in scene.speech_trail if a.category is None and not a.skipped)
    return next(spoke, None)


def _fallbacks(result: RenderResult) -> Iterator[str]:
    """Why scenes fell back: a line for every reason, with the scenes that it struck."""
    texts: dict[str, str] = {}
    scenes: dict[str, Counter[str]] = {}
    for scene in result.scenes:
        for name, attempt in _passed_over(scene):
            text = f"{name} {_reason(attempt)}"
            # Why it was left out may hold seconds and prices that are another scene's alone.
            alike = _NUMBER.sub("#", text) if attempt.skipped else text
            texts.setdefault(alike, text)
            scenes.setdefault(alike, Counter())[scene.id] += 1
    for alike, times in scenes.items():
        often = f" ({times.total()} times)" if times.total() > len(times) else ""
        yield f"{_named(list(times))}: {texts[alike]}{often}"


def _passed_over(scene: SceneResult) -> Iterator[tuple[str, TrailEntry | SpeechAttempt]]:
    """What failed or was left out on the way, by name, where the scene fell back."""
    if not scene.degraded:
        return
    for said in scene.speech_trail:
        if said.category or said.skipped:
            yield said.engine, said
    for made in scene.trail:
        if made.category or made.skipped:
            yield made.backend, made


def _named(scenes: list[str]) -> str:
    if len(scenes) <= _MOST_NAMES:
        return listed(scenes)
    shown = _MOST_NAMES - 1
    return f"{', '.join(scenes[:shown])} and {len(scenes) - shown} more scenes"


def _reason(attempt: TrailEntry | SpeechAttempt) -> str:
    why = attempt.message
    if attempt.advice:
        # An exception's own words seldom end as a sentence does.
        why = f"{why}{'' if why.endswith(('.', '!', '?')) else '.'} {attempt.advice}".strip()
    return f"was left out: {why}" if attempt.skipped else f"failed ({attempt.category}): {why}"


def _warnings(result: RenderResult) -> Iterator[str]:
    yield from dict.fromkeys(result.warnings)
    for scene in result.scenes:
        for warning in scene.warnings:
            yield f"{scene.id}: {warning}"
