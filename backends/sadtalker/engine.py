"""An engine declared by data: a program that makes a talking clip of a picture and a sound.

`EngineRunner` (runner.py) runs whatever is declared here. SadTalker's declaration is in
sadtalker.py; other packages add theirs through the entry points `avatar_core.engines`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from avatar_core.backend import Size
from avatar_core.errors import AvatarError, Category

# What the licence of an engine and its weights allows: anything, not everything, research only.
LicenceClass = Literal["permissive", "restricted", "research"]


def always(options: BaseModel) -> bool:
    """For a weight that every job needs."""
    del options
    return True


@dataclass(frozen=True, slots=True)
class Weight:
    """A file of a network: ``path`` from the engine's folder, with forward slashes, and its exact
    size. ``needed`` says whether a job with these options reads it; ``bytes`` None means that the
    size is not known and any file with something in it will do."""

    path: str
    bytes: int | None
    url: str = ""
    sha256: str = ""
    needed: Callable[[BaseModel], bool] = always


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the work: ``name`` is stable (``render``), ``says`` is for people.

    ``weight`` is its share of the whole time, in any unit. ``bars`` are the names of its
    progress bars, in order; ``line`` is a regular expression for a printed line by which a
    stage without bars is known to have begun.
    """

    name: str
    says: str
    weight: float
    bars: tuple[str, ...] = ()
    line: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A known failure: found by ``pattern`` (a regular expression, case ignored) in the last
    lines of a job that failed, where ``stage`` and ``status`` (the exit code) fit as well.

    ``code`` is stable and the anchor of its section in docs/sadtalker.md; ``says`` is a whole
    sentence, ``advice`` the next step. A pattern that is empty fits every text.
    """

    code: str
    pattern: str
    category: Category
    says: str
    advice: str
    stage: str = ""
    status: int | None = None

    def fits(self, text: str, stage: str, status: int) -> bool:
        if self.stage and self.stage != stage:
            return False
        if self.status is not None and self.status != status:
            return False
        return re.search(self.pattern, text, re.IGNORECASE | re.MULTILINE) is not None


@dataclass(frozen=True, slots=True)
class Loop:
    """A line that an engine prints over and over when it will never end: after ``times`` of them
    the job is killed and fails as ``fault``."""

    pattern: str
    times: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Needs:
    """What the input of a job has to be. ``picture_side`` is the longest side in pixels,
    ``sound_rate`` in Hz, ``shortest`` in seconds. ``pads`` says with which options a face near
    the edge needs more picture around it, ``longest`` how many seconds one run can make with
    these options (None: any); longer narration is cut at silences and the clips are joined."""

    picture_side: int = 1536
    sound_rate: int = 16_000
    shortest: float = 0.1
    pads: Callable[[BaseModel], bool] = lambda options: False
    longest: Callable[[BaseModel], float | None] = lambda options: None


@dataclass(frozen=True, slots=True)
class JobPaths:
    """Where things are for one run; every path is absolute and ASCII below ``folder``."""

    root: Path
    folder: Path
    image: Path
    audio: Path
    out: Path


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result is: named by the last line that ``line`` matches (group ``path``), else
    the newest file that ``pattern`` finds below the job's folder."""

    pattern: str = "out/*.mp4"
    line: str = ""


def _no_stages(options: BaseModel) -> tuple[Stage, ...]:
    del options
    return ()


def _no_modules(options: BaseModel) -> tuple[str, ...]:
    del options
    return ()


@dataclass(frozen=True)
class Engine:
    """All that there is to know about an engine.

    ``command`` gives what follows ``python -u``: a script and its arguments; an engine that
    reads a configuration file writes it into the job's folder there. ``modules`` are the
    packages that its Python must have, ``extra_modules`` those for some options alone, ``files``
    what must be in its folder besides the weights. ``fetched`` are weights that it fetches itself
    when it first needs them: they may be absent, but not damaged.
    ``caps`` bounds a run: seconds at most for so many seconds of sound. ``scratch`` is a regular
    expression of the names of files that it leaves in its folder. ``vram_mb`` is GPU memory.
    """

    name: str
    title: str
    licence: str
    licence_class: LicenceClass
    vram_mb: int
    Options: type[BaseModel]
    command: Callable[[JobPaths, BaseModel], list[str]]
    weights: tuple[Weight, ...] = ()
    files: tuple[str, ...] = ()
    fetched: tuple[Weight, ...] = ()
    modules: tuple[str, ...] = ()
    extra_modules: Callable[[BaseModel], tuple[str, ...]] = _no_modules
    output: Output = Output()
    needs: Needs = Needs()
    stages: Callable[[BaseModel], tuple[Stage, ...]] = _no_stages
    faults: tuple[Fault, ...] = ()
    loops: tuple[Loop, ...] = ()
    caps: Callable[[float, BaseModel], float] = lambda seconds, options: 600 + 40 * seconds
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: str = ""
    homepage: str = ""


@dataclass(frozen=True, slots=True)
class EngineTask:
    """One clip to make. ``image`` and ``audio`` may be any files that can be read; ``options`` is
    an instance of the engine's ``Options``; ``folder`` is private to the task, exists, and holds
    scratch files and the result."""

    image: Path
    audio: Path
    options: BaseModel
    folder: Path


@dataclass(frozen=True, slots=True)
class EngineNews:
    """How far a run is: ``fraction`` from 0 to 1 never falls, ``message`` is for people."""

    stage: str
    fraction: float
    message: str


@dataclass(frozen=True, slots=True)
class EngineResult:
    """The finished clip: H.264, yuv420p, with the sound that was given; ``duration`` in seconds.
    ``warnings`` are sentences for the user."""

    video: Path
    size: Size
    fps: float
    duration: float
    warnings: tuple[str, ...] = ()


class EngineFailure(AvatarError):
    """A run that failed: ``code`` is stable (``no_face``), ``log_tail`` the last lines printed.

    ``retryable`` says whether the same task may succeed when it is run again. Paths of this
    machine are in ``log_tail`` only, never in ``message``.
    """

    def __init__(
        self,
        code: str,
        category: Category,
        message: str,
        *,
        advice: str | None = None,
        status: int | None = None,
        log_tail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(category, message, advice=advice, status=status)
        self.code = code
        self.log_tail = log_tail

    @property
    def retryable(self) -> bool:
        return self.category in (Category.SERVER, Category.BAD_OUTPUT, Category.TIMEOUT)


def engines() -> dict[str, Engine]:
    """Every engine by its name: the built-in ones and those of other packages."""
    from backends.sadtalker.engines import found

    return found()


def engine_named(name: str) -> Engine:
    """Raises `InputError`, with the nearest name, for one that does not exist."""
    from backends.sadtalker.engines import named

    return named(name)
