"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# A virus scanner or an indexer lets go of a new file within moments.
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8) if os.name == "nt" else ()


def put_in_place(
    draft: Path,
    target: Path,
    *,
    pauses: Sequence[float] = _PAUSES,
    wait: Callable[[float], object] = time.sleep,
    replace: Callable[[Path, Path], object] = os.replace,
) -> None:
    """Let ``draft`` take the place of ``target``; raises `OSError`.

    Windows refuses that for as long as any program has one of them open: it is tried again after
    each of ``pauses`` (seconds).
    """
    for seconds in pauses:
        try:
            replace(draft, target)
            return
        except PermissionError:
            wait(seconds)
    replace(draft, target)


def write_whole(target: Path, text: str) -> None:
    """Write ``text`` in UTF-8 without a byte-order mark, each line ended by a line feed.

    An older file stays as it is until the new one takes its place. Raises `OSError`.
    """
    draft: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".avatar-", suffix=".part")
        draft = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        draft.chmod(0o644)
        put_in_place(draft, target)
    except BaseException:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink()
        raise
