"""``POST /generate``: the first notebook's protocol, for clients that know no other.

One long request, and errors as those clients read them: the engine's words in ``error`` and
``stdout``. Behind it is the same queue, and the same picture, sound and options are the same job:
who was cut off and asks again gets the video that was begun.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from avatar_core.errors import DiskFull
from backends.colab.server.intake import json_object
from backends.colab.server.records import JobRecord, key_hash
from backends.colab.server.refusals import Refusal
from backends.colab.server.service import Service
from backends.colab.server.videos import send_video

_TAIL_LINES = 40


def add_generate(app: Flask, service: Service) -> None:
    """Add the route to ``app``."""

    @app.post("/generate")
    def generate() -> Any:
        try:
            record = _made(service)
        except (Refusal, DiskFull) as failure:
            return _refused(failure)
        if record.state == "done":
            return send_video(service, record)
        return _failed(service, record)


def _made(service: Service) -> JobRecord:
    """The job of this request, ended, or as it is when the time is over."""
    name = service.bench.default
    options = service.bench.options(name, _options())
    service.bench.require_ready(name, options)
    with service.patience() as may_wait:
        if not may_wait:
            raise Refusal("too_many_waiting", retry_after=service.table.pause())
        given = options.model_dump(mode="json")
        with service.intake.received(request.files, name, given) as order:
            record, _ = service.table.submit(order.keyed(key_hash(f"generate\0{order.content}")))
        return service.table.wait(record.id, service.limits.generate_seconds, ended=True)


def _options() -> dict[str, Any]:
    """The form's three fields, with the defaults that the protocol always had."""
    form = request.form
    still = form.get("still_mode", "true").strip().lower()
    return {
        "preprocess": form.get("preprocess", "crop"),
        "still": still in ("true", "1", "yes", "on"),
        "enhancer": form.get("enhancer", "none") or "none",
        **json_object(form.get("options")),
    }


def _refused(failure: Refusal | DiskFull) -> tuple[dict[str, Any], int, dict[str, str]]:
    refusal = failure if isinstance(failure, Refusal) else Refusal("no_room")
    if refusal.status in (401, 403, 413, 429, 503):
        return {"error": f"{refusal.message} {refusal.advice}"}, refusal.status, refusal.headers()
    return {"error": f"{refusal.message} {refusal.advice}"}, 400, {}


def _failed(service: Service, record: JobRecord) -> tuple[dict[str, Any], int] | Response:
    if not record.ended:
        minutes = service.limits.generate_seconds / 60
        text = f"Processing timeout (>{minutes:g} minutes). Send the same again to get the video."
        return {"error": text}, 500
    if record.error is None:
        return {"error": "No video generated"}, 500
    tail = "\n".join(record.error.log_tail[-_TAIL_LINES:])
    said = f"{record.error.message} {record.error.advice}"
    return {
        "error": f"Inference failed: {said}\n{tail}".rstrip(),
        "stdout": tail,
        "command": record.engine,
    }, 500
