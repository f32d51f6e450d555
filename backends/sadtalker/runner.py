"""Runs an engine: input made ready, one process at a time watched, its clip made playable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from avatar_core.clock import Clock, SystemClock
from backends.sadtalker.engine import Engine, EngineNews, EngineResult, EngineTask


@dataclass(frozen=True, slots=True)
class RunLimits:
    """In seconds. ``silence``: an engine that prints nothing for so long is taken for dead.
    ``most``: the longest run, None for what the engine's declaration says. ``grace``: how long a
    process may take to end when it is asked to. ``chunk``: the longest piece of narration that
    one run makes, None for the engine's own."""

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
        self.root = root
        self._python = python
        self._limits = limits or RunLimits()
        self._clock = clock or SystemClock()
        self._environment = dict(environment or {})

    def missing(self, options: BaseModel | None = None) -> tuple[str, ...]:
        """What is not installed, in words; empty when a job with ``options`` could start."""
        raise NotImplementedError

    def run(
        self, task: EngineTask, tell: Callable[[EngineNews], None], cancel: threading.Event
    ) -> EngineResult:
        """Make the clip. Raises `EngineFailure`, `Cancelled` when ``cancel`` is set (the process
        is gone by then), `InputError` for a picture or a sound that cannot be used."""
        raise NotImplementedError
