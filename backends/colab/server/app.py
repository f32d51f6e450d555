"""The routes, as a WSGI application; docs/serve.md is their reference."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from avatar_core.errors import NO_ROOM, DiskFull
from backends.colab.server.first_protocol import add_generate
from backends.colab.server.intake import idempotency_key, json_object
from backends.colab.server.records import JobRecord, key_hash
from backends.colab.server.refusals import Refusal
from backends.colab.server.service import Service
from backends.colab.server.videos import send_video

log = logging.getLogger(__name__)

# Fields of a form beside its files; werkzeug counts them together. It also holds each piece that
# it reads of a file, 64 KiB and what was left of the last one, against this limit.
_FIELD_BYTES = 96 << 10
_FORM_PARTS = 32
_CODES = {
    404: "no_such_page",
    405: "method_not_allowed",
    413: "body_too_large",
    416: "bad_range",
}
# Headers that belong to a refusal of its own: with 405 and 416.
_TELLING = ("Allow", "Content-Range")
_OTHER_SITES = ("cross-site", "same-site")


def create_app(service: Service) -> Flask:
    """The application of ``service``, for any WSGI server."""
    # Nothing is served from the disk but videos.
    app = Flask("avatar_server", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = service.limits.body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = _FIELD_BYTES
    app.config["MAX_FORM_PARTS"] = _FORM_PARTS
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _guard(app, service)
    _add_state(app, service)
    _add_jobs(app, service)
    add_generate(app, service)
    return app


def _guard(app: Flask, service: Service) -> None:
    """Who may come in, and what is said to those who may not."""

    def admit() -> None:
        # The one thing that strangers may ask. What the WSGI server lets through by its own rule
        # is looked at again here: the application does not rely on the server it runs under.
        if request.path != "/health":
            service.token.require(request.headers.get("Authorization"))
        if request.method not in ("GET", "HEAD"):
            _refuse_other_sites()

    def stamp(response: Response) -> Response:
        for name, value in service.stamp().items():
            response.headers[name] = value
        return response

    app.before_request(admit)
    app.after_request(stamp)
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(DiskFull, lambda failure: _refused(Refusal("no_room")))
    app.register_error_handler(HTTPException, _http_refused)
    app.register_error_handler(Exception, _fault)


def _refuse_other_sites() -> None:
    # A browser that was given the address with the token in it would add it to any page's form.
    if request.headers.get("Sec-Fetch-Site") in _OTHER_SITES:
        raise Refusal("cross_site")


def _refused(refusal: Refusal) -> tuple[dict[str, Any], int, dict[str, str]]:
    return refusal.body(), refusal.status, refusal.headers()


def _http_refused(failure: HTTPException) -> Any:
    """What Flask itself refuses, in the same form."""
    status = failure.code or 500
    if status < 400 and failure.response is not None:
        return failure.response
    if status >= 500:
        return _fault(failure)
    body, status, headers = _refused(Refusal(_CODES.get(status, "bad_request")))
    told = {name: value for name, value in failure.get_headers() if name in _TELLING}
    return body, status, headers | told


def _fault(failure: Exception) -> Any:
    if isinstance(failure, OSError) and failure.errno in NO_ROOM:
        # Where the form is read, large files go through the folder of temporary ones.
        return _refused(Refusal("no_room"))
    log.exception("a request met a fault", exc_info=failure)
    return _refused(Refusal("internal_error"))


def _add_state(app: Flask, service: Service) -> None:
    @app.get("/health")
    def health() -> dict[str, Any]:
        return service.health(full=service.token.opens(request.headers.get("Authorization")))

    @app.get("/engines")
    def engines() -> dict[str, Any]:
        return {"engines": service.bench.described()}


def _add_jobs(app: Flask, service: Service) -> None:
    @app.post("/v1/jobs")
    def submit() -> tuple[dict[str, Any], int]:
        record, new = _submitted(service)
        return service.table.view(record.id), 202 if new else 200

    @app.get("/v1/jobs")
    def find() -> dict[str, Any]:
        key = idempotency_key(request.args.get("key", ""))
        found = service.table.by_key(key_hash(key or ""))
        return {"jobs": [service.table.view(found.id)] if found else []}

    @app.get("/v1/jobs/<job>")
    def look(job: str) -> dict[str, Any]:
        seconds = min(_seconds(request.args.get("wait")), service.limits.poll_seconds)
        with service.patience() as may_wait:
            service.table.wait(job, seconds if may_wait else 0.0)
        return service.table.view(job)

    @app.delete("/v1/jobs/<job>")
    def cancel(job: str) -> dict[str, Any]:
        service.table.cancel(job)
        return service.table.view(job)

    @app.get("/v1/jobs/<job>/video")
    def video(job: str) -> Response:
        return send_video(service, service.table.get(job))


def _submitted(service: Service) -> tuple[JobRecord, bool]:
    key = idempotency_key(request.headers.get("Idempotency-Key"))
    hashed = key_hash(key) if key is not None else None
    known = service.table.by_key(hashed)
    # Said before the upload is read, where it can be.
    if known is None or not known.answers_its_key:
        service.table.require_room()
    name = request.form.get("engine") or service.bench.default
    options = service.bench.options(name, json_object(request.form.get("options")))
    if known is None or not known.answers_its_key:
        service.bench.require_ready(name, options)
    given = options.model_dump(mode="json")
    with service.intake.received(request.files, name, given, hashed) as order:
        return service.table.submit(order)


def _seconds(text: str | None) -> float:
    try:
        seconds = float(text or 0)
    except ValueError:
        raise Refusal("bad_request", "wait is no number of seconds.") from None
    return seconds if 0 < seconds < float("inf") else 0.0
