"""The GPU as ``GET /health`` tells it, asked for at most every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from avatar_core.clock import Clock, SystemClock
from backends.sadtalker.gpu import Gpu, gpus

_FRESH_SECONDS = 5.0


class Gpus:
    """``look`` finds the GPUs of this machine; it starts a program."""

    def __init__(
        self, look: Callable[[], tuple[Gpu, ...]] = gpus, clock: Clock | None = None
    ) -> None:
        self._look = look
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._found: Gpu | None = None

    def first(self) -> Gpu | None:
        """None where there is none, or it does not answer."""
        with self._lock:
            now = self._clock()
            if self._asked is None or now - self._asked >= _FRESH_SECONDS:
                self._found, self._asked = next(iter(self._look()), None), now
            return self._found


def view(gpu: Gpu | None) -> dict[str, Any] | None:
    return asdict(gpu) if gpu is not None else None
