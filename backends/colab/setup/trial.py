"""One clip made on the notebook's machine itself: the manual test."""

from __future__ import annotations

import importlib
import shutil
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import InputError
from backends.sadtalker.engine import EngineNews, EngineTask
from backends.sadtalker.runner import EngineRunner

Tell = Callable[[str], None]

# They come with SadTalker.
EXAMPLE_PICTURE = "examples/source_image/full_body_1.png"
EXAMPLE_SOUND = "examples/driven_audio/bus_chinese.wav"
# Where Colab shows a person's files once that is allowed.
_DRIVE = Path("/content/drive")
_STEP = 0.1
_SHOWN_WIDTH = 360


class Trial:
    """``folder`` keeps the last clip; the runner's own folder has the examples."""

    def __init__(self, runner: EngineRunner, folder: Path, clock: Clock | None = None) -> None:
        self._runner = runner
        self._folder = folder
        self._clock = clock or SystemClock()

    def make(self, picture: str, sound: str, options: BaseModel, tell: Tell) -> Path:
        """The clip. An empty name takes SadTalker's example. Raises as `EngineRunner.run` does."""
        task = EngineTask(
            self._input(picture, EXAMPLE_PICTURE, "picture"),
            self._input(sound, EXAMPLE_SOUND, "sound"),
            options,
            self._fresh_folder(),
        )
        begun, kept = self._clock(), self._folder / "clip.mp4"
        try:
            result = self._runner.run(task, _Steps(tell), threading.Event())
            shutil.move(result.video, kept)
        finally:
            shutil.rmtree(task.folder, ignore_errors=True)
        for warning in result.warnings:
            tell(warning)
        width, height = result.size
        tell(
            f"Made {kept}: {result.duration:.1f} s, {width}x{height}, "
            f"in {self._clock() - begun:.0f} s."
        )
        return kept

    def _input(self, name: str, example: str, what: str) -> Path:
        name = name.strip().strip("\"'").strip()
        path = Path(name).expanduser() if name else self._runner.root / example
        if path.is_file():
            return path.absolute()
        if not name:
            raise InputError(
                f"The example {what} of SadTalker is not there.",
                advice="Run cell 1, or write the name of a file of your own into the field.",
            )
        advice = (
            "Drag it into the Files panel on the left, and write its name here as it is shown "
            "there."
        )
        if path.is_relative_to(_DRIVE) and not _DRIVE.exists():
            advice = (
                "Google Drive is not mounted: click Mount Drive above the Files panel on the left, "
                "then run this cell again."
            )
        raise InputError(f"There is no {what} {name!r}.", advice=advice)

    def _fresh_folder(self) -> Path:
        folder = self._folder / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder


class _Steps:
    """Passes news on when the stage changes and at every tenth."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stage = ""
        self._next = 0.0

    def __call__(self, news: EngineNews) -> None:
        if news.stage == self._stage and news.fraction < self._next:
            return
        self._stage, self._next = news.stage, news.fraction + _STEP
        self._tell(f"{news.fraction:5.0%}  {news.message}")


def show_video(path: Path) -> None:
    """Below the cell, where there is one."""
    try:
        shown = importlib.import_module("IPython.display")
    except ImportError:
        return
    shown.display(shown.Video(str(path), embed=True, width=_SHOWN_WIDTH))
