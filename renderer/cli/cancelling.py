"""Ctrl-C: the first stops the work in order, the second ends the program at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import FrameType
from typing import TypeVar

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled

T = TypeVar("T")

CANCELLED = "Cancelled. What is finished is kept: run the same command to go on."
EXIT_CODE = 130

_POLL_SECONDS = 0.05
# How long the work may take to stop by itself, and how long children get to be killed by the
# threads that watch them when the user is out of patience.
_GRACE_SECONDS = 1.5
_LAST_SECONDS = 0.3
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class _Requests:
    """How often the user asked to stop, and when first."""

    def __init__(self, token: CancelToken) -> None:
        self._token = token
        self.count = 0
        self.first = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.count += 1
        if self.count == 1:
            self.first = time.monotonic()
            self._token.cancel()

    def out_of_patience(self) -> bool:
        return self.count > 1 or (
            self.count == 1 and time.monotonic() - self.first > _GRACE_SECONDS
        )


def run_cancellable(
    work: Callable[[], T], token: CancelToken, on_abandon: Callable[[], None] = lambda: None
) -> T:
    """Do ``work`` in a thread of its own while this one waits for signals.

    A signal cancels ``token``; ``work`` is expected to raise `Cancelled` soon. When it does not,
    or at a second signal, ``on_abandon`` tidies the terminal and the process ends.
    """
    # Waiting for a lock cannot be interrupted on Windows, and a library that swallows
    # KeyboardInterrupt cannot swallow this.
    future: Future[T] = Future()
    thread = threading.Thread(target=_fill, args=(future, work), name="render", daemon=True)
    with _listening(token) as requests:
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            if requests.out_of_patience():
                thread.join(_LAST_SECONDS)
                if thread.is_alive():
                    _abandon(on_abandon)
        if requests.count and (failure := future.exception()) is not None:
            # Children get the signal as well: what fails after it fails because of it.
            raise Cancelled("cancelled") from failure
    return future.result()


def _fill(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except SystemExit as failure:
        # Something that was called wants to end the program; that is the user's to decide.
        future.set_exception(RuntimeError(f"the render was asked to exit: {failure}"))
    except BaseException as failure:
        future.set_exception(failure)


def _abandon(on_abandon: Callable[[], None]) -> None:
    on_abandon()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    # A normal exit would wait for every thread that does not stop.
    os._exit(EXIT_CODE)


@contextlib.contextmanager
def _listening(token: CancelToken) -> Iterator[_Requests]:
    requests = _Requests(token)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in _SIGNALS):
            # What the caller chose to ignore (nohup, a background job) stays ignored.
            if number and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, requests)
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
