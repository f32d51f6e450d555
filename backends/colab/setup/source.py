"""SadTalker's own files, at one commit, unpacked where the engine runs."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from avatar_core.errors import NO_ROOM, DiskFull, EnvironmentFault
from backends.colab.setup.download import Fetcher, Source
from backends.colab.setup.environment import Tell
from backends.colab.setup.recipe import RECIPE

# Pillow 10 took the old name away; SadTalker uses it for very large faces only.
_OLD_NAME, _NEW_NAME = "Image.ANTIALIAS", "Image.LANCZOS"
_WHOLE = "complete"


def fetch_program(
    root: Path, tell: Tell, *, url: str = RECIPE.source, fetcher: Fetcher | None = None
) -> None:
    """Download and unpack SadTalker into ``root``; what lies there already, such as weights,
    stays. Raises `EnvironmentFault` and `DiskFull`."""
    stamp = root / f".{_WHOLE}-{Path(url).name.partition('.')[0][:12]}"
    if stamp.is_file() and (root / "inference.py").is_file():
        tell(f"SadTalker is there: {root}")
        return
    tell("Downloading SadTalker ...")
    archive = root.with_name(root.name + ".tar.gz")
    (fetcher or Fetcher()).fetch(Source(url), archive)
    try:
        _unpack(archive, root)
    except (tarfile.TarError, EOFError) as failure:
        raise EnvironmentFault(
            f"The archive of SadTalker is damaged: {failure}.", advice="Run this cell again."
        ) from failure
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise DiskFull(root) from failure
        raise EnvironmentFault(f"SadTalker cannot be unpacked: {failure}.") from failure
    finally:
        archive.unlink(missing_ok=True)
    patch(root)
    stamp.touch()
    tell(f"SadTalker is unpacked: {root}")


def patch(root: Path) -> None:
    """The one change that its code needs; a second time it changes nothing."""
    for path in (root / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        if _OLD_NAME in text:
            changed = text.replace(_OLD_NAME, _NEW_NAME)
            path.write_text(changed, encoding="utf-8", errors="surrogateescape")


def _unpack(archive: Path, root: Path) -> None:
    """Into a folder beside it first: a half of it must not look like the whole."""
    fresh = root.with_name(root.name + ".unpacking")
    shutil.rmtree(fresh, ignore_errors=True)
    with tarfile.open(archive) as stream:
        stream.extractall(fresh, _without_top(stream), filter="data")
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(fresh, root, dirs_exist_ok=True)
    shutil.rmtree(fresh)


def _without_top(stream: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members as they are called inside the archive's one folder."""
    for member in stream:
        parts = PurePosixPath(member.name).parts[1:]
        if parts and (member.isfile() or member.isdir()):
            yield member.replace(name="/".join(parts), deep=False)
