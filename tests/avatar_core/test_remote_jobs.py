"""Remote jobs through the chain: resumed, looked for, stopped, and never paid twice."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarClip, AvatarRequest, Capabilities, Cost
from avatar_core.cancel import CancelToken
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.testing import RemoteJobs, ScriptedBackend, VirtualClock, bad_clip, fail, remote
from avatar_core.testing.steps import Turn, deliver
from support_policy import LeapingClock, MemoryClips, Stage, calls, of

HALF = Cost(Decimal("0.5"))
PAID = Capabilities(costs_money=True, needs_network=True)
FREE_REMOTE = Capabilities(needs_network=True)
Step = Callable[[Turn], AvatarClip]


class Journal(MemoryJournal):
    """Remembers each state that was on disk, as a process killed then would leave it."""

    def __init__(self, records: dict[str, JobRecord] | None = None) -> None:
        super().__init__()
        self._records = dict(records or {})
        self.history: list[dict[str, JobRecord]] = [dict(self._records)]
        self.refused: tuple[str, ...] = ()

    def write(self, record: JobRecord) -> None:
        if record.state in self.refused:
            raise OSError(28, "No space left on device")
        super().write(record)
        self.history.append(dict(self._records))

    def forget(self, key: str) -> None:
        super().forget(key)
        self.history.append(dict(self._records))

    @property
    def record(self) -> JobRecord | None:
        return next(iter(self._records.values()), None)


def did(*steps: Any, service: RemoteJobs | None = None, **more: Any) -> ScriptedBackend:
    more.setdefault("capabilities", PAID)
    more.setdefault("price", HALF)
    story = steps or (remote(30, cost=HALF),)
    return ScriptedBackend("did", *story, service=service, **more)


def ordered(step: Step) -> Step:
    """The step, after a job was ordered and named."""

    def story(turn: Turn) -> AvatarClip:
        if turn.job.remote_id is None:
            turn.job.order()
            turn.job.remote_id = "job-1"
        return step(turn)

    return story


def lost_before_it_arrived(turn: Turn) -> AvatarClip:
    turn.job.order()
    raise AvatarError(Category.CONNECTIVITY, "The line was cut.", unanswered=True)


def test_the_job_is_on_record_before_it_is_waited_for(tmp_path: Path) -> None:
    journal, seen = Journal(), list[Any]()

    def note() -> None:
        seen.append(None if journal.record is None else journal.record.state)

    def story(turn: Turn) -> AvatarClip:
        note()
        turn.job.order()
        note()
        turn.job.remote_id = "job-1"
        note()
        return deliver(cost=HALF)(turn)

    Stage(tmp_path, did(story), journal=journal).scene()
    assert seen == [None, "ordered", "running"]
    assert journal.record is None


@pytest.mark.parametrize(("killed_at", "arrived", "jobs"), [
    (0, False, 1), (1, False, 1), (1, True, 1), (2, True, 1), (3, True, 1),
])  # fmt: skip
def test_a_new_process_pays_nothing_twice_wherever_the_old_one_was_killed(
    tmp_path: Path, killed_at: int, arrived: bool, jobs: int
) -> None:
    clock, service, old, kept = VirtualClock(), RemoteJobs(), Journal(), MemoryClips()
    first = Stage(tmp_path, did(service=service, clock=clock), clock=clock, journal=old, cache=kept)
    first.scene()
    # Nothing, the order, the job, nothing again with the clip kept.
    assert [len(records) for records in old.history] == [0, 1, 1, 0]
    if not arrived:
        service.lose("job-1")
    cache = kept if killed_at == 3 else MemoryClips()
    again = did(service=service, clock=clock)
    stage = Stage(
        tmp_path, again, clock=clock, journal=Journal(old.history[killed_at]), cache=cache
    )
    outcome = stage.scene()
    assert outcome.clip.backend == "did"
    assert len(service.jobs) == jobs
    if outcome.cached:
        assert calls(again) == 0
    else:
        assert of(outcome, "did")[0].resumed == arrived


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_is_looked_for_before_anything_is_ordered(
    tmp_path: Path, arrived: bool
) -> None:
    clock, service = VirtualClock(), RemoteJobs()
    loses = remote(5, cost=HALF, lost=True) if arrived else lost_before_it_arrived
    backend = did(loses, remote(5, cost=HALF), service=service, clock=clock)
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    assert outcome.clip.backend == "did"
    assert (len(service.jobs), outcome.costs) == (1, (HALF,))
    assert [entry.resumed for entry in outcome.trail] == [False, arrived]
    assert len(backend.finds) == 1
    # Of an order that does arrive in the end, the service can tell that it is the same one.
    assert service.jobs[0].reference == backend.finds[0]


def test_a_question_that_fails_does_not_forget_the_order(tmp_path: Path) -> None:
    """Found by reading: the failed question counted as the order's refusal, and it was paid
    again."""
    clock, service, journal = VirtualClock(), RemoteJobs(), Journal()
    state = {"up": False}

    class Unreachable(ScriptedBackend):
        def find(self, request: AvatarRequest, reference: str) -> str | None:
            if not state["up"]:
                raise AvatarError(Category.CONNECTIVITY, "The tunnel is down.")
            return super().find(request, reference)

    backend = Unreachable(
        "did", remote(5, cost=HALF, lost=True), clock=clock, service=service,
        capabilities=PAID, price=HALF,
    )  # fmt: skip
    stage = Stage(tmp_path, backend, clock=clock, journal=journal)
    assert stage.scene().clip.backend == "static"
    assert journal.record is not None and journal.record.state == "ordered"
    state["up"] = True
    clock.advance(100)
    outcome = stage.scene()
    assert (outcome.clip.backend, len(service.jobs)) == ("did", 1)
    # The first try told it as lost; it is told once.
    assert outcome.costs == ()
    assert stage.policy.budget.spent == HALF


def test_a_free_order_that_cannot_be_asked_for_is_sent_again_and_told(tmp_path: Path) -> None:
    clock = VirtualClock()
    backend = did(
        lost_before_it_arrived, remote(5), clock=clock, capabilities=FREE_REMOTE, price=None
    )
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    assert outcome.clip.backend == "did"
    assert outcome.clip.warnings == (
        "An order sent at 2026-01-01 00:00 UTC got no answer; it was sent again.",
    )


@pytest.mark.parametrize("allowed", [False, True])
def test_a_paid_order_that_cannot_be_asked_for_is_not_sent_again_unless_allowed(
    tmp_path: Path, allowed: bool
) -> None:
    clock, journal = VirtualClock(), Journal()
    backend = did(lost_before_it_arrived, remote(5, cost=HALF), clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=journal, budget={"reorder_lost": allowed})
    outcome = stage.scene()
    assert outcome.clip.backend == ("did" if allowed else "static")
    if allowed:
        return
    entry = of(outcome, "did")[-1]
    assert entry.skipped and "budget.reorder_lost = true orders it again" in entry.message
    assert "2026-01-01 00:00 UTC" in entry.message
    # It may have been paid, so it counts; and the next run says the same.
    assert outcome.costs == (HALF,)
    again = did(clock=clock)
    later = Stage(tmp_path, again, clock=clock, journal=Journal(journal.history[-1]))
    assert later.scene().clip.backend == "static"
    assert calls(again) == 0


@pytest.mark.parametrize("at", [float("nan"), 1e300, -1e300, "yesterday"])
def test_a_journal_with_an_odd_date_is_no_crash(tmp_path: Path, at: Any) -> None:
    stage = Stage(tmp_path, did(), journal=Journal())
    key = stage.chain.rungs[0].key(stage.request())
    assert key is not None
    stage.policy.journal.write(JobRecord(key, "did", "av-1", "ordered", at))
    outcome = stage.scene()
    assert outcome.clip.backend == "static"
    assert "got no answer" in outcome.trail[0].message


@pytest.mark.parametrize("found", [17, b"job", ["job-1"]])
def test_an_answer_that_is_no_name_is_a_bug_and_pays_nothing(tmp_path: Path, found: Any) -> None:
    class Odd(ScriptedBackend):
        def find(self, request: AvatarRequest, reference: str) -> Any:
            return found

    journal = Journal()
    odd = Odd("did", lost_before_it_arrived, remote(5), capabilities=PAID, clock=VirtualClock())
    outcome = Stage(tmp_path, odd, journal=journal).scene()
    assert of(outcome, "did")[-1].category is Category.BACKEND_BUG
    assert (calls(odd), len(odd.service.jobs)) == (1, 0)
    assert journal.record is not None and journal.record.state == "ordered"


@pytest.mark.parametrize(
    ("capabilities", "kept"), [(PAID, "cancelled"), (FREE_REMOTE, None)], ids=["paid", "free"]
)
@pytest.mark.parametrize("how", ["time-out", "failover", "cancelled", "ctrl-c"])
def test_a_job_that_nobody_waits_for_is_stopped_once(
    tmp_path: Path, how: str, capabilities: Capabilities, kept: str | None
) -> None:
    clock, journal, token = VirtualClock(), Journal(), CancelToken()

    def story(turn: Turn) -> AvatarClip:
        turn.job.order()
        turn.job.remote_id = "job-7"
        if how == "time-out":
            clock.sleep(1000)
        elif how == "failover":
            raise AvatarError(Category.UNSUPPORTED, "the poll says so")
        elif how == "ctrl-c":
            raise KeyboardInterrupt
        token.cancel()
        turn.job.progress(0.5)
        raise AssertionError("it went on")

    backend = did(story, clock=clock, capabilities=capabilities)
    stage = Stage(tmp_path, backend, clock=clock, journal=journal)
    ends = {"cancelled": Cancelled, "ctrl-c": KeyboardInterrupt}
    if how in ends:
        with pytest.raises(ends[how]):
            stage.scene(cancel=token)
    else:
        assert stage.scene().clip.backend == "static"
    assert backend.cancels == ["job-7"]
    assert (journal.record.state if journal.record else None) == kept


def test_ctrl_c_stops_the_job_of_a_call_that_runs_in_its_own_thread(tmp_path: Path) -> None:
    ended = threading.Event()

    def story(turn: Turn) -> AvatarClip:
        turn.job.order()
        turn.job.remote_id = "job-1"
        signal.raise_signal(signal.SIGINT)
        try:
            while True:
                turn.job.progress(0.5)
                time.sleep(0.002)
        finally:
            ended.set()

    backend, journal = did(story, capabilities=FREE_REMOTE), Journal()
    stage = Stage(tmp_path, backend, clock=SystemClock(), journal=journal)
    with pytest.raises(KeyboardInterrupt):
        stage.scene()
    assert (backend.cancels, journal.record) == (["job-1"], None)
    # The thread learns that nobody waits any more, and the next scene finds everything as it was.
    assert ended.wait(60)
    assert stage.policy.limiter("did", backend)._running == 0
    assert stage.policy.breaker("did").admit().refusal is None


@pytest.mark.parametrize(
    "failure",
    [AvatarError(Category.AUTH, "The key is gone."), ValueError("a bug"), SystemExit(1)],
    ids=lambda f: type(f).__name__,
)
def test_a_stop_that_fails_is_told_and_hides_nothing(
    tmp_path: Path, failure: BaseException
) -> None:
    clock = VirtualClock()
    backend = did(remote(1000), clock=clock, cancel_fails=failure)
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    entry = of(outcome, "did")[0]
    assert entry.category is Category.TIMEOUT
    why, _, told = entry.message.partition(" Its remote job could not be stopped: ")
    assert "time" in why and told
    assert len(backend.cancels) == 1


def test_a_stop_that_fails_for_the_same_reason_tells_it_once(tmp_path: Path) -> None:
    clock, away = VirtualClock(), AvatarError(Category.CONNECTIVITY, "It is not there.")
    gone = ordered(fail(away.category, away.message))
    backend = did(gone, gone, clock=clock, cancel_fails=away)
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    told = of(outcome, "did")[-1].message
    assert told.startswith("It is not there. ") and told.count("It is not there") == 1
    assert told.endswith(" Its remote job could not be stopped.")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (remote(1000, cost=HALF), "what it makes is fetched when it is asked again."),
        (ordered(bad_clip("black", cost=HALF)), "fetches it once more, and orders no other."),
        (lost_before_it_arrived, "the order is looked for when it is asked again."),
    ],
    ids=["too slow", "bad", "lost"],
)
def test_what_was_paid_in_vain_is_told_with_what_becomes_of_it(
    tmp_path: Path, step: Step, told: str
) -> None:
    clock = VirtualClock()
    backend = did(step, clock=clock)
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    last = of(outcome, "did")[-1]
    assert last.cost == HALF and "paid for" in last.message
    assert last.message.endswith(told)


def test_what_is_left_behind_before_a_rung_is_passed_over_is_told_with_it(tmp_path: Path) -> None:
    clock = VirtualClock()

    def story(turn: Turn) -> AvatarClip:
        turn.job.order()
        turn.job.remote_id = "job-1"
        stage.policy.close("did", AvatarError(Category.QUOTA, "somebody else found out"))
        raise AvatarError(Category.CONNECTIVITY, "The line was cut.")

    backend = did(story, clock=clock, cancel_fails=ValueError("deaf"))
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal())
    outcome = stage.scene()
    skipped = of(outcome, "did")[-1]
    assert skipped.skipped and "Its remote job could not be stopped" in skipped.message
    assert (outcome.costs, backend.cancels) == ((HALF,), ["job-1"])
    assert stage.policy.budget.spent == HALF


def test_half_a_download_is_fetched_again_and_not_ordered_again(tmp_path: Path) -> None:
    clock = VirtualClock()

    def story(turn: Turn) -> AvatarClip:
        clip = remote(5, cost=HALF)(turn)
        return clip if turn.number == 2 else bad_clip("truncated", cost=HALF)(turn)

    backend = did(story, clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal())
    outcome = stage.scene()
    assert (outcome.clip.backend, outcome.costs) == ("did", (HALF,))
    assert [entry.resumed for entry in outcome.trail] == [False, True]
    assert (len(backend.service.jobs), backend.cancels) == (1, [])
    assert stage.policy.budget.spent == HALF


def test_a_job_that_died_and_was_billed_is_not_ordered_again_in_this_run(tmp_path: Path) -> None:
    clock = VirtualClock()
    died = AvatarError(Category.SERVER, "The face was not found.", billed=True)
    backend = did(remote(5, cost=HALF, fails=died), clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal())
    outcomes = [stage.scene(), stage.scene()]
    assert (len(backend.service.jobs), outcomes[0].costs, outcomes[1].costs) == (1, (HALF,), ())
    assert outcomes[1].trail[0].skipped


def test_a_job_that_died_for_nothing_is_ordered_again_under_another_reference(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    died = AvatarError(Category.SERVER, "The worker crashed.")
    backend = did(remote(5, fails=died), remote(5, cost=HALF), clock=clock)
    outcome = Stage(tmp_path, backend, clock=clock, journal=Journal()).scene()
    assert outcome.clip.backend == "did"
    assert len({job.reference for job in backend.service.jobs}) == 2


def test_a_second_try_takes_up_the_job_and_counts_its_price_once(tmp_path: Path) -> None:
    clock = VirtualClock()

    class Patient(RemoteJobs):
        def cancel(self, remote_id: str) -> None:
            """This service knows no way back: the job goes on."""

    backend = did(remote(300, cost=HALF), clock=clock, service=Patient())
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal(), budget={"max_cost": "0.9"})
    first = stage.scene()
    assert (first.clip.backend, first.costs) == ("static", (HALF,))
    clock.advance(400)
    second = stage.scene()
    assert (second.clip.backend, second.costs) == ("did", ())
    assert of(second, "did")[0].resumed
    assert (stage.policy.budget.spent, len(backend.service.jobs)) == (HALF, 1)


def test_a_resumed_job_that_is_gone_is_weighed_against_the_budget_before_it_is_ordered_again(
    tmp_path: Path,
) -> None:
    """The pattern in the contract's own words falls through to a new order when a job is gone."""

    def story(turn: Turn) -> AvatarClip:
        if turn.job.remote_id is not None and turn.backend.service.get(turn.job.remote_id) is None:
            turn.job.remote_id = None
        return remote(5, cost=HALF)(turn)

    clock = VirtualClock()
    backend = did(story, clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal(), budget={"max_cost": "0.4"})
    key = stage.chain.rungs[0].key(stage.request())
    assert key is not None
    stage.policy.journal.write(JobRecord(key, "did", "av-1", "running", 0.0, "gone"))
    assert stage.scene().clip.backend == "static"
    assert backend.service.jobs == []
    rich = Stage(tmp_path, did(story, clock=clock), clock=clock, journal=Journal())
    rich.policy.journal.write(JobRecord(key, "did", "av-1", "running", 0.0, "gone"))
    assert rich.scene().clip.backend == "did"


