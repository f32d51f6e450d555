"""Text files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


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
        os.replace(draft, target)
    except BaseException:
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink()
        raise
