"""Pictures and recordings that are sent to the stand-in for D-ID, and what it refuses of them."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path
from typing import Any, Literal

import support_did_schema as schema
from avatar_core.testing import Recorded
from avatar_core.testing.http_steps import Part
from support_did_behaviour import Behaviour, Refused, Told
from support_did_bodies import USER_ID
from support_did_ledger import Upload
from support_did_media import picture_size, sound_seconds

MEBIBYTE = 1024**2
_MOST_BYTES = {"image": 10 * MEBIBYTE, "audio": 6 * MEBIBYTE}
_FEWEST_PIXELS = 160
_AUDIO_SECONDS = 600
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,50}")
_IMAGE_TYPES = ("image/jpeg", "image/png")
_AUDIO_TYPES = ("audio/*", "video/*")


class Uploads:
    """The routes of /images and /audios."""

    def __init__(self, house: Behaviour) -> None:
        self._house = house

    def take_image(self, request: Recorded, name: str) -> Told:
        del name
        part = self._part(request, "image")
        if part.content_type not in _IMAGE_TYPES:
            raise _unsupported(part, _IMAGE_TYPES)
        size = picture_size(part.content)
        if size is None:
            raise Refused(400, "BadRequestError", "invalid image")
        if min(size) < _FEWEST_PIXELS:
            raise Refused(400, "InvalidImageResolutionError", "image resolution is too low")
        upload = self._keep(part, "image", part.filename or "image.png", size=tuple(size))
        return 201, {"url": upload.url, "id": upload.id}, {"faces": None}

    def take_audio(self, request: Recorded, name: str) -> Told:
        del name
        part = self._part(request, "audio")
        if not part.content_type.startswith(("audio/", "video/")):
            raise _unsupported(part, _AUDIO_TYPES)
        seconds = sound_seconds(part.content)
        if not seconds:
            raise Refused(400, "BadRequestError", "invalid audio")
        if seconds > _AUDIO_SECONDS:
            raise Refused(400, "InvalidAudioDurationError", "audio duration is too long")
        # Whatever came is kept as a WAV.
        file_name = f"{Path(part.filename or 'audio').stem}.wav"
        upload = self._keep(part, "audio", file_name, seconds=seconds)
        told = {"url": upload.url, "id": upload.id, "duration": round(seconds, 2)}
        return 201, told, {"moderation_metadata": {}}

    def delete(self, request: Recorded, name: str) -> Told:
        kind = "image" if request.path.startswith("/images") else "audio"
        if not self._house.ledger.delete_upload(kind, name, self._house.clock.wall()):
            raise Refused(404, "NotFoundError", f"{kind} not found")
        return 204, {}, {}

    def _part(self, request: Recorded, kind: str) -> Part:
        is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        form = request.form() if is_form else {}
        faults = schema.form_faults(f"POST /{kind}s", form)
        if kind not in form:
            faults.append(f"there is no file in the field {kind!r}")
        elif not _SAFE_NAME.fullmatch(form[kind].filename or "x"):
            faults.append(f"the file's name is {form[kind].filename!r}")
        self._house.blame(f"POST /{kind}s", faults)
        if faults:
            raise Refused(400, "BadRequestError", "; ".join(faults))
        if len(form[kind].content) > _MOST_BYTES[kind]:
            text = f"file size exceeded {_MOST_BYTES[kind] // MEBIBYTE} MB"
            raise Refused(400, "InvalidFileSizeError", text)
        return form[kind]

    def _keep(
        self, part: Part, kind: Literal["image", "audio"], file_name: str, **found: Any
    ) -> Upload:
        name, now = secrets.token_urlsafe(15), self._house.clock.wall()
        name = f"img_{name}" if kind == "image" else name
        upload = Upload(
            kind=kind,
            id=name,
            url=f"s3://d-id-{kind}s-prod/{USER_ID}/{name}/{file_name}",
            sha256=hashlib.sha256(part.content).hexdigest(),
            bytes=len(part.content),
            at=now,
            expires=now + self._house.upload_seconds,
            **found,
        )
        self._house.ledger.keep(upload)
        return upload


def _unsupported(part: Part, supported: tuple[str, ...]) -> Refused:
    return Refused(415, None, None, {"received": part.content_type, "supported": list(supported)})