def test_an_order_of_an_earlier_run_that_never_arrived_leaves_its_room_in_the_budget(
    tmp_path: Path,
) -> None:
    """Found by a trial: the order that nobody got was counted for the film, so that the one sent
    in its place found no room, or was paid and stood nowhere in the costs."""
    clock = VirtualClock()
    backend = did(remote(5, cost=HALF), service=RemoteJobs(), clock=clock)
    stage = Stage(tmp_path, backend, clock=clock, journal=Journal(), budget={"max_cost": "0.5"})
    key = stage.chain.rungs[0].key(stage.request())
    assert key is not None
    stage.policy.journal.write(JobRecord(key, "did", "av-1", "ordered", 0.0, cost=HALF))
    stage.policy.budget.count("did", stage.policy.not_yet_counted("did", key, HALF))
    outcome = stage.scene()
    assert (outcome.clip.backend, outcome.costs) == ("did", (HALF,))
    assert stage.policy.budget.spent == HALF


@pytest.mark.parametrize("refused", ["ordered", "running", "cancelled"])
def test_a_disk_that_is_full_in_the_middle_of_an_order_costs_no_job_unstopped(
    tmp_path: Path, refused: str
) -> None:
    clock, journal = VirtualClock(), Journal()
    journal.refused = (refused,)
    backend = did(remote(1000), clock=clock)
    outcome = Stage(tmp_path, backend, clock=clock, journal=journal).scene()
    assert outcome.clip.backend == "static"
    jobs = backend.service.jobs
    assert len(jobs) == (0 if refused == "ordered" else 1)
    assert all(job.cancelled for job in jobs)
    if refused != "cancelled":
        entry = of(outcome, "did")[0]
        assert "disk is full" in entry.message and entry.attempt == 1


