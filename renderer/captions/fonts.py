"""The fonts of burnt captions: the ones that come along, and whether another is installed."""

from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

from avatar_core.ffmpeg import run_ffmpeg

BUNDLED = "Be Vietnam Pro"
# ASS counts a font's size not in ems but in its ascender + descender (OS/2 win metrics): these
# are the bundled font's and a usual one's.
_BUNDLED_LINE = 1.526
_USUAL_LINE = 1.18
_CHOICE = re.compile(r"fontselect: \((.*), \d+, \d+\) -> (.*), -?\d+, (.*)")


def fonts_dir() -> Path:
    """The folder with the Be Vietnam Pro files (TTF), for libass's ``fontsdir``."""
    return font_file(700).parent


@functools.cache
def font_file(weight: int) -> Path:
    """The upright Be Vietnam Pro of this weight (100 to 900)."""
    import fontpkg

    return Path(fontpkg.path(BUNDLED, weight=weight))


@functools.cache
def check_font(name: str) -> str | None:
    """Ask libass for the font ``name``; None if it has it, else a sentence that warns.

    Captions are burnt all the same, in the font that libass takes instead.
    """
    if name.casefold().startswith(BUNDLED.casefold()):
        return None
    chosen = _chosen_by_libass(name)
    if chosen is not None and _plain(name) and _plain(name) in _plain(" ".join(chosen)):
        return None
    return (
        f"The font {name!r} is not installed, so captions use {BUNDLED!r}. "
        f"Install it, or write the name of an installed font in captions.font."
    )


def font_files(name: str | None = None) -> tuple[Path, ...]:
    """The files that burnt text is drawn with: the ones that come along, and that of ``name``."""
    files = sorted(fonts_dir().glob("*.[ot]tf"))
    chosen = _chosen_by_libass(name) if name is not None and check_font(name) is None else None
    # Of the fonts that come along, libass tells the name and not the file.
    named = Path(chosen[0]) if chosen is not None else None
    return (*files, named) if named is not None and named.is_file() else tuple(files)


def ass_size(em: float, font: str = BUNDLED) -> float:
    """The ASS font size that gives letters of ``em`` px."""
    return em * (_BUNDLED_LINE if font.startswith(BUNDLED) else _USUAL_LINE)


def installed_font(name: str) -> str:
    """``name`` if libass can draw with it, else the font that came along."""
    return name if check_font(name) is None else BUNDLED


def filter_value(path: Path | str) -> str:
    """A path as the value of a filter option: ffmpeg reads such text twice, so escape twice."""
    once = re.sub(r"([\\':])", r"\\\1", Path(path).as_posix())
    return re.sub(r"([\\'\[\],;])", r"\\\1", once)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


@functools.cache
def _chosen_by_libass(name: str) -> tuple[str, str] | None:
    """The file (for a font of the system) and the name of the font that libass takes."""
    from renderer.captions.ass import Document, plain_style

    # A comma would end the name's field in the document.
    name = name.replace(",", " ")
    document = Document(64, 64)
    document.style("Test", plain_style(name, 20))
    document.event("Test", 0, 1000, "A")
    with tempfile.TemporaryDirectory(prefix="avatar-font-") as folder:
        Path(folder, "test.ass").write_text(document.text(), encoding="utf-8")
        source = ["-f", "lavfi", "-i", "color=size=64x64:rate=1:duration=1"]
        chain = f"ass=test.ass:fontsdir={filter_value(fonts_dir())}"
        log = run_ffmpeg(
            ["-v", "verbose", *source, "-vf", chain, "-f", "null", "-"], cwd=Path(folder)
        )
    match = _CHOICE.search(log)
    return (match[2], match[3]) if match else None
