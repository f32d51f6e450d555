"""The files a script names: where they are, and whether they are what they should be."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Literal, NamedTuple

from avatar_core.nearest import nearest

Kind = Literal["image", "video", "audio", "text"]
_HEAD_BYTES = 4096
_LISTED = 1000
_NOUNS = {"image": "a picture", "video": "a video", "audio": "a sound file", "text": "text"}
_BY_START: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"BM", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"FLV\x01", "video"),
    (b"\x00\x00\x01\xba", "video"),
    (b"ID3", "audio"),
    (b"fLaC", "audio"),
    (b"OggS", "audio"),
    (b"FORM", "audio"),
    (b"#!AMR", "audio"),
)
_BY_RIFF: dict[bytes, Kind] = {b"WAVE": "audio", b"WEBP": "image", b"AVI ": "video"}
_PICTURE_BRANDS = (b"heic", b"heix", b"mif1", b"avif", b"avis")
_BY_SUFFIX: dict[str, Kind] = {
    **dict.fromkeys((".tga", ".jp2", ".ppm", ".pgm", ".ico"), "image"),
    **dict.fromkeys((".mov", ".mpg", ".mpeg", ".ts", ".m2ts", ".wmv", ".mp4", ".m4v"), "video"),
    **dict.fromkeys((".mp3", ".aac", ".wma", ".ac3", ".wav", ".opus", ".m4a"), "audio"),
}


class Problem(NamedTuple):
    """What is wrong with a file and what to do."""

    message: str
    advice: str


def locate(raw: str | Path, base: Path) -> Path:
    """The absolute path of what a script writes; ``~`` is the home folder."""
    try:
        path = Path(raw).expanduser()
    except RuntimeError:  # There is no such user: then it is a name that begins with "~".
        path = Path(raw)
    # Not resolved: symbolic links stay as they are.
    return as_spelt(Path(os.path.abspath(base / path)))  # noqa: PTH100


def as_spelt(path: Path) -> Path:
    """``path`` in the spelling of the disk. An "ệ" is one character or three (the forms NFC and
    NFD of Unicode): names from a Mac often have the other one, and look no different."""
    if str(path).isascii() or os.path.lexists(path) or path.parent == path:
        return path
    parent, name = as_spelt(path.parent), unicodedata.normalize("NFC", path.name)
    try:
        with os.scandir(parent) as entries:
            alike = (e.name for e in entries if unicodedata.normalize("NFC", e.name) == name)
            return parent / next(alike, path.name)
    except (OSError, ValueError):
        return parent / path.name


def problem_with(path: Path, raw: str | Path, wanted: tuple[Kind, ...]) -> Problem | None:
    """Why the file cannot serve as one of the ``wanted`` kinds, None when it can."""
    if "://" in str(raw):
        return Problem("this is an address, not a file.", "Download it and give its path.")
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except FileNotFoundError:
        return Problem(f"there is no file {path}.", _similar(path))
    except IsADirectoryError:
        return Problem(f"{path} is a folder.", "Name a file in it.")
    except (OSError, ValueError) as failure:
        why = getattr(failure, "strerror", None) or str(failure)
        if os.path.isdir(path):  # noqa: PTH112 - the other one raises for names that are too long
            why = "it is a folder"
        return Problem(f"{str(path)[:200]} cannot be read: {why}.", "Check the path.")
    return _wrong_content(path, head, wanted)


def kind_of(path: Path) -> Kind | None:
    """What the file holds, by its first bytes and, where they say nothing, by its ending."""
    try:
        with path.open("rb") as stream:
            return _kind(stream.read(_HEAD_BYTES), path)
    except (OSError, ValueError):
        return None


def _wrong_content(path: Path, head: bytes, wanted: tuple[Kind, ...]) -> Problem | None:
    names = " or ".join(_NOUNS[each] for each in wanted)
    if not head:
        return Problem(f"{path.name} is empty (0 bytes).", f"Give {names}.")
    kind = _kind(head, path)
    # A recording is often kept in a video file: its sound serves.
    if kind in wanted or (kind == "video" and "audio" in wanted):
        return None
    if path.suffix.lower() in (".svg", ".pdf"):
        return Problem(f"{path.suffix} files cannot be drawn.", "Export it as PNG.")
    held = f"holds {_NOUNS[kind]}" if kind else "holds something unknown"
    return Problem(f"{path.name} {held}, not {names}.", "Check that it is the file you mean.")


def _kind(head: bytes, path: Path) -> Kind | None:
    if _is_text(head):  # Before the others: "BMW" is no bitmap.
        return "text"
    for start, kind in _BY_START:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF":
        return _BY_RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _kind_in_mp4(head, path)
    if head[:3] == b"GIF":
        return "video" if b"NETSCAPE2.0" in head else "image"
    if head[0:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0:
        return "audio"  # The sync word of an MP3 or AAC frame.
    return _BY_SUFFIX.get(path.suffix.lower())


def _kind_in_mp4(head: bytes, path: Path) -> Kind:
    brand = head[8:12]
    if brand in _PICTURE_BRANDS:
        return "image"
    return "audio" if brand == b"M4A " or path.suffix.lower() == ".m4a" else "video"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    # A cut through the last letter is no reason to call it something else.
    return any(_decodes(head[: len(head) - cut]) for cut in range(min(4, len(head))))


def _decodes(data: bytes) -> bool:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char in "\t\n\r\f\ufeff" for char in text)


def _similar(path: Path) -> str:
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry, _ in zip(entries, range(_LISTED), strict=False)]
    except (OSError, ValueError):
        return f"Nor is there a folder {path.parent}: check the path."
    close = nearest(path.name, names)
    hint = f'Did you mean "{close}"? ' if close else ""
    return f"{hint}Paths count from the script's folder."