def left_behind(answer: Callable[[Turn], None], release: threading.Event) -> Step:
    """A story whose first call minds no deadline and does ``answer`` when it is too late."""

    def story(turn: Turn) -> AvatarClip:
        if turn.number > 1:
            return remote(0, every=0.01, cost=HALF)(turn)
        if turn.job.remote_id is None:
            turn.job.order()
        assert isinstance(turn.clock, LeapingClock)
        turn.clock.time_is_up.set()
        assert release.wait(60)
        answer(turn)
        raise AssertionError("the attempt was over")

    return story


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("capabilities", "kept"), [(PAID, "cancelled"), (FREE_REMOTE, None)], ids=["paid", "free"]
)
def test_an_answer_to_a_thread_that_was_left_behind_is_journaled_and_its_job_stopped(
    tmp_path: Path, capabilities: Capabilities, kept: str | None
) -> None:
    release, journal = threading.Event(), Journal()

    def answer(turn: Turn) -> None:
        turn.job.remote_id = "late-1"

    clock = LeapingClock(200)
    backend = did(left_behind(answer, release), clock=clock, capabilities=capabilities)
    stage = Stage(tmp_path, backend, clock=clock, journal=journal, deadline={"attempt": 100})
    assert stage.scene().clip.backend == "static"
    assert journal.record is not None and journal.record.state == "ordered"
    release.set()
    until(lambda: backend.cancels == ["late-1"])
    assert "late-1" in [r.remote_id for records in journal.history for r in records.values()]
    until(lambda: (journal.record.state if journal.record else None) == kept)


