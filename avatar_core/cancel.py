"""One switch that stops a whole render: threads look at it, children are killed by it."""

from __future__ import annotations

import threading

from avatar_core.errors import Cancelled


class CancelToken:
    """Set once from any thread; everything that takes long looks at it often.

    A token with a ``parent`` is cancelled with it, and can be cancelled alone: a render stops
    its own scenes after a failure without touching what its caller holds.
    """

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set() or (self._parent is not None and self._parent.cancelled)

    def check(self) -> None:
        """Raise `Cancelled` if the work was cancelled."""
        if self.cancelled:
            raise Cancelled("cancelled")

    def wait(self, seconds: float) -> bool:
        """Pause for ``seconds``, less if the work is cancelled meanwhile; True if it is."""
        if self._parent is None:
            return self._event.wait(seconds)
        return self._event.is_set() or self._parent.wait(seconds) or self._event.is_set()
