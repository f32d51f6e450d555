"""What the server, a tunnel or whoever else answers means: a category, a sentence, a next step.

ngrok marks every answer of its own with the header ``ngrok-error-code``, which nothing behind it
can set (https://ngrok.com/docs/errors): it is looked at before the status. Our server stamps all
its answers with ``X-Avatar-Server``: what lacks that is not from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from avatar_core.errors import ADVICE, AvatarError, Category
from avatar_core.http_answer import HttpAnswer
from avatar_core.http_errors import hint_for, status_error
from avatar_core.http_tables import CLASSES, STATUSES, Hint
from avatar_core.http_text import shown
from avatar_core.pages import COMMAND, see

STAMP = "x-avatar-server"
NO_SUCH_JOB = "no_such_job"
_LONGEST = 400
# With the path that servers of older versions name.
_ELSEWHERE = re.compile(rf"\s*See:? (docs/|{COMMAND} )\S+$")


class ColabError(AvatarError):
    """What the server says in so many words; ``code`` is stable, such as ``no_face``."""

    def __init__(self, code: str, category: Category, message: str, **more: Any) -> None:
        super().__init__(category, message, **more)
        self.code = code


def section_of(code: str, category: Category) -> str:
    """The section of docs/colab.md on a failure: by its code, else by its category."""
    known = (section for start, section in _CODES if code.startswith(start))
    return next(known, _SECTIONS[category])


def _ngrok(
    section: str, codes: str, category: Category, says: str, advice: str, **more: Any
) -> Hint:
    return Hint(
        f"ngrok: {section}",
        rf"\bERR_NGROK_({codes})\b",
        category,
        says,
        f"{advice} {see(f'colab#{section}')}",
        **more,
    )


_NOTEBOOK = "Run the server's cell again and copy the COLAB_API_URL that it prints."
_START = (
    "Start the server there (cell 5 of the notebook, or `avatar serve`) and copy the COLAB_API_URL "
    "that it prints."
)
_OFFLINE = f"The notebook, or its tunnel, has ended. {_NOTEBOOK}"
_CELL = "The tunnel stands, the program behind it does not: run the server's cell again."
_MONTH = (
    "The free plan's month is used up: start the server with another tunnel "
    "(avatar serve --tunnel cloudflared), or wait for the next month."
)
_HEADER = "Something between here and the server removes the header ngrok-skip-browser-warning."

# Asked before the common ones of `avatar_core.http_tables`; the first that fits decides.
HINTS: tuple[Hint, ...] = (
    _ngrok("tunnel-offline", "3200|3209|3210", Category.CONNECTIVITY,
           "is a tunnel that is offline", _OFFLINE, unanswered=False),
    _ngrok("server-not-running", "8012", Category.CONNECTIVITY,
           "is a tunnel behind which no server runs", _CELL, unanswered=False),
    _ngrok("server-not-running", "3004", Category.SERVER,
           "broke off in the middle of its answer", "Render again; the server may have crashed."),
    _ngrok("interstitial", "6024", Category.UNSUPPORTED,
           "shows the tunnel's warning page", _HEADER, unanswered=False),
    _ngrok("rate-limit", "702|718|720|734|1214|5001", Category.RATE_LIMIT,
           "is a tunnel that asks for a pause", "Use fewer workers, or wait.", unanswered=False),
    _ngrok("quota", "725|726|727|4027", Category.QUOTA,
           "is a tunnel whose month is used up", _MONTH, unanswered=False),
    _ngrok("ngrok-token", "3208|8014|105|107|4018", Category.AUTH,
           "is a tunnel whose account ngrok does not accept",
           "Look into the ngrok dashboard, and run the token cell again.", unanswered=False),
    _ngrok("tunnel-offline", "9040", Category.AUTH, "is a tunnel that refuses this network",
           "Allow your address in the ngrok dashboard.", unanswered=False),
    _ngrok("tunnel-offline", r"\d+", Category.CONNECTIVITY, "is a tunnel that failed", _OFFLINE),
    Hint("ngrok: warning page without its code",
         r"ngrok-skip-browser-warning|you are about to visit", Category.UNSUPPORTED,
         "shows the tunnel's warning page", f"{_HEADER} {see('colab#interstitial')}",
         unanswered=False, quotes=False),
    Hint("localtunnel: password page", r"tunnel password|bypass-tunnel-reminder",
         Category.UNSUPPORTED, "shows the tunnel's password page",
         f"Use ngrok or cloudflared in its place. {see('colab#interstitial')}", unanswered=False,
         quotes=False),
    Hint("Cloudflare: tunnel closed",
         r"\berror(_code)?\W{0,8}(code\W{0,3})?1033\b|(argo|cloudflare) tunnel error",
         Category.CONNECTIVITY, "is a tunnel that is offline", f"{_OFFLINE} "
         f"{see('colab#tunnel-offline')}", unanswered=False),
    Hint("Cloudflare: nothing behind the tunnel",
         r"unable to reach the origin service", Category.CONNECTIVITY,
         "is a tunnel behind which no server runs", f"{_CELL} {see('colab#server-not-running')}"),
)  # fmt: skip

# Where to read on about what only has a category.
_SECTIONS: dict[Category, str] = {
    Category.AUTH: "wrong-token",
    Category.QUOTA: "quota",
    Category.RATE_LIMIT: "rate-limit",
    Category.INVALID_INPUT: "refused-input",
    Category.UNSUPPORTED: "not-our-server",
    Category.TIMEOUT: "time-out",
    Category.CONNECTIVITY: "tunnel-offline",
    Category.SERVER: "server-not-running",
    Category.BAD_OUTPUT: "wrong-video",
    Category.BACKEND_BUG: "versions-differ",
}
# What the common ones of `avatar_core.http_tables` say of an address that nothing answered at.
_ADDRESSES = (
    ("refused the connection", "server-not-running", _START),
    ("does not speak HTTPS", "not-our-server", ""),
    ("has no valid web address", "wrong-address", _NOTEBOOK),
    ("(0.0.0.0", "wrong-address", "Put the name or number of the server's machine there."),
)
# Where to read on about the server's and the engine's own codes, by how they begin.
_CODES: tuple[tuple[str, str], ...] = (
    ("no_face", "no-face"),
    ("face_", "no-face"),
    ("bad_picture", "no-face"),
    ("enhancer_", "gfpgan-crash"),
    ("bad_options", "refused-input"),
    ("gpu_memory", "out-of-memory"),
    ("host_memory", "out-of-memory"),
    ("gpu_", "no-gpu"),
    ("cuda_", "no-gpu"),
    ("no_gpu", "no-gpu"),
    ("engine_not_ready", "missing-weights"),
    ("unknown_engine", "versions-differ"),
    ("no_such_page", "versions-differ"),
    ("method_not_allowed", "versions-differ"),
    ("not_implemented", "versions-differ"),
    ("bad_request", "versions-differ"),
    ("disk_full", "disk-full"),
    ("no_room", "disk-full"),
    ("crashed", "crashed"),
    ("folder_shared", "crashed"),
    ("internal_error", "crashed"),
    ("not_installed", "missing-weights"),
    ("weights_", "missing-weights"),
    ("environment_", "missing-weights"),
    ("ffmpeg_", "missing-weights"),
    ("download_", "missing-weights"),
)


def linked(failure: AvatarError) -> AvatarError:
    """``failure`` with a next step that says where to read on."""
    if COMMAND in failure.advice:
        return failure
    section, advice = _SECTIONS[failure.category], failure.advice
    for words, its_section, better in _ADDRESSES:
        if failure.status is None and words in failure.message:
            section, advice = its_section, better or advice
    failure.advice = f"{advice} {see(f'colab#{section}')}"
    return failure


def answer_error(service: str, answer: HttpAnswer, *, now: float, order: bool) -> AvatarError:
    """What an answer that is not the one that was asked for means."""
    if is_ours(answer):
        return _of_our_server(service, answer, order)
    hint = hint_for(answer.status, answer.headers, answer.body, HINTS)
    gateway = answer.status >= 500 or answer.status in (408, 429)
    if hint is not None or gateway:
        return linked(
            status_error(
                service, answer.status, answer.headers, answer.body,
                now=now, order=order, hints=HINTS,
            )
        )  # fmt: skip
    return AvatarError(
        Category.UNSUPPORTED,
        f"{service} is not an avatar server: something else answers there (HTTP {answer.status}).",
        advice=f"{_NOTEBOOK} {see('colab#not-our-server')}",
        status=answer.status,
    )


def is_ours(answer: HttpAnswer) -> bool:
    """Whether our server gave this answer, and neither a tunnel nor somebody else."""
    names = {name.lower() for name in answer.headers}
    return STAMP in names and "ngrok-error-code" not in names


def job_error(error: Mapping[str, Any] | None, service: str) -> ColabError:
    """Why a job of the server failed."""
    told = error or {}
    category = _category(told.get("category"), Category.SERVER)
    code = str(told.get("code") or "")
    message = shown(str(told.get("message") or ""), _LONGEST)
    message = message or f"{service} failed and does not say why."
    return ColabError(code, category, message, advice=_advice(told, code, category))


def _of_our_server(service: str, answer: HttpAnswer, order: bool) -> ColabError:
    told = _told(answer)
    meaning = STATUSES.get(answer.status) or CLASSES.get(answer.status // 100, CLASSES[5])
    category = _category(told.get("category"), meaning.category)
    code = str(told.get("code") or "")
    message = shown(str(told.get("message") or ""), _LONGEST)
    said = f": {message.rstrip('.')}" if message else ""
    # What it turned away it did not begin; only of its own crash nobody knows.
    begun = answer.status >= 500 and answer.retry_after is None
    return ColabError(
        code,
        category,
        f"{service} {meaning.says} (HTTP {answer.status}){said}.",
        advice=_advice(told, code, category),
        retry_after=answer.retry_after,
        status=answer.status,
        unanswered=order and begun,
    )


def _told(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        error = answer.fields().get("error")
    except AvatarError:
        return {}
    return error if isinstance(error, dict) else {"message": error or ""}


def _category(value: Any, otherwise: Category) -> Category:
    try:
        return Category(value)
    except ValueError:
        return otherwise


def _advice(told: Mapping[str, Any], code: str, category: Category) -> str:
    said = shown(str(told.get("advice") or ""), _LONGEST)
    # An engine's own page is for who runs it; the one for who asks it names that in its turn.
    said = _ELSEWHERE.sub("", said) or ADVICE[category]
    return f"{said} {see(f'colab#{section_of(code, category)}')}"
