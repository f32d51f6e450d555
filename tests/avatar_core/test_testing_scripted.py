"""The scripted backend does as it is told, in virtual and in real time, and forgets nothing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import FREE, AvatarRequest, Capabilities, Cost, Health, Job, Size
from avatar_core.cancel import CancelToken
from avatar_core.clip_check import validate_clip
from avatar_core.clock import Overrun
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.policy.ladder import Ladder
from avatar_core.testing import (
    RemoteJobs,
    ScriptedBackend,
    Turn,
    VirtualClock,
    bad_clip,
    by_ambition,
    crash,
    deliver,
    fail,
    hang,
    judge_fakes,
    media,
    remote,
)

REQUEST = AvatarRequest(None, Path("narration.wav"), 4.0, Size(64, 64), 30, key="scene-1")
PRICE = Cost(Decimal("0.40"))
ERROR = AvatarError(Category.SERVER, "out of memory")


class Orders:
    """What a journal would note of a job, in the order in which it hears of it."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []

    def job(self, folder: Path, clock: VirtualClock, remote_id: str | None = None) -> Job:
        return Job(
            folder,
            reference="ref-1",
            remote_id=remote_id,
            clock=clock,
            on_order=lambda: self.heard.append("ordered"),
            on_remote_id=self.heard.append,
        )


def test_it_takes_one_step_a_call_and_then_the_last_again_and_again(tmp_path: Path) -> None:
    backend = ScriptedBackend("b", fail(Category.SERVER), crash(ZeroDivisionError), deliver())
    with pytest.raises(AvatarError, match="told to fail"):
        backend.generate(REQUEST, Job(tmp_path))
    with pytest.raises(ZeroDivisionError):
        backend.generate(REQUEST, Job(tmp_path))
    for _ in range(3):
        assert backend.generate(REQUEST, Job(tmp_path)).backend == "b"
    assert backend.requests == [REQUEST] * 5


def test_a_failure_carries_every_detail_it_was_given(tmp_path: Path) -> None:
    step = fail(Category.RATE_LIMIT, "slow down", retry_after=600.0, status=429, billed=True)
    with pytest.raises(AvatarError) as caught:
        ScriptedBackend("b", step).generate(REQUEST, Job(tmp_path))
    failure = caught.value
    assert (failure.category, failure.message) == (Category.RATE_LIMIT, "slow down")
    assert (failure.retry_after, failure.status, failure.billed) == (600.0, 429, True)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_every_call_is_noted_with_the_readings_of_the_clock(work: list[float]) -> None:
    clock = VirtualClock(start=7.0)
    backend = ScriptedBackend("b", *(fail(Category.SERVER, seconds=s) for s in work), clock=clock)
    for _ in work:
        with pytest.raises(AvatarError):
            backend.generate(REQUEST, Job(Path()))
    calls = backend.of("generate")
    assert [call.at for call in calls] == [7.0, *(call.ended for call in calls[:-1])]
    ends = [7.0 + sum(work[: number + 1]) for number in range(len(work))]
    assert [call.ended for call in calls] == pytest.approx(ends)


