"""One switch that stops a whole render: threads look at it, children are killed by it."""

from __future__ import annotations

import threading

from avatar_core.errors import Cancelled


class CancelToken:
    """Set once from any thread; everything that takes long looks at it often."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the work was cancelled."""
        if self._event.is_set():
            raise Cancelled("cancelled")

    def wait(self, seconds: float) -> bool:
        """Wait up to ``seconds``; True as soon as the work is cancelled."""
        return self._event.wait(seconds)
