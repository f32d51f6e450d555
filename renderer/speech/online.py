"""What the online engines share: their failures in the ten categories, and checking for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

from avatar_core.backend import Health
from avatar_core.errors import AvatarError, Category
from avatar_core.extras import install_advice
from avatar_core.pages import see

_BY_STATUS = {
    401: Category.AUTH,
    402: Category.QUOTA,
    403: Category.AUTH,
    404: Category.SERVER,
    407: Category.CONNECTIVITY,
    408: Category.TIMEOUT,
    429: Category.RATE_LIMIT,
    504: Category.TIMEOUT,
}
_REFUSED = (
    "The service is unofficial and changes at times: choose another engine, or update the package. "
    f"{see('install#updating')}"
)
_LATER = "Render again later, or choose an offline engine."
_NETWORK = "Check the network, or choose an offline engine (hibari, espeak)."


def check_module(module: str, service: str) -> Health:
    """Whether the package is there; the service itself is not asked."""
    if importlib.util.find_spec(module) is None:
        return Health(False, f"{module} is not installed.", install_advice(module))
    return Health(True, f"{module} is installed; it sends the text to {service}.")


def as_avatar_error(engine: str, failure: BaseException) -> AvatarError:
    """What an online engine's library raised, as the policy understands it."""
    chain = list(_chain(failure))
    status = next((found for one in chain if (found := _status(one)) is not None), None)
    if status is not None and status >= 400:
        return _refused(engine, status, next(filter(None, map(_retry_after, chain)), None))
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in chain):
        return AvatarError(
            Category.TIMEOUT, f"{engine}'s service did not answer in time.", advice=_LATER
        )
    if status is not None or any(_is_bad_answer(one) for one in chain):
        return AvatarError(
            Category.BAD_OUTPUT, f"{engine}'s service sent no sound.", advice=_REFUSED
        )
    if any(isinstance(one, OSError) or _is_connection(one) for one in chain):
        return AvatarError(
            Category.CONNECTIVITY, f"{engine}'s service cannot be reached.", advice=_NETWORK
        )
    kind = type(failure).__name__
    return AvatarError(
        Category.BACKEND_BUG, f"{engine} failed: {kind}: {failure}.", advice=_REFUSED
    )


def _refused(engine: str, status: int, retry_after: float | None) -> AvatarError:
    category = _BY_STATUS.get(status, Category.SERVER)
    return AvatarError(
        category,
        f"{engine}'s service refused with HTTP status {status}.",
        advice=_REFUSED if category is Category.AUTH else _LATER,
        retry_after=retry_after,
        status=status,
    )


def _chain(failure: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while failure is not None and id(failure) not in seen:
        seen.add(id(failure))
        yield failure
        failure = failure.__cause__ or failure.__context__


def _response(failure: BaseException) -> Any:
    # requests calls it "response", gTTS "rsp"; a failed requests.Response is falsy.
    for name in ("rsp", "response"):
        found = getattr(failure, name, None)
        if found is not None:
            return found
    return None


def _status(failure: BaseException) -> int | None:
    response = _response(failure)
    status = getattr(failure if response is None else response, "status", None)
    status = getattr(response, "status_code", status)
    return status if isinstance(status, int) and status > 0 else None


def _retry_after(failure: BaseException) -> float | None:
    response = _response(failure)
    headers = getattr(failure if response is None else response, "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return float(value) if value.isdigit() else None


def _is_connection(failure: BaseException) -> bool:
    names = {base.__name__ for base in type(failure).__mro__}
    return bool(names & {"ClientConnectionError", "WebSocketError"})


def _is_bad_answer(failure: BaseException) -> bool:
    names = {base.__name__ for base in type(failure).__mro__}
    return bool(names & {"NoAudioReceived", "UnexpectedResponse", "UnknownResponse"})