def test_a_hang_in_virtual_time_ends_exactly_at_the_limit(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend("b", hang(), clock=clock)
    with pytest.raises(Overrun):
        clock.call(lambda: backend.generate(REQUEST, Job(tmp_path)), 120.0)
    assert clock() == 120.0
    assert backend.of("generate")[0].ended == 120.0


def test_without_a_clock_of_its_own_it_waits_by_its_jobs(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend("b", deliver(3600), remote(60, every=7))
    for _ in range(2):
        backend.generate(REQUEST, Job(tmp_path, clock=clock))
    assert [call.ended for call in backend.of("generate")] == [3600.0, 3663.0]


def test_a_remote_job_keeps_the_deadline_by_itself(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend("b", remote(60, every=7))
    with pytest.raises(AvatarError) as caught:
        backend.generate(REQUEST, Job(tmp_path, clock=clock, deadline=20.0))
    assert caught.value.category is Category.TIMEOUT
    assert clock() == 20.0


def test_a_hang_in_real_time_ends_when_its_job_is_cancelled_or_over(tmp_path: Path) -> None:
    token, over = CancelToken(), Job(tmp_path)
    with ThreadPoolExecutor() as pool:
        ends = [
            pool.submit(ScriptedBackend("b", hang()).generate, REQUEST, job)
            for job in (Job(tmp_path, cancel=token), over)
        ]
        token.cancel()
        over.finish()
        assert [type(end.exception(timeout=60)) for end in ends] == [Cancelled, Cancelled]


def test_work_in_real_time_is_cut_short_by_cancellation(tmp_path: Path) -> None:
    token = CancelToken()
    threading.Timer(0.02, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        ScriptedBackend("b", deliver(600)).generate(REQUEST, Job(tmp_path, cancel=token))
    assert time.monotonic() - began < 300


def test_real_clips_are_real(tmp_path: Path) -> None:
    request = media.request(tmp_path)
    good = ScriptedBackend("b", deliver(cost=PRICE, real=True)).generate(request, Job(tmp_path))
    assert validate_clip(good, request).cost == PRICE
    bad = ScriptedBackend("b", bad_clip("black", real=True)).generate(request, Job(tmp_path))
    with pytest.raises(AvatarError, match="flat colour"):
        validate_clip(bad, request)


def test_fake_bad_clips_are_said_to_be_good_and_judged_as_bad(tmp_path: Path) -> None:
    clip = ScriptedBackend("b", bad_clip("truncated")).generate(REQUEST, Job(tmp_path))
    assert clip.duration == REQUEST.duration
    with pytest.raises(AvatarError, match="truncated"):
        judge_fakes(clip, REQUEST)


def test_health_is_answered_in_turn_raised_or_asked_for() -> None:
    ill = Health(False, "asleep")
    backend = ScriptedBackend(
        health=[ill, AvatarError(Category.AUTH, "bad key"), lambda: Health(True, "awake")]
    )
    assert backend.check() is ill
    with pytest.raises(AvatarError, match="bad key"):
        backend.check()
    assert [backend.check().message for _ in range(2)] == ["awake", "awake"]
    assert backend.checks == 4


def test_the_price_is_fixed_counted_or_what_the_contract_says() -> None:
    paid = Capabilities(costs_money=True)
    assert ScriptedBackend().estimate(REQUEST) == FREE
    assert ScriptedBackend(capabilities=paid).estimate(REQUEST) is None
    assert ScriptedBackend(capabilities=paid, price=PRICE).estimate(REQUEST) == PRICE
    counted = ScriptedBackend(price=lambda request: Cost(Decimal(int(request.duration))))
    assert counted.estimate(REQUEST) == Cost(Decimal(4))


def test_the_ladder_is_walked_down_to_its_end_and_steps_follow_it(tmp_path: Path) -> None:
    steps = by_ambition({"full": fail(Category.SERVER), "crop": fail(Category.TIMEOUT)})
    backend = ScriptedBackend("b", steps, ladder=("full", "crop", "plain"))
    request: AvatarRequest | None = REQUEST
    seen = []
    while request is not None:
        seen.append(backend.ambition(request))
        request = backend.safer(request, ERROR)
    assert seen == ["full", "crop", "plain"]
    ladder = Ladder()
    first = ladder.step(backend, REQUEST, 0, ERROR)
    assert first is not None
    second = ladder.step(backend, *first, ERROR)
    assert second is not None
    with pytest.raises(AvatarError) as caught:
        backend.generate(first[0], Job(tmp_path))
    assert caught.value.category is Category.TIMEOUT
    assert backend.generate(second[0], Job(tmp_path)).path.exists()


def test_a_backend_without_a_ladder_has_no_safer_request() -> None:
    assert ScriptedBackend().safer(REQUEST, ERROR) is None


def test_a_remote_job_is_ordered_then_named_then_waited_for(tmp_path: Path) -> None:
    clock, orders = VirtualClock(), Orders()
    backend = ScriptedBackend("b", remote(30, every=4, cost=PRICE), clock=clock)
    clip = backend.generate(REQUEST, orders.job(tmp_path, clock))
    assert orders.heard == ["ordered", "job-1"]
    assert clip.cost == PRICE
    assert clock() == 32.0
    (job,) = backend.service.jobs
    assert (job.reference, job.key, job.ready) == ("ref-1", "scene-1", 30.0)


def test_a_resumed_job_is_waited_for_and_never_ordered_again(tmp_path: Path) -> None:
    clock, orders, service = VirtualClock(), Orders(), RemoteJobs()
    first = ScriptedBackend("b", remote(30, cost=PRICE), clock=clock, service=service)
    with pytest.raises(Overrun):
        clock.call(lambda: first.generate(REQUEST, orders.job(tmp_path, clock)), 10.0)
    second = ScriptedBackend("b", remote(30, cost=PRICE), clock=clock, service=service)
    second.generate(REQUEST, orders.job(tmp_path, clock, remote_id="job-1"))
    assert orders.heard == ["ordered", "job-1"]
    assert second.of("generate")[0].resumed == "job-1"
    assert clock() == 30.0
    assert service.paid() == service.paid("scene-1") == PRICE


def test_an_order_whose_answer_is_lost_is_found_by_its_reference(tmp_path: Path) -> None:
    clock, orders = VirtualClock(), Orders()
    backend = ScriptedBackend("b", remote(lost=True), clock=clock, service=RemoteJobs())
    with pytest.raises(AvatarError) as caught:
        backend.generate(REQUEST, orders.job(tmp_path, clock))
    assert caught.value.unanswered
    assert orders.heard == ["ordered"]
    assert backend.find(REQUEST, "ref-1") == "job-1"
    assert backend.find(REQUEST, "another") is None
    assert backend.finds == ["ref-1", "another"]


def test_a_service_that_cannot_be_asked_says_so() -> None:
    with pytest.raises(AvatarError) as caught:
        ScriptedBackend().find(REQUEST, "ref-1")
    assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("end", ["lose", "cancel"])
def test_a_job_that_the_service_dropped_is_dead_and_said_to_be(tmp_path: Path, end: str) -> None:
    clock, orders = VirtualClock(), Orders()
    backend = ScriptedBackend("b", remote(), clock=clock)
    backend.generate(REQUEST, orders.job(tmp_path, clock))
    getattr(backend.service, end)("job-1")
    with pytest.raises(AvatarError, match="job-1"):
        backend.generate(REQUEST, orders.job(tmp_path, clock, remote_id="job-1"))
    assert orders.heard[-1] is None


def test_a_job_that_fails_is_dead_and_its_failure_told(tmp_path: Path) -> None:
    clock, orders = VirtualClock(), Orders()
    backend = ScriptedBackend("b", remote(fails=ERROR), clock=clock)
    with pytest.raises(AvatarError, match="out of memory"):
        backend.generate(REQUEST, orders.job(tmp_path, clock))
    assert orders.heard == ["ordered", "job-1", None]


def test_a_cancelled_job_stays_on_the_bill_and_on_record(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend("b", remote(cost=PRICE), clock=clock)
    backend.generate(REQUEST, Orders().job(tmp_path, clock))
    backend.cancel("job-1")
    backend.close()
    assert backend.service.jobs[0].state(clock()) == "cancelled"
    assert backend.service.paid() == PRICE
    assert (backend.cancels, backend.closes) == (["job-1"], 1)


def test_a_cancel_can_be_told_to_fail_and_is_recorded_all_the_same() -> None:
    backend = ScriptedBackend(cancel_fails=AvatarError(Category.SERVER, "no"))
    with pytest.raises(AvatarError):
        backend.cancel("job-9")
    assert backend.cancels == ["job-9"]
    assert isinstance(backend.calls[0].failure, AvatarError)


def test_any_function_of_a_turn_is_a_step(tmp_path: Path) -> None:
    def step(turn: Turn) -> object:
        clip = deliver()(turn)
        return replace(clip, warnings=(f"call {turn.number}",))

    clip = ScriptedBackend("b", step).generate(REQUEST, Job(tmp_path))  # type: ignore[arg-type]
    assert clip.warnings == ("call 1",)


def test_many_threads_take_each_step_once(tmp_path: Path) -> None:
    steps = [fail(Category.SERVER, str(number)) for number in range(50)]
    backend = ScriptedBackend("b", *steps)

    def told(_: int) -> str:
        with pytest.raises(AvatarError) as caught:
            backend.generate(REQUEST, Job(tmp_path))
        return caught.value.message

    with ThreadPoolExecutor(8) as pool:
        assert sorted(map(int, pool.map(told, range(50)))) == list(range(50))


def test_a_thousand_scenes_in_virtual_time_cost_next_to_nothing(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend("b", deliver(30), clock=clock)
    began = time.thread_time()
    for _ in range(1000):
        backend.generate(REQUEST, Job(tmp_path))
    assert clock() == 30_000
    assert time.thread_time() - began < 3
