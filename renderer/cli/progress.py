"""A render seen while it runs: bars on a terminal, a line a scene everywhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from avatar_core.events import Event, RenderStarted, SceneFinished, StageProgress, Warned
from renderer.cli.completion import Completion
from renderer.cli.streams import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_STAGES = {
    "speech": "speaking",
    "avatar": "presenter",
    "segment": "composing",
    "again": "trying again what fell back",
    "joins": "joining scenes",
    "sound": "mixing sound",
    "film": "writing the film",
}


class ProgressView(Protocol):
    """Something that shows events as they come."""

    def __call__(self, event: Event) -> None: ...

    def close(self) -> None:
        """Leave the terminal as it was; safe to call twice."""

    def abandon(self) -> None:
        """As `close`, when another thread may hold every lock there is."""


def progress_view(console: Console) -> ProgressView:
    """Bars where they can be drawn, plain lines in a pipe, a file or a dumb terminal."""
    return Bars(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


class Lines:
    """One line for each finished scene and each warning; nothing that moves a cursor."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._completion = Completion()

    def __call__(self, event: Event) -> None:
        self._completion(event)
        if isinstance(event, RenderStarted):
            self._console.print(f"Rendering {count(len(event.scenes), 'scene')} ...")
        elif isinstance(event, SceneFinished):
            done, all_of_them = len(self._completion.finished), len(self._completion.scenes)
            self._console.print(f"[{done}/{all_of_them}] {event.id}: {_ending(event)}")
        elif isinstance(event, StageProgress) and event.stage == "again":
            self._console.print(f"{_doing(event).capitalize()} ...")
        elif isinstance(event, Warned):
            show_warning(self._console, event)

    def close(self) -> None:
        return None

    def abandon(self) -> None:
        return None


class Bars:
    """A bar for the film with the time left, and one for every scene that is being made."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._completion = Completion()
        self._progress = _bars(console)
        self._film: TaskID | None = None
        self._scenes: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        self._completion(event)
        if isinstance(event, RenderStarted):
            self._progress.start()
            self._film = self._progress.add_task(
                "film", total=1.0, stage=count(len(event.scenes), "scene")
            )
        elif isinstance(event, StageProgress):
            self._stage(event)
        elif isinstance(event, SceneFinished):
            self._remove(event.id)
        elif isinstance(event, Warned):
            show_warning(self._progress.console, event)
        self._update_film(event)

    def close(self) -> None:
        self._progress.stop()

    def abandon(self) -> None:
        if os.name == "posix":
            # The live display has hidden the cursor, and its lock may never be free again.
            self._console.file.write("\x1b[?25h\n")

    def _stage(self, event: StageProgress) -> None:
        if event.scene is None:
            return
        done = self._completion.of_scene(event.scene)
        if event.scene in self._completion.finished:
            # It fell back and is tried again: its bar counts what is done of that.
            done = event.fraction
            if done >= 1:
                self._remove(event.scene)
                return
        if event.scene not in self._scenes:
            self._scenes[event.scene] = self._progress.add_task(event.scene, total=1.0, stage="")
        task = self._scenes[event.scene]
        self._progress.update(task, completed=done, stage=_doing(event))

    def _remove(self, scene: str) -> None:
        task = self._scenes.pop(scene, None)
        if task is not None:
            self._progress.remove_task(task)

    def _update_film(self, event: Event) -> None:
        if self._film is None:
            return
        stage = (
            f"{len(self._completion.finished)} of {count(len(self._completion.scenes), 'scene')}"
        )
        if isinstance(event, StageProgress) and event.scene is None:
            stage = _doing(event)
        self._progress.update(self._film, completed=self._completion.fraction, stage=stage)


def show_warning(console: Console, event: Warned) -> None:
    """Print a warning with the scene it belongs to and what to do about it."""
    where = f"{event.scene}: " if event.scene else ""
    text = " ".join(part for part in (event.message, event.advice) if part)
    console.print(f"Warning: {printable(where + text)}", style="yellow")


def count(number: int, noun: str) -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bars(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeLeft(),
        TextColumn("{task.fields[stage]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=8,
    )


def _doing(event: StageProgress) -> str:
    stage = _STAGES.get(event.stage, event.stage)
    return printable(f"{stage}: {event.message}" if event.message else stage)


def _ending(event: SceneFinished) -> str:
    made = f"presenter by {event.backend}" if event.backend else "no presenter"
    notes = [f"{event.seconds:.1f} s", made]
    if event.degraded:
        notes.append("degraded")
    if event.cached:
        notes.append("unchanged")
    return ", ".join(notes)
