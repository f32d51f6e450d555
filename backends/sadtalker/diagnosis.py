"""Why a run failed: the engine's own table first, then what any program may die of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avatar_core.errors import Category
from avatar_core.http_text import shown
from avatar_core.pages import see
from avatar_core.process_errors import process_error
from backends.sadtalker.engine import Engine, EngineFailure, Fault
from backends.sadtalker.watch import Ended

CRASHED = "crashed"


def failure_of(fault: Fault, tail: Sequence[str] = (), status: int | None = None) -> EngineFailure:
    """``fault`` as an error; its advice says where to read more."""
    return EngineFailure(
        fault.code,
        fault.category,
        fault.says,
        advice=f"{fault.advice} {see(f'sadtalker#{fault.code}')}",
        status=status,
        log_tail=tuple(tail),
    )


def diagnosed(engine: Engine, ended: Ended, hidden: Sequence[Path] = ()) -> EngineFailure:
    """Why a process of ``engine`` ended as it did.

    Whatever no table knows is told with its last line, in which the folders ``hidden`` are not
    named.
    """
    status, tail = ended.status, ended.tail
    for fault in engine.faults:
        if fault.fits("\n".join(tail), ended.stage, status):
            return failure_of(fault, tail, status)
    text = "\n".join(ended.errors or tail)
    for folder in hidden:
        text = text.replace(str(folder), folder.name)
    error = process_error(engine.title, status, text)
    return EngineFailure(
        CRASHED,
        error.category,
        shown(error.message),
        advice=f"{error.advice} {see(f'sadtalker#{CRASHED}')}",
        status=status,
        log_tail=tuple(tail),
    )


def refused(code: str, message: str, advice: str | None) -> EngineFailure:
    """An input that cannot be used, found before anything was started."""
    told = f"{advice or 'Use another file.'} {see(f'sadtalker#{code}')}"
    return EngineFailure(code, Category.INVALID_INPUT, message, advice=told)
