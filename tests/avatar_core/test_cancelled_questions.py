"""Ctrl-C while a backend is asked for its health, its price and the like: nobody waits for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from avatar_core.backend import AvatarRequest, Capabilities, Cost, Health
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.testing import ScriptedBackend, VirtualClock, deliver, fail
from support_policy import Stage

T = TypeVar("T")
# Ends only what hangs, however long the machine stands still.
AMPLE = 600.0
HALF = Cost(Decimal("0.5"))
PAID = Capabilities(costs_money=True, needs_network=True)


class Silent(ScriptedBackend):
    """The user gives up while it is asked; it answers when the test is over."""

    def __init__(self, token: CancelToken, silent: str) -> None:
        fails = fail(Category.SERVER) if silent == "safer" else deliver()
        super().__init__("did", fails, clock=SystemClock(), capabilities=PAID, price=HALF)
        self._token = token
        self.silent = silent
        self.release = threading.Event()

    def check(self) -> Health:
        return self._slowly("check", Health(True, "ready"))

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        return self._slowly("find", None)

    def estimate(self, request: AvatarRequest) -> Cost | None:
        return self._slowly("estimate", HALF)

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        return self._slowly("safer", None)

    def _slowly(self, what: str, answer: T) -> T:
        if what == self.silent:
            self._token.cancel()
            assert self.release.wait(AMPLE)
        return answer


@pytest.fixture
def token() -> CancelToken:
    return CancelToken()


@pytest.fixture(params=["check", "find", "estimate", "safer"])
def silent(request: pytest.FixtureRequest, token: CancelToken) -> Iterator[Silent]:
    backend = Silent(token, request.param)
    yield backend
    backend.release.set()


def test_a_question_that_is_not_answered_holds_up_no_ctrl_c(
    tmp_path: Path, token: CancelToken, silent: Silent
) -> None:
    # Whoever waited for a cancelled question to end would wait longer than the test may last.
    patient = SystemClock(grace=AMPLE)
    journal = MemoryJournal()
    stage = Stage(tmp_path, silent, clock=patient, journal=journal)
    key = stage.chain.rungs[0].key(stage.request())
    assert key is not None
    order = JobRecord(key, "did", "av-1", "ordered", 0.0, cost=HALF)
    if silent.silent == "find":
        journal.write(order)
    with pytest.raises(Cancelled):
        stage.scene(cancel=token)
    assert not silent.release.is_set()
    assert journal.find(key) == (order if silent.silent == "find" else None)
    assert len(silent.of("generate")) == (silent.silent == "safer")


@pytest.mark.parametrize("clock", [SystemClock(), VirtualClock()], ids=["real", "virtual"])
def test_nothing_is_asked_any_more_once_the_user_has_given_up(
    clock: Clock, token: CancelToken
) -> None:
    token.cancel()
    asked: list[int] = []
    for seconds in (AMPLE, None):
        with pytest.raises(Cancelled):
            clock.call(lambda: asked.append(1), seconds, token, at_once=True)
    assert asked == []
