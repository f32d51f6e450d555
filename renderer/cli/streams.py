"""Standard output and standard error: kept clean, readable everywhere, safe to print to."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from avatar_core.children import reader_gone

if TYPE_CHECKING:
    from rich.console import Console

# Everything that could move a cursor or start an escape sequence, except tab and new line.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "�")


def use_utf8() -> None:
    """Let every letter through: a console that cannot show one shows a stand-in instead."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None:
            continue
        if os.name == "nt":
            reconfigure(encoding="utf-8", errors="replace")
        else:
            reconfigure(errors="replace")


def printable(text: object) -> str:
    """``text`` without control characters: names and messages come from files and services."""
    return str(text).translate(_CONTROLS)


def out() -> Console:
    """The console for results (standard output)."""
    return _console(file=sys.stdout)


def err() -> Console:
    """The console for progress, warnings and errors (standard error)."""
    return _console(file=sys.stderr)


def _console(**options: Any) -> Console:
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False, soft_wrap=True, **options)


@contextlib.contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """Yield the real standard output; what anything else prints there goes to standard error.

    The file descriptor itself is turned round, so that native libraries and child processes
    are caught as well.
    """
    real = sys.stdout
    try:
        descriptor, errors = real.fileno(), sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        # A notebook or a test put its own object in place: there is no descriptor to turn.
        with contextlib.redirect_stdout(sys.stderr):
            yield real
        return
    real.flush()
    kept = os.dup(descriptor)
    os.dup2(errors, descriptor)
    clean = os.fdopen(kept, "w", encoding="utf-8", errors="replace", newline="\n")
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield clean
        try:
            clean.flush()
        except OSError as failure:
            # Whoever read may have gone away: what is left unread is then nobody's loss.
            if not reader_gone(failure):
                raise
    finally:
        os.dup2(kept, descriptor)
        with contextlib.suppress(OSError):
            clean.close()
