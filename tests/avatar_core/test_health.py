"""Health checks: asked once in a while, by one thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from avatar_core.backend import Health
from avatar_core.errors import AvatarError, Category
from avatar_core.health import HealthChecks
from avatar_core.testing import ScriptedBackend, VirtualClock


def test_a_backend_is_asked_again_only_after_a_while() -> None:
    clock, backend = VirtualClock(), ScriptedBackend()
    checks = HealthChecks(good_for=10, clock=clock)
    for seconds, expected in [(0, 1), (9, 1), (1, 2), (5, 2)]:
        clock.advance(seconds)
        checks.require("scripted", backend)
        assert backend.checks == expected


def test_many_threads_ask_once() -> None:
    backend, checks = ScriptedBackend(), HealthChecks()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: checks.require("scripted", backend), range(40)))
    assert backend.checks == 1


def test_two_backends_do_not_share_their_health() -> None:
    ill, well = ScriptedBackend(health=Health(False, "ill")), ScriptedBackend()
    checks = HealthChecks()
    checks.require("well", well)
    with pytest.raises(AvatarError, match="ill"):
        checks.require("ill", ill)


def test_a_bad_answer_is_remembered_too_and_recovery_is_seen() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(health=[Health(False, "ill"), Health(True, "ready")])
    checks = HealthChecks(good_for=10, clock=clock)
    for _ in range(2):
        with pytest.raises(AvatarError):
            checks.require("scripted", backend)
    assert backend.checks == 1
    clock.advance(11)
    checks.require("scripted", backend)


def test_a_failure_of_the_check_keeps_its_category() -> None:
    failure = AvatarError(Category.AUTH, "wrong key", status=401, advice="Set DID_API_KEY.")
    checks, backend = HealthChecks(), ScriptedBackend(health=failure)
    raised = []
    for _ in range(2):
        with pytest.raises(AvatarError) as caught:
            checks.require("did", backend)
        raised.append(caught.value)
    assert {(e.category, e.status, e.advice) for e in raised} == {
        (Category.AUTH, 401, "Set DID_API_KEY.")
    }
    assert backend.checks == 1


def test_backends_that_equal_each_other_and_cannot_be_hashed_are_told_apart() -> None:
    class Twin(ScriptedBackend):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, Twin)

        __hash__ = None  # type: ignore[assignment]

    well, ill = Twin("well"), Twin("ill", health=Health(False, "asleep"))
    checks = HealthChecks()
    checks.require("well", well)
    with pytest.raises(AvatarError, match="asleep"):
        checks.require("ill", ill)


@pytest.mark.parametrize("answer", [ValueError("a bug"), SystemExit(1)])
def test_a_check_that_crashes_is_a_bug_of_the_backend(answer: BaseException) -> None:
    with pytest.raises(AvatarError) as caught:
        HealthChecks().require("scripted", ScriptedBackend(health=answer))
    assert caught.value.category is Category.BACKEND_BUG


def test_the_category_that_a_check_names_counts() -> None:
    ill = Health(False, "The key is wrong.", "Make another.", category=Category.AUTH)
    with pytest.raises(AvatarError) as caught:
        HealthChecks().require("did", ScriptedBackend("did", health=ill))
    assert (caught.value.category, caught.value.advice) == (Category.AUTH, "Make another.")
