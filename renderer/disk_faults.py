"""What a disk or a file that goes away does to a render, in words for the user."""

from __future__ import annotations

import errno
from pathlib import Path

from avatar_core.errors import NO_ROOM, DiskFull, EnvironmentFault, InputError

CHOOSE_ANOTHER = "Choose another with AVATAR_CACHE_DIR or cache_dir in avatar.toml."


def told(failure: OSError, cache: Path) -> Exception:
    """What ``failure`` means: the cache folder's trouble, a file of the user's, or the system's."""
    reason = failure.strerror or str(failure)
    if failure.errno in NO_ROOM:
        return DiskFull(cache)
    file = _file_of(failure)
    if file is None:
        return EnvironmentFault(f"The system refused to go on: {reason}.", advice="Render again.")
    if not file.is_relative_to(cache.absolute()):
        return InputError(
            f"The file cannot be read: {reason}.",
            file=file,
            advice="Put it where it was, readable, and render again; what is done is kept.",
        )
    if failure.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return EnvironmentFault(
            f"The cache folder {cache} cannot be written.", advice=CHOOSE_ANOTHER
        )
    return EnvironmentFault(
        f"The cache folder {cache} cannot be used: {reason}.", advice=CHOOSE_ANOTHER
    )


def removed(cache: Path) -> EnvironmentFault:
    """What to say when the cache folder was removed under a render."""
    return EnvironmentFault(
        f"The cache folder {cache} was removed while it was in use.", advice="Render again."
    )


def _file_of(failure: OSError) -> Path | None:
    name = failure.filename
    return Path(name).absolute() if isinstance(name, str) else None
