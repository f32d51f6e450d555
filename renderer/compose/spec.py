"""What a segment shows, as plain values: the whole input of its composition and cache key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from avatar_core.backend import Size
from renderer.script.models import Fit, Motion, Position, Quality

Shape = Literal["rect", "rounded", "circle"]


class Box(NamedTuple):
    """A rectangle in the frame, in pixels; all four are even, as 4:2:0 pictures need."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True)
class BackgroundLayer:
    """What is behind everything.

    ``color`` ("#rrggbb") fills what the picture leaves free. ``box`` is the part of the frame
    that the background covers, None for all of it.
    """

    kind: Literal["color", "image", "video"]
    src: Path | None = None
    color: str = "#000000"
    fit: Fit = "cover"
    motion: Motion = "none"
    when_short: Literal["freeze", "loop", "slow"] = "loop"
    when_long: Literal["trim", "speed_up"] = "trim"
    box: Box | None = None

    @property
    def moves(self) -> bool:
        return self.kind == "video" or (self.kind == "image" and self.motion != "none")


@dataclass(frozen=True, slots=True)
class PresenterLayer:
    """The presenter's clip over frames ``start`` to ``start + frames``; before and after these
    its first or last frame is held. ``still`` says that all its frames are the same picture."""

    clip: Path
    still: bool
    has_alpha: bool
    box: Box
    shape: Shape
    start: int
    frames: int


@dataclass(frozen=True, slots=True)
class PictureLayer:
    """A picture over the scene in frames ``start`` to ``end`` (exclusive); ``scale`` is its width
    as a share of the frame's width."""

    src: Path
    position: Position
    scale: float
    opacity: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """One silent segment of ``frames`` frames.

    ``cuts`` are frames at which the segment can be cut by packet copy. ``subtitles`` is a complete
    ASS document. ``changes`` are the frames (after 0) at which its picture changes, empty when it
    never does, None when unknown or animated.
    """

    size: Size
    fps: int
    frames: int
    cuts: tuple[int, ...]
    quality: Quality
    background: BackgroundLayer
    presenter: PresenterLayer | None = None
    pictures: tuple[PictureLayer, ...] = ()
    subtitles: str | None = None
    changes: tuple[int, ...] | None = None

    @property
    def background_hidden(self) -> bool:
        """Whether an opaque presenter covers the whole frame."""
        shown = self.presenter
        if shown is None or shown.has_alpha or shown.shape != "rect":
            return False
        return shown.box == (0, 0, *self.size)

    def files(self) -> tuple[Path, ...]:
        """The files that are read, each once."""
        found = [self.background.src, self.presenter.clip if self.presenter else None]
        found += [picture.src for picture in self.pictures]
        return tuple(dict.fromkeys(path for path in found if path is not None))

    def describe(self, hash_file: Callable[[Path], str]) -> dict[str, Any]:
        """JSON-ready values for a cache key; a file stands by its content, never by its name."""
        return {name: _plain(value, hash_file) for name, value in asdict(self).items()}

    def stretches(self) -> tuple[int, ...] | None:
        """First frames of the stretches within which the picture stands still, beginning with 0;
        None when something moves."""
        if self.background.moves and not self.background_hidden:
            return None
        if self.presenter is not None and not self.presenter.still:
            return None
        if self.subtitles is not None and self.changes is None:
            return None
        edges = {0, *(self.changes or ())} if self.subtitles is not None else {0}
        for picture in self.pictures:
            edges |= {picture.start, picture.end}
        return tuple(sorted(edge for edge in edges if 0 <= edge < self.frames))


def _plain(value: Any, hash_file: Callable[[Path], str]) -> Any:
    if isinstance(value, Path):
        return hash_file(value)
    if isinstance(value, dict):
        return {key: _plain(item, hash_file) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, hash_file) for item in value]
    return value
