"""What the server says no to: one table of codes, each with its status, category and advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avatar_core.errors import Category
from avatar_core.pages import see


@dataclass(frozen=True, slots=True)
class Kind:
    """``status`` is HTTP's; ``message`` and ``advice`` are what is said where nothing more is
    known."""

    status: int
    category: Category
    message: str
    advice: str


_INPUT, _AUTH, _SERVER = Category.INVALID_INPUT, Category.AUTH, Category.SERVER
_COPY = "Copy the line COLAB_API_URL=... that the server printed, whole, with what is before the @."
_CLIENT = f"Use the client of the same version. {see('serve#the-protocol')}"
_LESS = "Use a smaller picture or a shorter narration; GET /health tells the limits."

KINDS: dict[str, Kind] = {
    "token_missing": Kind(401, _AUTH, "The server wants a token and none came.", _COPY),
    "token_wrong": Kind(401, _AUTH, "The token is not this server's.", _COPY),
    "cross_site": Kind(403, _AUTH, "Another web site's page asked for this.", _CLIENT),
    "bad_request": Kind(400, _INPUT, "The request is not understood.", _CLIENT),
    "no_such_page": Kind(404, Category.UNSUPPORTED, "There is no such address here.", _CLIENT),
    "method_not_allowed": Kind(405, Category.UNSUPPORTED, "The address does not do that.", _CLIENT),
    "no_such_job": Kind(404, _SERVER, "There is no such job.", "Send the picture and sound again."),
    "not_done": Kind(409, _INPUT, "The job has no video.", "Wait until its state is done."),
    "video_gone": Kind(
        410, _SERVER, "The video was deleted: its time was over, or it was asked for.",
        "Send the picture and sound again.",
    ),
    "bad_range": Kind(
        416, _INPUT, "The video has no such part.", "Ask for parts within its length."
    ),
    "body_too_large": Kind(413, _INPUT, "The upload is too large.", _LESS),
    "image_too_large": Kind(413, _INPUT, "The picture's file is too large.", _LESS),
    "audio_too_large": Kind(413, _INPUT, "The sound's file is too large.", _LESS),
    "audio_too_long": Kind(
        422, _INPUT, "The narration is too long.", "Split the scene, or raise --audio-seconds."
    ),
    "image_missing": Kind(400, _INPUT, "The form has no file called image.", _CLIENT),
    "audio_missing": Kind(400, _INPUT, "The form has no file called audio.", _CLIENT),
    "not_a_picture": Kind(
        415, _INPUT, "The picture cannot be read.", "Save it again as PNG or JPEG."
    ),
    "not_a_sound": Kind(415, _INPUT, "The sound cannot be read.", "Save it again as WAV or MP3."),
    "bad_options": Kind(
        422, _INPUT, "The options are not this engine's.", "GET /engines tells what there is."
    ),
    "unknown_engine": Kind(
        422, Category.UNSUPPORTED, "This server has no such engine.",
        "GET /engines tells which it has.",
    ),
    "bad_key": Kind(
        400, _INPUT, "The Idempotency-Key is not 1 to 200 printable ASCII characters.", _CLIENT
    ),
    "key_reused": Kind(
        422, _INPUT, "The Idempotency-Key is that of a job with another picture, sound or options.",
        "Use a new key for a new job.",
    ),
    "queue_full": Kind(
        429, Category.RATE_LIMIT, "The queue is full.", "Wait as long as Retry-After says."
    ),
    "too_many_waiting": Kind(
        429, Category.RATE_LIMIT, "Too many clients wait for a video.",
        "Wait as long as Retry-After says.",
    ),
    "engine_not_ready": Kind(
        503, Category.UNSUPPORTED, "The engine is not completely installed.",
        "Run the set-up again, then start the server again.",
    ),
    "no_gpu": Kind(
        503, Category.UNSUPPORTED, "This machine shows no NVIDIA GPU.",
        "On Colab: Runtime > Change runtime type > T4 GPU, then run all cells again. Elsewhere "
        "install the driver, or start the server with --without-gpu if you can wait for hours.",
    ),
    "no_room": Kind(
        503, _SERVER, "The server's disk is full.", "Free some space there, then send it again."
    ),
    "stopping": Kind(
        503, _SERVER, "The server is being stopped.", "Start it again, then send it again."
    ),
    "head_too_large": Kind(431, _INPUT, "The request's head is too large.", _CLIENT),
    "not_implemented": Kind(
        501, Category.UNSUPPORTED, "The request is coded in a way that is not known.", _CLIENT
    ),
    "internal_error": Kind(
        500, Category.BACKEND_BUG, "The server has a fault of its own.",
        "Look at what it printed, and report it.",
    ),
}  # fmt: skip


class Refusal(Exception):
    """A request that is not done; ``code`` is a key of `KINDS`.

    ``message`` and ``advice`` replace what the table says. ``retry_after`` is in whole seconds.
    """

    def __init__(
        self,
        code: str,
        message: str | None = None,
        *,
        advice: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        kind = KINDS[code]
        self.code = code
        self.status = kind.status
        self.category = kind.category
        self.message = message or kind.message
        self.advice = advice or kind.advice
        self.retry_after = retry_after
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        told = {
            "code": self.code,
            "category": str(self.category),
            "message": self.message,
            "advice": self.advice,
        }
        return {"error": told}

    def headers(self) -> dict[str, str]:
        headers = {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="avatar"'
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers
