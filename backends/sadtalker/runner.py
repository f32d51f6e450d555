"""Runs an engine: input made ready, one process after another watched, its clip made playable."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import NO_ROOM, DiskFull
from avatar_core.media_error import MediaError
from avatar_core.process_errors import start_error
from backends.sadtalker.diagnosis import diagnosed, failure_of, refused
from backends.sadtalker.engine import (
    Engine,
    EngineFailure,
    EngineNews,
    EngineResult,
    EngineTask,
    Fault,
    JobPaths,
)
from backends.sadtalker.environment import clean_environment, provide_ffmpeg
from backends.sadtalker.faults_of_ours import DISK_FULL
from backends.sadtalker.finish import Take, Unusable, join, pick_up, take
from backends.sadtalker.installed import (
    Lack,
    fault_of,
    lacking_files,
    lacking_modules,
    lacking_python,
    lacking_weights,
    located,
)
from backends.sadtalker.picture import Kept, prepare_picture
from backends.sadtalker.process import start
from backends.sadtalker.progress import Progress
from backends.sadtalker.scratch import plain_folder, swept
from backends.sadtalker.sound import Narration, Piece, pieces, read_narration, write_piece
from backends.sadtalker.watch import Ended, Patience, Stop, Watch

Tell = Callable[[EngineNews], None]

# What share of the whole is done when the engine starts, and when it ends.
_ENGINE_FROM, _ENGINE_TO = 0.02, 0.95


@dataclass(frozen=True, slots=True)
class RunLimits:
    """In seconds. ``silence``: an engine that prints nothing for so long is taken for dead.
    ``most``: the longest run, None for what the engine's declaration says. ``grace``: how long a
    process may take to end when it is asked to. ``chunk``: the longest piece of narration that
    one process makes, None for the engine's own."""

    silence: float = 300.0
    most: float | None = None
    grace: float = 5.0
    chunk: float | None = None


