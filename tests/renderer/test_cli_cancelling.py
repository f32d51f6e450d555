"""Ctrl-C: once to stop in order, twice to stop at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled
from renderer.cli.cancelling import run_cancellable

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on POSIX")

OBEDIENT = """
def work():
    print("working", flush=True)
    while True:
        token.wait(60)
        token.check()
"""
STUBBORN = """
def work():
    print("working", flush=True)
    threading.Event().wait(600)
"""
FRAME = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled
from renderer.cli.cancelling import run_cancellable
token = CancelToken()
{work}
try:
    run_cancellable(work, token, lambda: print("abandoned", flush=True))
except Cancelled:
    print("cancelled", flush=True)
    sys.exit(130)
"""


@contextmanager
def working(work: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun ``work``; it is gone afterwards."""
    code = FRAME.format(work=work)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        try:
            yield process
        finally:
            process.kill()


def _ending(process: subprocess.Popen[str]) -> tuple[str, int]:
    printed, _ = process.communicate(timeout=300)
    return printed, process.returncode


@posix_only
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_signal_lets_the_work_stop_in_order(name: str) -> None:
    with working(OBEDIENT) as process:
        process.send_signal(getattr(signal, name))
        assert _ending(process) == ("cancelled\n", 130)


@posix_only
def test_work_that_does_not_stop_is_abandoned_after_a_moment() -> None:
    with working(STUBBORN) as process:
        process.send_signal(signal.SIGINT)
        assert _ending(process) == ("abandoned\n", 130)


@posix_only
def test_a_second_ctrl_c_does_not_wait() -> None:
    with working(STUBBORN) as process:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert _ending(process) == ("abandoned\n", 130)


def test_the_result_of_the_work_comes_back() -> None:
    assert run_cancellable(lambda: threading.current_thread().name, CancelToken()) == "render"


@pytest.mark.parametrize("error", [Cancelled("cancelled"), ValueError("other"), MemoryError()])
def test_what_the_work_raises_comes_back(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        run_cancellable(work, CancelToken())
    assert raised.value is error


@posix_only
def test_what_fails_after_ctrl_c_fails_because_of_it() -> None:
    def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        while not token.wait(0.1):
            pass
        raise OSError("a child was killed by the same signal")

    token = CancelToken()
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        with pytest.raises(Cancelled):
            run_cancellable(work, token)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_work_that_asks_for_an_exit_does_not_choose_the_exit_code() -> None:
    with pytest.raises(RuntimeError, match="asked to exit"):
        run_cancellable(lambda: sys.exit(0), CancelToken())


def test_the_signal_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    run_cancellable(lambda: None, CancelToken())
    assert signal.getsignal(signal.SIGINT) is before


def test_it_works_outside_the_main_thread() -> None:
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(run_cancellable(lambda: 7, CancelToken()))
    )
    thread.start()
    thread.join(300)
    assert results == [7]
