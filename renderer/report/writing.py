"""The report gets its place beside a finished film, and never costs anybody that film."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from avatar_core.clock import Clock, SystemClock
from avatar_core.events import EventBus, Warned
from avatar_core.secrets import scrub
from renderer.film import Film
from renderer.report.facts import rows_of
from renderer.report.page import Material, page
from renderer.report.pictures import pictures_at
from renderer.result import RenderResult
from renderer.whole_file import write_whole

log = logging.getLogger(__name__)

_SUFFIX = ".report.html"
_ADVICE = "The film itself is finished. Set report = false to do without."


def report_path(film: Path) -> Path:
    """Where the report on ``film`` lies."""
    return film.with_name(f"{film.stem}{_SUFFIX}")


def reported(
    result: RenderResult, film: Film, bus: EventBus, wanted: bool, clock: Clock | None = None
) -> RenderResult:
    """``result`` with its report, or with a warning where none could be written."""
    if not wanted:
        return result
    written = datetime.fromtimestamp((clock or SystemClock()).wall(), UTC)
    try:
        return replace(result, report=write_report(result, film, written))
    except Exception as failure:
        # Whatever is wrong here, the film is finished and may have been paid for.
        log.debug("the report failed", exc_info=True)
        warning = f"The report beside the film cannot be written: {_why(failure)}. {_ADVICE}"
        bus.emit(Warned(message=warning))
        return replace(result, warnings=(*result.warnings, warning))


def write_report(result: RenderResult, film: Film, written: datetime) -> Path:
    """Write the report, whole or not at all; ``written`` is the time that it tells.

    Raises `OSError` when it cannot be written.
    """
    pictures = pictures_at(result.path, [row.middle for row in rows_of(result)])
    target = report_path(result.path)
    write_whole(target, page(Material(result, film, pictures, written, _captions(result))))
    return target


def _captions(result: RenderResult) -> bytes | None:
    """This render's own WebVTT file, where it wrote one and nobody has taken it away."""
    files = (path for path in result.captions if path.suffix == ".vtt" and path.is_file())
    found = next(files, None)
    return found.read_bytes() if found else None


def _why(failure: Exception) -> str:
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return scrub(f"{type(failure).__name__}: {failure}")
