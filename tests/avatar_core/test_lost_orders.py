"""Orders that a service may have carried out and does not show yet: none is paid twice."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from avatar_core.backend import AvatarClip, Capabilities, Cost
from avatar_core.errors import AvatarError, Category
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.testing import RemoteJobs, ScriptedBackend, VirtualClock, remote
from avatar_core.testing.steps import Turn
from support_policy import Stage, of

HALF = Cost(Decimal("0.5"))
SLOW_LIST = Capabilities(costs_money=True, needs_network=True, found_within=3600)


class JumpingClock(VirtualClock):
    """Its date can be set while its seconds go on, as a computer's is that finds the network."""

    jump = 0.0

    def wall(self) -> float:
        return super().wall() + self.jump


def lost(turn: Turn) -> AvatarClip:
    turn.job.order()
    raise AvatarError(Category.CONNECTIVITY, "The line was cut.", unanswered=True)


def backend(clock: VirtualClock, can: Capabilities = SLOW_LIST) -> ScriptedBackend:
    done = remote(5, cost=HALF)
    return ScriptedBackend("did", lost, done, done, clock=clock, capabilities=can, price=HALF,
                           service=RemoteJobs())  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "orders"), [(0, 1), (3500, 1), (3700, 2)], ids=["at once", "soon", "late enough"]
)
def test_an_order_that_is_not_seen_is_sent_again_only_when_it_would_be_seen(
    tmp_path: Path, seconds: float, orders: int
) -> None:
    clock, journal = VirtualClock(), MemoryJournal()
    service = backend(clock)
    stage = Stage(tmp_path, service, clock=clock, journal=journal)
    first = stage.scene()
    assert first.clip.backend == "static" and first.costs == (HALF,)
    told = of(first, "did")[-1]
    assert told.skipped and told.passing and "2026-01-01 01:00 UTC" in told.message
    clock.advance(seconds)
    again = Stage(tmp_path, service, clock=clock, journal=journal).scene()
    assert len(service.requests) == orders
    # It is told once, whether it was paid or not.
    assert (again.clip.backend == "did", again.costs) == (orders == 2, ())


def test_a_date_that_jumps_makes_no_order_old(tmp_path: Path) -> None:
    clock = JumpingClock()

    def lost_in_time(turn: Turn) -> AvatarClip:
        try:
            return lost(turn)
        finally:
            clock.jump += 10 * 3600

    service = ScriptedBackend("did", lost_in_time, remote(5), clock=clock, capabilities=SLOW_LIST,
                              price=HALF, service=RemoteJobs())  # fmt: skip
    stage = Stage(tmp_path, service, clock=clock, journal=MemoryJournal())
    assert stage.scene().clip.backend == "static"
    assert len(service.requests) == 1


@pytest.mark.parametrize("at", [float("nan"), 1e300, "yesterday", 2e9], ids=str)
def test_an_order_of_an_odd_date_is_never_old_enough(tmp_path: Path, at: float) -> None:
    clock = VirtualClock()
    service = ScriptedBackend("did", remote(5), clock=clock, capabilities=SLOW_LIST, price=HALF,
                              service=RemoteJobs())  # fmt: skip
    stage = Stage(tmp_path, service, clock=clock, journal=MemoryJournal())
    key = stage.chain.rungs[0].key(stage.request())
    assert key is not None
    stage.policy.journal.write(JobRecord(key, "did", "av-1", "ordered", at))
    assert "not to be seen at the service yet" in of(stage.scene(), "did")[-1].message
    assert service.requests == []


@pytest.mark.parametrize(
    ("can", "budget"),
    [(SLOW_LIST, {"reorder_lost": True}), (Capabilities(found_within=3600), {})],
    ids=["the user's word", "free of charge"],
)
def test_what_may_be_done_twice_is_not_waited_for(
    tmp_path: Path, can: Capabilities, budget: dict[str, bool]
) -> None:
    clock = VirtualClock()
    service = backend(clock, can)
    stage = Stage(tmp_path, service, clock=clock, journal=MemoryJournal(), budget=budget)
    outcome = stage.scene()
    assert (outcome.clip.backend, len(service.requests)) == ("did", 2)
    assert any("it was sent again" in said for said in outcome.clip.warnings) == bool(budget)


def test_a_job_that_is_seen_late_is_fetched(tmp_path: Path) -> None:
    clock, journal, jobs = VirtualClock(), MemoryJournal(), RemoteJobs()

    class SlowList(ScriptedBackend):
        def find(self, request: object, reference: str) -> str | None:
            found = super().find(request, reference)  # type: ignore[arg-type]
            return found if clock() >= 300 else None

    service = SlowList("did", remote(5, cost=HALF, lost=True), clock=clock, price=HALF,
                       capabilities=SLOW_LIST, service=jobs)  # fmt: skip
    stage = Stage(tmp_path, service, clock=clock, journal=journal)
    assert stage.scene().clip.backend == "static"
    clock.advance(300)
    assert stage.scene().clip.backend == "did"
    assert len(jobs.jobs) == 1
