"""Failures that the runner itself finds, with any engine."""

from __future__ import annotations

from avatar_core.errors import Category
from backends.sadtalker.engine import Fault

_AGAIN = "Render again; if it stays so, use easier options."
_SHORTER = "Use shorter scenes or easier options, or allow more time."


def silent_for(seconds: float) -> Fault:
    says = f"It printed nothing for {_words(seconds)} and was stopped."
    return Fault("silent", "", Category.TIMEOUT, says, _AGAIN)


def too_long(seconds: float) -> Fault:
    says = f"It was not ready after {_words(seconds)} and was stopped."
    return Fault("too_long", "", Category.TIMEOUT, says, _SHORTER)


NO_VIDEO = Fault(
    "no_video",
    "",
    Category.BAD_OUTPUT,
    "It ended without an error and left no video.",
    "Render again; if it stays so, look at the last lines that it printed.",
)
EMPTY_VIDEO = Fault(
    "empty_video",
    "",
    Category.BAD_OUTPUT,
    "It left a video of 0 bytes.",
    "Check the disk's space and the ffmpeg on the machine that renders, and render again.",
)
BROKEN_VIDEO = Fault(
    "broken_video",
    "",
    Category.BAD_OUTPUT,
    "It left a video that cannot be read.",
    "Check the disk's space on the machine that renders, and render again.",
)
WRONG_LENGTH = Fault(
    "wrong_length",
    "",
    Category.BAD_OUTPUT,
    "The video is not as long as the narration.",
    _AGAIN,
)
DISK_FULL = Fault(
    "disk_full",
    "",
    Category.SERVER,
    "There is no room left on the disk.",
    "Free some space on the machine that renders, and render again.",
)


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:g} s"
