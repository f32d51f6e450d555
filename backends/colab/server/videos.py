"""A finished video as it is sent: whole, or the one part that a Range asks for (RFC 9110, 14)."""

from __future__ import annotations

import re

from flask import Response, request, send_file

from backends.colab.server.records import JobRecord
from backends.colab.server.refusals import Refusal
from backends.colab.server.service import Service

_ONE_RANGE = re.compile(
    r"bytes=[ \t]*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))[ \t]*", re.ASCII | re.IGNORECASE
)


def send_video(service: Service, record: JobRecord) -> Response:
    """The video of ``record``, or a part of it; raises `Refusal` where there is none."""
    if record.state != "done":
        raise Refusal("not_done", f"The job has no video: it is {record.state}.")
    path = service.shelf.video(record.id)
    if record.video is not None and not path.is_file():
        # Somebody deleted it from outside; from now on the same order makes it anew.
        record = service.table.cancel(record.id)
    if record.video is None:
        raise Refusal("video_gone")
    if not asks_for_a_part(request.headers.get("Range", ""), record.video.bytes):
        request.environ.pop("HTTP_RANGE", None)
    try:
        return send_file(
            path, mimetype="video/mp4", conditional=True, etag=record.video.sha256, max_age=0
        )
    except FileNotFoundError:
        # Its time was over between two lines.
        raise Refusal("video_gone") from None


def asks_for_a_part(header: str, length: int) -> bool:
    """Whether ``header`` names one part that may be sent, or refused as outside of ``length``.

    What it does not understand a server must leave unheard, and send the whole: other units,
    several parts at once, an end before the beginning, more of the end than there is.
    """
    match = _ONE_RANGE.fullmatch(header.strip())
    if match is None:
        return False
    first, last, suffix = match.groups()
    if suffix is not None:
        return int(suffix) < length
    return not last or int(first) <= int(last)