class EngineRunner:
    """``root`` is the engine's folder, ``python`` the interpreter of its own environment (by
    default this one). ``environment`` is added to the little that the engine gets to see of
    ours, such as ``CUDA_VISIBLE_DEVICES``. Runs may overlap; a GPU has room for one."""

    def __init__(
        self,
        engine: Engine,
        root: Path,
        python: str | None = None,
        *,
        limits: RunLimits | None = None,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.engine = engine
        self.root = root.absolute()
        self._python = located(python or sys.executable)
        self._limits = limits or RunLimits()
        self._clock = clock or SystemClock()
        self._environment = {**engine.environment, **(environment or {})}
        self._modules_found: set[str] | None = None

    def missing(self, options: BaseModel | None = None) -> tuple[str, ...]:
        """What is not installed, in words; empty when a job with ``options`` could start.

        Without ``options``, all that any job could need. Reads names and sizes of files, and
        asks the engine's Python for its packages until it has them all.
        """
        return tuple(lack.says for lack in self._lacks(options))

    def run(
        self, task: EngineTask, tell: Tell, cancel: Stop, *, most: float | None = None
    ) -> EngineResult:
        """Make the clip, in ``task.folder``; nothing else is left behind. ``most`` is how many
        seconds it may take, where that is not what the limits say.

        Raises `EngineFailure`, and `Cancelled` when ``cancel`` is set (a `threading.Event`, or
        whatever else has ``is_set``). No process of the engine is left by then.
        """
        if not isinstance(task.options, self.engine.Options):
            raise TypeError(f"{self.engine.name} takes {self.engine.Options.__name__}")
        if lacks := self._lacks(task.options):
            raise failure_of(fault_of(self.engine, lacks))
        scratch = swept(self.root, self.engine.scratch, self._clock.wall())
        with scratch, plain_folder(task.folder) as folder, _told_in_words():
            return _Run(self, task, folder, _Steady(tell), cancel).made(most)

    def _lacks(self, options: BaseModel | None) -> list[Lack]:
        lacks = lacking_files(self.engine, self.root) or [
            *lacking_python(self._python),
            *lacking_weights(self.engine, self.root, options),
        ]
        extra = self.engine.extra_modules(options) if options is not None else ()
        modules = (*self.engine.modules, *extra)
        found = self._modules_found
        if lacks or (found is not None and found.issuperset(modules)):
            return lacks
        environment = clean_environment(self._environment)
        lacks = lacking_modules(modules, self._python, self.root, environment)
        if not lacks:
            self._modules_found = {*(found or ()), *modules}
        return lacks


class _Run:
    """One task: its pieces, each made by a process of its own, and the clip joined from them."""

    def __init__(
        self, runner: EngineRunner, task: EngineTask, folder: Path, tell: Tell, cancel: Stop
    ) -> None:
        self._engine, self._root = runner.engine, runner.root
        self._python, self._limits = runner._python, runner._limits
        self._clock, self._variables = runner._clock, runner._environment
        self._task, self._folder, self._tell = task, folder, tell
        self._cancel = cancel
        self._token = _Token(cancel)
        self._begun = self._clock()

    def made(self, most: float | None) -> EngineResult:
        self._tell(EngineNews("prepare", 0.0, "preparing picture and sound"))
        self._token.check()
        kept = self._picture()
        narration = self._narration()
        needs = self._engine.needs
        cut = pieces(narration, self._limits.chunk or needs.longest(self._task.options))
        most = most or self._limits.most or self._engine.caps(narration.seconds, self._task.options)
        programs = provide_ffmpeg(self._folder)
        takes: list[Take] = []
        for piece in cut:
            tell = _part(self._tell, piece, narration.seconds, len(takes) + 1, len(cut))
            takes.append(self._take(piece, narration, programs, most, tell))
        return self._finished(takes, narration.seconds, kept)

    def _picture(self) -> Kept:
        needs, task = self._engine.needs, self._task
        target = self._folder / "source.png"
        pad = needs.pads(task.options)
        try:
            return prepare_picture(task.image, target, needs.picture_side, pad=pad)
        except MediaError as failure:
            raise refused("bad_picture", failure.message, failure.advice) from failure

    def _narration(self) -> Narration:
        rate = self._engine.needs.sound_rate
        try:
            return read_narration(self._task.audio, self._folder, rate, self._token)
        except MediaError as failure:
            raise refused("bad_sound", failure.message, failure.advice) from failure

    def _take(
        self, piece: Piece, narration: Narration, programs: Path, most: float, tell: Tell
    ) -> Take:
        folder = self._folder / f"piece-{round(piece.start * 1000):09d}"
        paths = JobPaths(
            self._root, folder, self._folder / "source.png", folder / "audio.wav", folder / "out"
        )
        paths.out.mkdir(parents=True)
        given = write_piece(narration, piece, paths.audio, self._engine.needs.shortest)
        ended = self._process(paths, programs, most, tell)
        try:
            video = pick_up(self._engine.output, folder, ended.result, self._root)
            return take(video, piece, given)
        except Unusable as failure:
            if ended.status:
                raise self._diagnosed(ended) from failure
            raise failure_of(failure.fault, ended.tail) from failure

    def _process(self, paths: JobPaths, programs: Path, most: float, tell: Tell) -> Ended:
        engine, options = self._engine, self._task.options
        command = [self._python, "-u", *engine.command(paths, options)]
        variables = clean_environment(self._variables, programs=programs)
        progress = Progress(engine.stages(options))
        watch = Watch(progress, engine.loops, engine.output.line, self._clock)
        # Whatever can be refused is refused while nothing runs that would have to be ended.
        tell(progress.first())
        left = most - (self._clock() - self._begun)
        patience = Patience(self._limits.silence, left, most, self._limits.grace)
        try:
            process = start(command, self._root, variables)
        except OSError as failure:
            error = start_error(engine.title, failure)
            fault = Fault("not_installed", "", error.category, error.message, error.advice)
            raise failure_of(fault) from failure
        ended = watch.until_end(process, patience, tell, self._cancel)
        if ended.fault is not None:
            raise failure_of(ended.fault, ended.tail, ended.status)
        # One that fails after it has named its result, while it tidies up, has done its work.
        if ended.status and ended.result is None:
            raise self._diagnosed(ended)
        return ended

    def _diagnosed(self, ended: Ended) -> EngineFailure:
        return diagnosed(self._engine, ended, (self._folder, self._root))

    def _finished(self, takes: list[Take], seconds: float, kept: Kept) -> EngineResult:
        self._tell(EngineNews("finish", _ENGINE_TO, "making the video playable"))
        target = self._task.folder / "clip.mp4"
        try:
            # An enhancer doubles the size: nothing is larger than the largest picture that goes in.
            longest = self._engine.needs.picture_side
            info = join(takes, self._task.audio, seconds, kept, target, self._token, longest)
        except Unusable as failure:
            raise failure_of(failure.fault) from failure
        self._tell(EngineNews("finish", 1.0, "ready"))
        return EngineResult(target, info.size, info.fps, info.seconds, _warnings(takes))


class _Steady:
    """Passes news on, its fraction never falling."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._best = 0.0

    def __call__(self, news: EngineNews) -> None:
        self._best = min(1.0, max(self._best, news.fraction))
        self._tell(EngineNews(news.stage, self._best, news.message))


class _Token(CancelToken):
    """A `Stop` as what ffmpeg's supervisor looks at."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()


def _part(tell: Tell, piece: Piece, whole: float, number: int, of: int) -> Tell:
    """News of one piece as news of the whole."""
    share = (_ENGINE_TO - _ENGINE_FROM) / whole
    start, length = _ENGINE_FROM + piece.start * share, (piece.end - piece.start) * share
    which = f"part {number} of {of}: " if of > 1 else ""

    def told(news: EngineNews) -> None:
        tell(EngineNews(news.stage, start + length * news.fraction, which + news.message))

    return told


def _warnings(takes: list[Take]) -> tuple[str, ...]:
    if len(takes) == 1:
        return ()
    return (
        f"The narration was made in {len(takes)} parts: the head may shift a little where they "
        "meet, which is at silences.",
    )


@contextmanager
def _told_in_words() -> Iterator[None]:
    try:
        yield
    except (DiskFull, OSError) as failure:
        if isinstance(failure, OSError) and failure.errno not in NO_ROOM:
            raise
        raise failure_of(DISK_FULL) from failure
