"""From an exception to what the user reads and the exit code a program sees."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.errors import (
    NO_ROOM,
    AvatarError,
    Cancelled,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from avatar_core.secrets import scrub
from avatar_core.trail import TrailEntry
from renderer.cli import streams
from renderer.cli.cancelling import CANCELLED

if TYPE_CHECKING:
    from renderer.speech.narration import SpeechAttempt

FAILED, WRONG_INPUT, DEGRADED, CANCELLED_CODE = 1, 2, 3, 130
_TOLD = ("category", "message", "advice", "seconds", "skipped", "cached")
_TOLD_OF_BACKENDS = ("resumed", "started", "attempt", "step", "passing")

_REPORT = (
    "This is a bug, not a mistake of yours. Please report it with the file "
    "below, and say what you ran."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure told to a person (``text``) and to a program (everything else).

    ``kind`` is ``input`` (exit code 2), ``environment`` (1; 2 for a full disk), ``backend`` or
    ``bug`` (1), or ``cancelled`` (130).
    """

    kind: str
    exit_code: int
    text: str
    message: str
    advice: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The last JSON line of a command that failed."""
        return {
            "event": "failed",
            "kind": self.kind,
            "exit_code": self.exit_code,
            "message": self.message,
            "advice": self.advice,
            "details": self.details,
        }


def debugging() -> bool:
    """Whether AVATAR_DEBUG asks for tracebacks and log records."""
    return os.environ.get("AVATAR_DEBUG", "") not in ("", "0")


def explain(error: BaseException) -> Failure:
    """What ``error`` means; an error that nobody foresaw leaves its traceback in a file."""
    if isinstance(error, Cancelled | KeyboardInterrupt):
        return Failure("cancelled", CANCELLED_CODE, CANCELLED, CANCELLED)
    if isinstance(error, InputError):
        place = _place(error)
        return Failure("input", WRONG_INPUT, str(error), error.message, error.advice, place)
    if isinstance(error, EnvironmentFault):
        code = WRONG_INPUT if isinstance(error, DiskFull) else FAILED
        return Failure("environment", code, str(error), error.message, error.advice)
    if isinstance(error, AvatarError):
        text, details = f"{error.message} {error.advice}", _story(error)
        return Failure("backend", FAILED, text, error.message, error.advice, details)
    fault = _of_the_machine(error)
    if fault is not None:
        return explain(fault)
    return _bug(error)


def show(failure: Failure, error: BaseException) -> None:
    """Print the failure on standard error; the traceback only where AVATAR_DEBUG asks for it."""
    console = streams.err()
    if debugging() and failure.kind != "cancelled":
        console.print(scrub("".join(traceback.format_exception(error))), end="")
    style = "yellow" if failure.kind == "cancelled" else "red"
    console.print(streams.printable(failure.text), style=style)


def _of_the_machine(error: BaseException) -> EnvironmentFault | None:
    """What the machine lacks, where that and not the program is at fault."""
    if isinstance(error, MemoryError):
        return EnvironmentFault("The memory is full.", advice="Render with --workers 1.")
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return DiskFull()
    names = sys.getfilesystemencoding()
    if isinstance(error, UnicodeEncodeError) and names != "utf-8":
        return EnvironmentFault(
            f"A file's name has letters that this locale, {names}, cannot write.",
            advice="Set PYTHONUTF8=1 and run the same command again.",
        )
    return None


def _place(error: InputError) -> dict[str, Any]:
    """Where the mistake is; a script may have several, which are listed as well."""
    file = str(error.file) if error.file is not None else None
    place = {"file": file, "line": error.line, "key": error.key}
    found: dict[str, Any] = {name: value for name, value in place.items() if value is not None}
    several = getattr(error, "mistakes", ())
    if several:
        told = [{"message": m.message, "advice": m.advice, **_place(m)} for m in several]
        found["mistakes"] = told
    return found


def _story(error: AvatarError) -> dict[str, Any]:
    """The category and, where a whole chain failed, every rung's reason."""
    told = [_rung(entry) for entry in getattr(error, "trail", ())]
    return {"category": str(error.category), **({"trail": told} if told else {})}


def _rung(entry: TrailEntry | SpeechAttempt) -> dict[str, Any]:
    """A backend's or a speech engine's attempt."""
    told = {name: getattr(entry, name) for name in _TOLD}
    if not isinstance(entry, TrailEntry):
        return {"name": entry.engine, **told}
    more = {name: getattr(entry, name) for name in _TOLD_OF_BACKENDS}
    price = {"cost": float(entry.cost.amount), "currency": entry.cost.currency}
    return {"name": entry.backend, **told, **more, **price}


def _bug(error: BaseException) -> Failure:
    what = scrub(f"{type(error).__name__}: {error}")
    log = _write_traceback(error)
    where = f"\nThe details are in {log}" if log else "\nRun it again with AVATAR_DEBUG=1."
    details = {"type": type(error).__name__, "log": str(log) if log else None}
    return Failure("bug", FAILED, f"{what}\n{_REPORT}{where}", what, _REPORT, details)


def _write_traceback(error: BaseException) -> Path | None:
    """Keep the traceback where the user can find it; None when no folder can be written."""
    # What is assigned may be a key or a token.
    command = " ".join(re.sub(r"=.*", "=...", word) for word in sys.argv[1:])
    told = scrub("".join(traceback.format_exception(error)))
    text = f"avatar {command}\nPython {sys.version}\n\n{told}"
    for folder in (_log_dir(), Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"avatar-bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
    return None


def _log_dir() -> Path:
    # Not through the settings: they may be what is broken.
    chosen = os.environ.get("AVATAR_CACHE_DIR")
    if chosen:
        return Path(chosen) / "logs"
    import platformdirs

    return Path(platformdirs.user_log_dir("avatar", appauthor=False))
