"""A file that is not what it should be, and the checks that every kind of file shares."""

from __future__ import annotations

import stat
from pathlib import Path

from avatar_core.errors import InputError


class MediaError(InputError):
    """A picture, sound or clip that cannot be used; ``file`` says which.

    A caller that knows where the script names the file sets ``line`` and ``key``.
    """


def require_file(path: Path, what: str) -> None:
    """Raise `MediaError` unless ``path`` is a readable file with something in it.

    ``what`` is how the message calls it: "picture", "sound", "video".
    """
    try:
        status = path.stat()
        if path.is_dir():
            raise MediaError(f"This is a folder, not a {what} file.", file=path)
        # A pipe or a device would be waited for without end.
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"This is a pipe or a device, not a {what} file.", file=path)
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise MediaError(
            f"There is no such {what} file.", file=path, advice="Check the path and the spelling."
        ) from None
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or failure
        raise MediaError(f"The {what} file cannot be read: {reason}.", file=path) from None
    if status.st_size == 0:
        raise MediaError(
            f"The {what} file is empty (0 bytes).", file=path, advice="Export or copy it again."
        )
