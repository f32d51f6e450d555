"""Uploads: received under names of ours, within limits, and looked into before they are kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.media import MediaError, probe_picture
from avatar_core.pictures import load_picture
from backends.colab.server.limits import Limits
from backends.colab.server.refusals import Refusal
from backends.colab.server.shelf import Shelf
from backends.colab.server.sounds import measured, sound_format
from backends.colab.server.table import Order

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage, MultiDict

_CHUNK = 1 << 20
_LONGEST_KEY = 200
# The renderer takes these formats too; the ending is what programs are shown of the file.
_PICTURE_ENDINGS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tiff",
    "AVIF": "avif",
}


class Intake:
    """Decodes one upload at a time: a large picture may need hundreds of megabytes."""

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self._shelf = shelf
        self._limits = limits
        self._decoding = threading.Lock()

    @contextlib.contextmanager
    def received(
        self,
        files: MultiDict[str, FileStorage],
        engine: str,
        options: Mapping[str, Any],
        key: str | None = None,
    ) -> Iterator[Order]:
        """The order that the form's files make; they are deleted afterwards unless it was
        submitted. ``options`` are checked ones, as JSON values. Raises `Refusal`, `DiskFull`."""
        for name in ("image", "audio"):
            if name not in files:
                raise Refusal(f"{name}_missing")
        with self._shelf.incoming() as folder:
            picture, sound = folder / "image.upload", folder / "audio.upload"
            hashes = [
                _receive(files["image"], picture, self._limits.image_bytes, "image_too_large"),
                _receive(files["audio"], sound, self._limits.audio_bytes, "audio_too_large"),
            ]
            with self._decoding:
                image = _named(picture, f"image.{_picture_ending(picture)}")
                audio = _named(sound, f"audio.{sound_format(sound)}")
                seconds = measured(audio, self._limits.audio_seconds)
            content = _content(engine, options, hashes)
            yield Order(
                folder, image.name, audio.name, seconds, engine, dict(options), content, key
            )


def idempotency_key(header: str | None) -> str | None:
    """The key as it came; raises `Refusal` for one that is empty, too long or not ASCII."""
    if header is None:
        return None
    key = header.strip()
    if not 1 <= len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise Refusal("bad_key")
    return key


def json_object(text: str | None) -> dict[str, Any]:
    """The form's options; raises `Refusal` for what is no JSON object."""
    if not text:
        return {}
    try:
        given = json.loads(text)
    # Brackets nested deep enough exhaust the parser.
    except (ValueError, RecursionError):
        raise Refusal("bad_options", "The options are no JSON.") from None
    if not isinstance(given, dict):
        raise Refusal("bad_options", "The options are no JSON object.")
    return given


def _receive(upload: FileStorage, target: Path, most: int, refusal: str) -> str:
    """Write ``upload`` to ``target`` and return its SHA-256."""
    seen, digest = 0, hashlib.sha256()
    with target.open("xb") as stream:
        while chunk := upload.stream.read(_CHUNK):
            seen += len(chunk)
            if seen > most:
                raise Refusal(refusal, _too_large(refusal, most))
            digest.update(chunk)
            stream.write(chunk)
    return digest.hexdigest()


def _too_large(refusal: str, most: int) -> str:
    what = "picture" if refusal == "image_too_large" else "sound"
    return f"The {what}'s file is larger than {most / (1 << 20):.0f} MB."


def _picture_ending(path: Path) -> str:
    """Decode the whole picture, as the engine will; raises `Refusal`."""
    try:
        ending = _PICTURE_ENDINGS[probe_picture(path).format]
        load_picture(path).close()
        return ending
    except MediaError as failure:
        # Its text names our file, and decoders put all sorts of things into theirs.
        told = failure.message.partition("\n")[0][:200]
        raise Refusal("not_a_picture", told, advice=failure.advice) from failure
    except (KeyError, MemoryError, ValueError, OverflowError) as failure:
        raise Refusal("not_a_picture") from failure


def _named(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def _content(engine: str, options: Mapping[str, Any], hashes: list[str]) -> str:
    told = json.dumps([engine, dict(options), *hashes], sort_keys=True)
    return hashlib.sha256(told.encode("utf-8")).hexdigest()
