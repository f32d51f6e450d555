"""The jobs on disk: what a restart takes up, what is kept and for how long, whatever happens."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from avatar_core.errors import Category, InputError
from avatar_core.testing import VirtualClock
from backends.colab.server.limits import Limits
from backends.colab.server.records import JobRecord, Trouble, Video, key_hash
from backends.colab.server.refusals import Refusal
from backends.colab.server.shelf import Shelf
from backends.colab.server.table import JobTable, Order

LIMITS = Limits(waiting=3, keep_seconds=100.0, forget_seconds=200.0, keep_jobs=5)
TROUBLE = Trouble(
    code="no_face", category=Category.INVALID_INPUT, message="No.", advice="Do.", retryable=False
)
VIDEO = Video(bytes=5, sha256="0" * 64, duration=1.0, width=64, height=64, fps=10)


class SetClock(VirtualClock):
    """One whose time of day somebody sets: ``off`` is by how many seconds."""

    off = 0.0

    def wall(self) -> float:
        return super().wall() + self.off


class Desk:
    """A table with its shelf and clock; `restart` is what a server that died leaves to the next."""

    def __init__(self, folder: Path, limits: Limits = LIMITS) -> None:
        self.folder = folder
        self.limits = limits
        self.clock = SetClock()
        self.shelf = Shelf(folder)
        self.table = JobTable(self.shelf, limits, self.clock)
        self.running: JobRecord | None = None

    def restart(self) -> None:
        self.shelf.close()
        self.shelf = Shelf(self.folder)
        self.table = JobTable(self.shelf, self.limits, self.clock)
        self.running = None

    def submit(self, key: str | None = None, content: str = "a") -> tuple[JobRecord, bool]:
        with self.shelf.incoming() as folder:
            for name in ("image.png", "audio.wav"):
                (folder / name).write_bytes(b"x")
            hashed = key_hash(key) if key else None
            order = Order(folder, "image.png", "audio.wav", 1.0, "paint", {}, content, hashed)
            return self.table.submit(order)

    def take(self) -> JobRecord:
        taken = self.table.take()
        assert taken is not None
        self.running = taken[0]
        return taken[0]

    def finish(self, job: str) -> None:
        made = self.shelf.work(job) / "out.mp4"
        made.write_bytes(b"video")
        self.table.finish(job, made, VIDEO, ())
        self.release(job)

    def release(self, job: str) -> None:
        self.table.release(job)
        self.running = None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.shelf.close()


def files_of(desk: Desk, job: str) -> set[str]:
    return {path.name for path in (desk.folder / "jobs" / job).iterdir()}


def test_a_restart_takes_up_finished_failed_and_waiting_jobs_in_their_order(desk: Desk) -> None:
    ids = [desk.submit(f"key {n}")[0].id for n in range(3)]
    desk.finish(desk.take().id)
    desk.table.fail(desk.take().id, TROUBLE)
    desk.release(ids[1])
    ids += [desk.submit(f"key {n}")[0].id for n in (3, 4)]
    desk.restart()
    states = [desk.table.get(job).state for job in ids]
    assert states == ["done", "failed", "queued", "queued", "queued"]
    assert desk.shelf.video(ids[0]).read_bytes() == b"video"
    assert [desk.table.view(job)["position"] for job in ids] == [None, None, 1, 2, 3]
    assert [desk.take().id for _ in range(3)] == ids[2:]
    assert desk.table.get(ids[1]).error == TROUBLE
    assert desk.submit("key 0")[0].id == ids[0]


def test_a_job_that_ran_when_the_server_died_is_begun_again_first(desk: Desk) -> None:
    first, second = desk.submit()[0].id, desk.submit()[0].id
    desk.take()
    desk.table.news(first, "render", 70, "almost")
    desk.restart()
    again = desk.table.get(first)
    assert (again.state, again.percent, again.stage) == ("queued", 0.0, None)
    assert [desk.take().id, desk.take().id] == [first, second]


def test_a_job_that_kills_the_server_twice_is_not_begun_a_third_time(desk: Desk) -> None:
    job = desk.submit("fatal")[0].id
    for _ in range(2):
        assert desk.take().id == job
        desk.restart()
    record = desk.table.get(job)
    assert record.state == "failed"
    assert record.error is not None
    assert (record.error.code, record.error.retryable) == ("server_died", True)
    assert files_of(desk, job) == {"job.json"}
    assert desk.submit("fatal")[1]


def test_a_server_that_is_stopped_puts_its_job_back_without_counting_it(desk: Desk) -> None:
    job = desk.submit()[0].id
    for _ in range(4):
        _, cancel = desk.table.take() or pytest.fail("there is a job")
        desk.table.close()
        assert cancel.is_set()
        desk.release(job)
        desk.restart()
    assert desk.table.get(job).state == "queued"
    assert desk.table.get(job).runs == 0


def test_a_table_that_closes_takes_nothing_and_wakes_whoever_waits(desk: Desk) -> None:
    job = desk.submit()[0].id
    done = threading.Event()

    def wait() -> None:
        desk.table.wait(job, 600)
        done.set()

    threading.Thread(target=wait, daemon=True).start()
    desk.table.close()
    assert done.wait(60)
    assert desk.table.take() is None
    with pytest.raises(Refusal) as caught:
        desk.submit()
    assert caught.value.code == "stopping"


def test_a_video_s_time_is_over_before_its_job_is_forgotten(desk: Desk) -> None:
    job = desk.submit("timed")[0].id
    desk.finish(desk.take().id)
    desk.clock.advance(99)
    desk.table.sweep()
    assert desk.shelf.video(job).exists()
    desk.clock.advance(2)
    desk.table.sweep()
    assert not desk.shelf.video(job).exists()
    assert desk.table.get(job).video is None
    assert desk.submit("timed")[1]
    desk.clock.advance(100)
    desk.table.sweep()
    with pytest.raises(Refusal) as caught:
        desk.table.get(job)
    assert caught.value.code == "no_such_job"
    assert not (desk.folder / "jobs" / job).exists()


def test_ended_jobs_are_kept_up_to_a_number(desk: Desk) -> None:
    ids = []
    for _ in range(8):
        ids.append(desk.submit()[0].id)
        desk.clock.advance(1)
        desk.finish(desk.take().id)
    desk.table.sweep()
    kept = {path.name for path in (desk.folder / "jobs").iterdir()}
    assert kept == set(ids[3:])


def test_waiting_jobs_are_never_swept_however_old(desk: Desk) -> None:
    job = desk.submit()[0].id
    desk.clock.advance(1_000_000)
    desk.table.sweep()
    assert desk.table.get(job).state == "queued"


def test_uploads_that_were_not_taken_are_gone_after_a_restart(desk: Desk) -> None:
    left = desk.folder / "incoming" / "half"
    left.mkdir()
    (left / "image.upload").write_bytes(b"x")
    desk.restart()
    assert list((desk.folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"id": "x"}', "\xff", "{}" * 9])
def test_a_record_that_cannot_be_read_harms_no_other(desk: Desk, damage: str) -> None:
    job = desk.submit("whole")[0].id
    broken = desk.folder / "jobs" / ("0" * 32)
    broken.mkdir()
    (broken / "job.json").write_bytes(damage.encode("latin-1"))
    (desk.folder / "jobs" / "stray").touch()
    desk.restart()
    assert desk.table.get(job).state == "queued"
    assert desk.table.counts() == (0, 1)


def test_a_record_of_a_newer_server_is_read_as_far_as_it_is_understood(desk: Desk) -> None:
    job = desk.submit()[0].id
    file = desk.folder / "jobs" / job / "job.json"
    file.write_text(file.read_text().replace("{", '{"from_the_future": 1, ', 1))
    desk.restart()
    assert desk.table.get(job).state == "queued"


def test_two_servers_do_not_share_a_folder(desk: Desk) -> None:
    with pytest.raises(InputError, match="Another server uses"):
        Shelf(desk.folder)


@pytest.mark.parametrize("job", ["..", "../x", "", "A" * 32, "0" * 31, "0" * 32 + "\n", "0" * 33])
def test_only_an_id_becomes_a_path(desk: Desk, job: str) -> None:
    with pytest.raises(ValueError, match="no job's id"):
        desk.shelf.video(job)


def test_progress_never_falls_and_counts_only_while_the_job_runs(desk: Desk) -> None:
    job = desk.submit()[0].id
    desk.table.news(job, "load", 50, "too early")
    assert desk.table.get(job).percent == 0
    desk.take()
    for percent in (10, 40, 20, 400):
        desk.table.news(job, "render", percent, "on")
    assert desk.table.get(job).percent == 100
    desk.table.cancel(job)
    desk.table.news(job, "mux", 1, "too late")
    assert desk.table.get(job).stage == "render"


def test_a_cancelled_job_stays_cancelled_though_its_video_comes(desk: Desk) -> None:
    job = desk.submit()[0].id
    desk.take()
    desk.table.cancel(job)
    desk.finish(job)
    assert desk.table.get(job).state == "cancelled"
    assert files_of(desk, job) == {"job.json"}


def jam(desk: Desk, job: str) -> Path:
    """Let no record of ``job`` be written: a folder stands where its parts go."""
    part = desk.folder / "jobs" / job / "job.part"
    part.mkdir()
    return part


def test_a_job_that_cannot_be_written_down_waits_until_it_can(desk: Desk) -> None:
    job = desk.submit()[0].id
    part = jam(desk, job)
    with pytest.raises(OSError, match="job"):
        desk.table.take()
    assert desk.table.get(job).state == "queued"
    part.rmdir()
    assert desk.take().id == job


def test_a_failure_that_cannot_be_written_down_is_told_all_the_same(desk: Desk) -> None:
    job = desk.submit()[0].id
    desk.take()
    jam(desk, job)
    desk.table.fail(job, TROUBLE)
    assert desk.table.get(job).error == TROUBLE
    assert desk.table.wait(job, 60).state == "failed"


def test_a_video_is_deleted_though_nothing_can_be_written(desk: Desk) -> None:
    """On a full disk, deleting is what makes room: by a client, or because its time is over."""
    asked, old, other = (desk.submit(content=name)[0].id for name in "abc")
    for job in (asked, old, other):
        desk.take()
        desk.finish(job)
    jam(desk, asked)
    jam(desk, old)
    assert desk.table.cancel(asked).video is None
    desk.clock.advance(LIMITS.keep_seconds)
    desk.table.sweep()
    for job in (asked, old, other):
        assert desk.table.get(job).video is None
        assert not desk.shelf.video(job).exists()


def test_a_waiting_job_is_cancelled_though_nothing_can_be_written(desk: Desk) -> None:
    job = desk.submit()[0].id
    jam(desk, job)
    assert desk.table.cancel(job).state == "cancelled"
    assert desk.table.counts() == (0, 0)
    assert files_of(desk, job) == {"job.json", "job.part"}


def test_a_job_whose_folder_somebody_removed_keeps_no_other_waiting(desk: Desk) -> None:
    lost, next_one = desk.submit("lost")[0].id, desk.submit("next")[0].id
    shutil.rmtree(desk.folder / "jobs" / lost)
    assert desk.take().id == next_one
    told = desk.table.get(lost)
    assert told.state == "failed"
    assert told.error is not None
    assert (told.error.code, told.error.retryable) == ("job_lost", True)
    assert desk.submit("lost")[1] is True


@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_a_job_whose_folder_somebody_removed_can_be_cancelled(desk: Desk, state: str) -> None:
    job = desk.submit()[0].id
    if state != "queued":
        desk.take()
    if state == "done":
        desk.finish(job)
    shutil.rmtree(desk.folder / "jobs" / job)
    for _ in range(2):
        told = desk.table.cancel(job)
        assert told.ended
        assert told.video is None
    if state == "running":
        desk.release(job)
    assert desk.table.counts() == (0, 0)


def test_a_server_with_a_full_disk_starts_all_the_same(desk: Desk) -> None:
    ran = desk.submit()[0].id
    desk.take()
    jam(desk, ran)
    desk.restart()
    assert desk.table.get(ran).state == "queued"


@pytest.mark.parametrize("jump", [-90_000.0, 90_000.0])
def test_a_clock_that_is_set_meanwhile_deletes_no_video_and_keeps_none_for_ever(
    desk: Desk, jump: float
) -> None:
    job = desk.submit()[0].id
    desk.take()
    desk.finish(job)
    desk.clock.off = jump
    desk.table.sweep()
    assert desk.shelf.video(job).exists()
    desk.clock.advance(LIMITS.keep_seconds)
    desk.table.sweep()
    assert not desk.shelf.video(job).exists()
    desk.clock.advance(LIMITS.forget_seconds - LIMITS.keep_seconds)
    desk.table.sweep()
    with pytest.raises(Refusal):
        desk.table.get(job)


@pytest.mark.parametrize("jump", [-90_000.0, 90_000.0])
def test_a_clock_that_is_set_meanwhile_spoils_no_estimate(desk: Desk, jump: float) -> None:
    job = desk.submit()[0].id
    desk.take()
    desk.clock.off = jump
    desk.finish(job)
    assert desk.table.view(job)["seconds"] >= 0
    assert 5 <= desk.table.pause() <= 600
    for number in range(20):
        again = desk.submit(content=str(number))[0].id
        desk.take()
        desk.clock.advance(30)
        desk.finish(again)
    assert desk.table.pause() == pytest.approx(30, abs=5)


class Life(RuleBasedStateMachine):
    """Orders, results, cancellations, restarts and time in any order, beside a plain model."""

    keys = st.sampled_from(["a", "b", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(Path(mkdtemp()), replace(LIMITS, keep_jobs=1000))
        self.done: set[str] = set()
        self.waiting: list[str] = []
        self.by_key: dict[str, str] = {}

    @rule(key=keys)
    def order(self, key: str) -> None:
        known = self.by_key.get(key)
        live = known is not None and (known in self.done or known in self._unfinished())
        try:
            record, new = self.desk.submit(key)
        except Refusal as refusal:
            assert refusal.code == "queue_full"
            assert len(self.waiting) >= LIMITS.waiting
            assert not live
            return
        assert new is not live
        if live:
            assert record.id == known
        else:
            self.by_key[key] = record.id
            self.waiting.append(record.id)

    @precondition(lambda self: self.waiting and self.desk.running is None)
    @rule()
    def begin(self) -> None:
        assert self.desk.take().id == self.waiting.pop(0)

    @precondition(lambda self: self.desk.running is not None)
    @rule(well=st.booleans())
    def end(self, well: bool) -> None:
        assert self.desk.running is not None
        job = self.desk.running.id
        if well:
            self.desk.finish(job)
            self.done.add(job)
        else:
            self.desk.table.fail(job, TROUBLE)
            self.desk.release(job)

    @rule(key=keys)
    def cancel(self, key: str) -> None:
        job = self.by_key.get(key)
        if job is None:
            return
        self.desk.table.cancel(job)
        self.done.discard(job)
        if job in self.waiting:
            self.waiting.remove(job)
        if self.desk.running is not None and self.desk.running.id == job:
            self.desk.release(job)

    @rule()
    def die(self) -> None:
        running = self.desk.running
        if running is not None and running.runs < LIMITS.runs:
            self.waiting.insert(0, running.id)
        self.desk.restart()

    @rule()
    def sweep(self) -> None:
        self.desk.table.sweep()

    @invariant()
    def no_finished_video_is_lost(self) -> None:
        for job in self.done:
            assert self.desk.table.get(job).state == "done"
            assert self.desk.shelf.video(job).read_bytes() == b"video"

    @invariant()
    def who_waits_stands_in_order(self) -> None:
        positions = [self.desk.table.view(job)["position"] for job in self.waiting]
        assert positions == list(range(1, len(self.waiting) + 1))
        assert self.desk.table.counts() == (int(self.desk.running is not None), len(self.waiting))

    def teardown(self) -> None:
        self.desk.shelf.close()
        shutil.rmtree(self.desk.folder)

    def _unfinished(self) -> list[str]:
        running = [self.desk.running.id] if self.desk.running is not None else []
        return [*self.waiting, *running]


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
