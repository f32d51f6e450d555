"""Remote jobs between two attempts: one that was lost is looked for, one that is given up is
asked to stop."""

from __future__ import annotations

import logging
import time

from avatar_core.attempt import contained
from avatar_core.backend import AvatarBackend, AvatarRequest
from avatar_core.clock import Clock
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.turns import PassedOver

log = logging.getLogger(__name__)

FIND_SECONDS = 30.0
STOP_SECONDS = 5.0


def look_up(
    order: Order, backend: AvatarBackend, request: AvatarRequest, clock: Clock, *, reorder: bool
) -> str | None:
    """Settle an order whose answer was lost: afterwards its job is known, or there is none.

    Returns a sentence for the user where an order had to be sent again without knowing. Raises
    `PassedOver` where that could pay twice (``reorder`` allows it), `AvatarError` where the
    service could not be asked just now.
    """
    if not order.is_unanswered:
        return None
    try:
        with contained(backend.name):
            found = clock.call(lambda: backend.find(request, order.reference), FIND_SECONDS)
    except AvatarError as failure:
        if failure.category is not Category.UNSUPPORTED:
            raise
        return _unknowable(order, backend, reorder)
    if found is None:
        order.forget()
    else:
        order.named(found)
    return None


def stop(order: Order, backend: AvatarBackend, clock: Clock) -> str | None:
    """Ask the service, once a job, to stop what nobody waits for any more.

    Returns a sentence where that failed: it is told, and hides nothing that went wrong before. A
    paid job stays in the journal: what it made may still be fetched.
    """
    remote_id = order.remote_id
    if remote_id is None or order.was_cancelled:
        return None
    order.cancelled()
    said = stop_job(backend, remote_id, clock)
    if said is None and not backend.capabilities.costs_money:
        order.forget()
    return said


def stop_job(backend: AvatarBackend, remote_id: str, clock: Clock) -> str | None:
    """Call `AvatarBackend.cancel`; a sentence where it failed."""
    try:
        with contained(backend.name):
            clock.call(lambda: backend.cancel(remote_id), STOP_SECONDS)
    except (AvatarError, EnvironmentFault) as failure:
        log.warning("The remote job of %s could not be stopped: %s", backend.name, failure.message)
        return f"Its remote job could not be stopped: {failure.message}"
    return None


def _unknowable(order: Order, backend: AvatarBackend, reorder: bool) -> str:
    sent = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(order.sent_at))
    if backend.capabilities.costs_money and not reorder:
        raise PassedOver(
            f"an order sent at {sent} got no answer, may have been paid, and the service cannot be "
            "asked for it (budget.reorder_lost = true orders it again)"
        )
    order.forget()
    return f"An order sent at {sent} got no answer; it was sent again."
