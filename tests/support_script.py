"""Small real files and scripts for the tests of the scene script."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from avatar_core.errors import InputError
from renderer.film import Film
from renderer.script.resolve import ResolveDefaults, load_film

DEFAULTS = ResolveDefaults(
    known_backends=("static", "puppet", "colab"), known_engines=("hibari", "espeak", "edge")
)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 32
WAV = b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 32
MP4 = b"\0\0\0\x18ftypisom" + b"\0" * 32


def write_script(folder: Path, text: str, name: str = "film.yaml") -> Path:
    """Write ``text``, without its common indentation, as a script."""
    path = folder / name
    path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def film_of(folder: Path, text: str, **defaults: object) -> Film:
    return load_film(
        write_script(folder, text),
        defaults=ResolveDefaults(**defaults) if defaults else DEFAULTS,  # type: ignore[arg-type]
    )


def refused(folder: Path, text: str, name: str = "film.yaml") -> str:
    """What is said about a script with mistakes; the paths in it are without the folder."""
    with pytest.raises(InputError) as caught:
        load_film(write_script(folder, text, name), defaults=DEFAULTS)
    return str(caught.value).replace(f"{folder}/", "")