def test_a_thread_that_was_left_behind_cannot_forget_the_next_attempts_job(tmp_path: Path) -> None:
    release, journal, done = threading.Event(), Journal(), threading.Event()

    def story(turn: Turn) -> AvatarClip:
        if turn.number == 1:
            try:
                clock.time_is_up.set()
                release.wait(60)
                turn.job.remote_id = None
            finally:
                done.set()
        turn.job.order()
        turn.job.remote_id = "job-2"
        release.set()
        done.wait(60)
        assert journal.record is not None and journal.record.remote_id == "job-2"
        return deliver(cost=HALF)(turn)

    clock = LeapingClock(200)
    backend = did(story, clock=clock, ladder=("full", "crop"))
    stage = Stage(
        tmp_path, backend, clock=clock, journal=journal,
        policies={"did": {"attempt_seconds": 100}},
    )  # fmt: skip
    outcome = stage.scene()
    assert [entry.step for entry in outcome.trail] == [0, 1]
    assert outcome.clip.backend == "did"


def test_a_thread_that_was_left_behind_can_order_nothing(tmp_path: Path) -> None:
    release, failures = threading.Event(), list[BaseException]()

    def story(turn: Turn) -> AvatarClip:
        release.wait(60)
        try:
            turn.job.order()
        except BaseException as failure:
            failures.append(failure)
        return deliver()(turn)

    journal = Journal()
    stage = Stage(
        tmp_path, did(story), clock=SystemClock(), journal=journal, deadline={"attempt": 0.05}
    )
    assert stage.scene().clip.backend == "static"
    release.set()
    until(lambda: len(failures) == 1)
    assert isinstance(failures[0], Cancelled)
    assert journal.record is None


def test_a_dead_key_leaves_a_running_job_for_the_day_it_is_replaced(tmp_path: Path) -> None:
    clock, journal, service = VirtualClock(), Journal(), RemoteJobs()

    def story(turn: Turn) -> AvatarClip:
        turn.job.order()
        turn.job.remote_id = service.create(turn.request, "r", clock, 5, HALF)
        return fail(Category.AUTH, "The key was withdrawn.")(turn)

    deaf = AvatarError(Category.AUTH, "The key was withdrawn.")
    first = did(story, clock=clock, service=service, cancel_fails=deaf)
    assert Stage(tmp_path, first, clock=clock, journal=journal).scene().clip.backend == "static"
    clock.advance(10)
    later = Stage(tmp_path, did(service=service, clock=clock), clock=clock, journal=journal)
    outcome = later.scene()
    assert outcome.clip.backend == "did" and outcome.trail[0].resumed
    assert len(service.jobs) == 1
