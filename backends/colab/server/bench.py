"""The engines of one server, and what is in the way of their work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from avatar_core.clock import Clock, SystemClock
from avatar_core.validation import first_fault
from backends.colab.server.gpu import Gpus
from backends.colab.server.refusals import KINDS, Refusal
from backends.sadtalker.engine import Engine, EngineNews, EngineResult, EngineTask
from backends.sadtalker.gpu import Gpu

# Looking for gigabytes of weights is quick, but health may be asked every second.
_FRESH_SECONDS = 10.0


# What any job could need, and what a job with the engine's defaults needs.
_Missing = tuple[tuple[str, ...], tuple[str, ...]]


class Runner(Protocol):
    """What runs one engine, as `backends.sadtalker.runner.EngineRunner` does."""

    @property
    def engine(self) -> Engine: ...

    @property
    def root(self) -> Path: ...

    def missing(self, options: BaseModel | None = None) -> tuple[str, ...]:
        """What is not installed, in words; empty when a job could start."""

    def run(
        self, task: EngineTask, tell: Callable[[EngineNews], None], cancel: threading.Event
    ) -> EngineResult:
        """Raises `EngineFailure`, and `Cancelled` soon after ``cancel`` is set."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """``problem`` is the first thing in the way of a job with the engine's own defaults, None when
    there is none; ``missing`` is all that any job could need."""

    missing: tuple[str, ...] = ()
    gpu: Gpu | None = None
    problem: str | None = None
    advice: str | None = None


class Bench:
    """``runners`` by the name of their engine; the first one is used where none is named.

    An engine that wants GPU memory is not ready on a machine that shows no GPU, unless
    ``without_gpu`` says that this is meant. ``clean`` takes out of a text what only the machine's
    owner should see.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        *,
        gpus: Gpus | None = None,
        without_gpu: bool = False,
        clock: Clock | None = None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.runners = dict(runners)
        self.default = next(iter(self.runners))
        self._gpus = gpus or Gpus()
        self._without_gpu = without_gpu
        self._clock = clock or SystemClock()
        self._clean = clean
        self._lock = threading.Lock()
        self._missing: dict[str, tuple[float, _Missing]] = {}

    def runner(self, name: str) -> Runner:
        if name not in self.runners:
            known = ", ".join(sorted(self.runners))
            raise Refusal("unknown_engine", f"This server has no such engine; it has: {known}.")
        return self.runners[name]

    def options(self, name: str, given: Mapping[str, Any]) -> BaseModel:
        """``given`` checked by the engine's own model; raises `Refusal`."""
        try:
            return self.runner(name).engine.Options.model_validate(dict(given))
        except ValidationError as failure:
            fault = first_fault(failure)
            where = f"{fault.key}: " if fault.key else ""
            raise Refusal("bad_options", f"The options are wrong: {where}{fault.message}") from None

    def require_ready(self, name: str, options: BaseModel) -> None:
        """Raise `Refusal` when a job with these options could not even start."""
        missing = self._cleaned(self.runner(name).missing(options))
        if missing:
            raise Refusal("engine_not_ready", _told(missing))
        if self._lacks_gpu(name):
            raise Refusal("no_gpu")

    def readiness(self, name: str) -> Readiness:
        (missing, needed), gpu = self._looked(name), self._gpus.first()
        if needed:
            return Readiness(missing, gpu, _told(needed), KINDS["engine_not_ready"].advice)
        if self._lacks_gpu(name):
            return Readiness(missing, gpu, KINDS["no_gpu"].message, KINDS["no_gpu"].advice)
        return Readiness(missing, gpu)

    def described(self) -> list[dict[str, Any]]:
        """Each engine as ``GET /engines`` tells it."""
        return [self._described(name) for name in self.runners]

    def _described(self, name: str) -> dict[str, Any]:
        engine, readiness = self.runners[name].engine, self.readiness(name)
        return {
            "name": name,
            "title": engine.title,
            "licence": engine.licence,
            "vram_mb": engine.vram_mb,
            "options": engine.Options.model_json_schema(),
            "ready": readiness.problem is None,
            "missing": list(readiness.missing),
        }

    def _lacks_gpu(self, name: str) -> bool:
        if self._without_gpu or not self.runners[name].engine.vram_mb:
            return False
        return self._gpus.first() is None

    def _looked(self, name: str) -> _Missing:
        with self._lock:
            now = self._clock()
            when, found = self._missing.get(name, (None, ((), ())))
            if when is None or now - when >= _FRESH_SECONDS:
                runner = self.runners[name]
                usual = runner.missing(_defaults(runner.engine))
                found = self._cleaned(runner.missing()), self._cleaned(usual)
                self._missing[name] = (now, found)
            return found

    def _cleaned(self, missing: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._clean(one) for one in missing)


def _told(missing: tuple[str, ...]) -> str:
    # Each is a sentence of its own where an engine told it.
    told = "; ".join(one.removesuffix(".") for one in missing)
    return f"The engine is not completely installed: {told}."


def _defaults(engine: Engine) -> BaseModel | None:
    """None where an option has no default: then any job could be the usual one."""
    try:
        return engine.Options()
    except ValidationError:
        return None
