"""Remote jobs between two attempts: one that was lost is looked for, one that is given up is
asked to stop."""

from __future__ import annotations

import logging
import time

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.turns import PassedOver

log = logging.getLogger(__name__)

SPOILT_ADVICE = (
    "Change the scene, or render once with --set budget.reorder_bad=true: both have another clip "
    "made, and paid."
)
FIND_SECONDS = 30.0
STOP_SECONDS = 5.0


def look_up(
    order: Order,
    backend: AvatarBackend,
    request: AvatarRequest,
    clock: Clock,
    *,
    reorder: bool,
    seconds: float = FIND_SECONDS,
    cancel: CancelToken | None = None,
) -> str | None:
    """Settle an order whose answer was lost: afterwards its job is known, or there is none.

    It waits ``seconds`` for the answer. Returns a sentence for the user where an order had to be
    sent again without knowing. Raises `PassedOver` where that could pay twice (``reorder`` allows
    it): the service cannot tell, or may not see the order yet. Raises `AvatarError` (unanswered)
    where the service could not be asked just now.
    """
    if not order.is_unanswered:
        return None
    try:
        with contained(order.backend, cancel):
            found = clock.call(
                lambda: _find(backend, request, order.reference), seconds, cancel, at_once=True
            )
    except AvatarError as failure:
        if failure.category is not Category.UNSUPPORTED:
            # Nothing was learnt of the order, whatever the failure says of the question.
            failure.unanswered = True
            raise
        return _unknowable(order, backend, reorder)
    if found is not None:
        order.named(found)
        return None
    said = _sent_too_soon(order, backend, reorder)
    order.missing()
    return said


def settle_spoilt(order: Order, *, reorder: bool) -> str | None:
    """Settle a paid job whose clip was no good in every render that fetched it: it is fetched no
    more.

    Returns a sentence for the user where another one may be ordered now (``reorder``). Raises
    `PassedOver` where it may not.
    """
    flaw = order.flaw
    if flaw is None:
        return None
    if not reorder:
        raise spoilt(flaw)
    order.forget()
    return f"What had been paid for was no good ({flaw.rstrip('.')}); another was ordered and paid."


def spoilt(flaw: str, before: str = "") -> PassedOver:
    """Why a job is neither fetched nor ordered any more; ``before`` begins the sentence."""
    return PassedOver(
        f"{before}what was paid for it is no good, and was no better when it was fetched again: "
        f"{flaw}",
        advice=SPOILT_ADVICE,
    )


def stop(
    order: Order, backend: AvatarBackend, clock: Clock, remote_id: str | None = None
) -> str | None:
    """Ask the service, once a job, to stop what nobody waits for any more: the order's job, or
    the one called ``remote_id`` of an older order.

    Returns a sentence where that failed: it is told, and hides nothing that went wrong before. A
    paid job stays in the journal: what it made may still be fetched.
    """
    wanted = order.to_stop(remote_id)
    if wanted is None:
        return None
    try:
        with contained(order.backend):
            clock.call(lambda: backend.cancel(wanted), STOP_SECONDS)
    except (AvatarError, EnvironmentFault) as failure:
        log.warning("The remote job of %s could not be stopped: %s", order.backend, failure.message)
        return f"Its remote job could not be stopped: {failure.message}"
    if not backend.capabilities.costs_money:
        order.forget(wanted)
    return None


def _find(backend: AvatarBackend, request: AvatarRequest, reference: str) -> str | None:
    found: object = backend.find(request, reference)
    if found is not None and not isinstance(found, str):
        raise TypeError(f"find returned {type(found).__name__} instead of a remote id")
    return found


def _sent_too_soon(order: Order, backend: AvatarBackend, reorder: bool) -> str | None:
    """What there is to say where a paid order may have been carried out and not be seen yet."""
    within = backend.capabilities.found_within
    if within is None or not backend.capabilities.costs_money or order.age >= within:
        return None
    if reorder:
        return _sent_again(order)
    raise PassedOver(
        f"an order sent at {_as_date(order.sent_at)} got no answer, may have been paid, and is not "
        f"to be seen at the service yet; from {_as_date(order.sent_at, within)} on it is ordered "
        "again if it is still not there",
        passing=True,
        advice="Render again later: it is looked for first. Render with "
        "--set budget.reorder_lost=true where you know that it never came.",
    )


def _unknowable(order: Order, backend: AvatarBackend, reorder: bool) -> str:
    sent = _as_date(order.sent_at)
    if backend.capabilities.costs_money and not reorder:
        raise PassedOver(
            f"an order sent at {sent} got no answer, may have been paid, and the service cannot be "
            "asked for it (budget.reorder_lost = true orders it again)"
        )
    said = _sent_again(order)
    order.forget()
    return said


def _sent_again(order: Order) -> str:
    return f"An order sent at {_as_date(order.sent_at)} got no answer; it was sent again."


def _as_date(seconds: float, later: float = 0.0) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds + later))
    except (OverflowError, OSError, TypeError, ValueError):
        # A journal is a file, and a file may have been written by anybody.
        return "an unknown time"
