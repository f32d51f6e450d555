"""Short scenes that share one job: formed where it pays, cut to the frame, paid once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.backend import AvatarClip, AvatarRequest, Cost, Job, Size
from avatar_core.chain import Rung
from avatar_core.errors import AvatarError, Category
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.speech import TimedPhoneme
from avatar_core.testing import media
from renderer import SmartVideoRenderer
from renderer.planning.plan import Plan
from renderer.result import RenderResult
from renderer.shared_jobs.forming import Part, SharedJob, shared_jobs
from support_blocks import PRICE, BlockBackend, blocks, paid
from support_films import MovingBackend, MovingOptions, decoded, fails, film_of_tones, moving_clip


class NoClips:
    def __init__(self, *kept: str) -> None:
        self._kept = kept

    def find(self, key: str) -> Any:
        return key in self._kept or None

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        return clip


BACKEND = BlockBackend()


def part(number: int, seconds: float, **changes: Any) -> Part:
    request = AvatarRequest(
        Path("lan.png"), Path(f"{number}.wav"), seconds, Size(64, 64), 25,
        phonemes=(TimedPhoneme("a", 0.0, seconds),), options=MovingOptions(), key=f"key{number}",
    )  # fmt: skip
    return Part(f"s{number}", replace(request, **changes), Rung.of(BACKEND))


def formed(*parts: Part, **known: Any) -> list[SharedJob]:
    return shared_jobs(parts, known.get("clips", NoClips()), known.get("journal", MemoryJournal()))


def billed(parts: Sequence[Part], jobs: Sequence[SharedJob]) -> int:
    shared = {scene for job in jobs for scene in job.scenes}
    alone = sum(blocks(p.request.duration) for p in parts if p.scene not in shared)
    return alone + sum(blocks(job.request.duration) for job in jobs)


# Forming


@given(st.lists(st.floats(0.2, 12.0), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_sharing_is_never_dearer_and_no_two_parts_meet(lengths: list[float]) -> None:
    parts = [part(number, seconds) for number, seconds in enumerate(lengths)]
    jobs = formed(*parts)
    assert billed(parts, jobs) <= billed(parts, [])
    assert all(blocks(job.request.duration) < billed(job.parts, []) for job in jobs)
    scenes = [scene for job in jobs for scene in job.scenes]
    assert len(scenes) == len(set(scenes))
    for job in jobs:
        assert job.parts[0].start == 0 and job.request.duration == job.parts[-1].end <= 60
        for one, other in zip(job.parts, job.parts[1:], strict=False):
            assert 0.4 - 1e-9 <= other.start - one.end < 0.6 + 1e-9
        for fps in (5, 10, 15, 20, 25, 30, 50, 60):
            assert all(abs(p.start * fps - round(p.start * fps)) < 1e-6 for p in job.parts)


@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=8), st.decimals(0, 100, places=3))
@settings(max_examples=100, deadline=None)
def test_the_shares_of_a_price_add_up_to_it(lengths: list[float], amount: Decimal) -> None:
    parts = tuple(part(number, seconds) for number, seconds in enumerate(lengths))
    shares = SharedJob(parts, parts[0].request).shares(Cost(amount, "EUR"))
    assert sum(share.amount for share in shares) == amount
    assert all(share.amount >= 0 and share.currency == "EUR" for share in shares)


def test_short_scenes_of_one_presenter_share_a_job() -> None:
    (job,) = formed(part(1, 1.0), part(2, 1.0), part(3, 1.0))
    assert job.scenes == ("s1", "s2", "s3")
    assert [p.start for p in job.parts] == [0.0, 1.4, 2.8]
    assert job.request.duration == 3.8
    assert [p.start for p in job.request.phonemes] == [0.0, 1.4, 2.8]


UNLIKE: dict[str, Part] = {
    "portrait": part(2, 1.0, portrait=Path("minh.png")),
    "size": part(2, 1.0, size=Size(32, 32)),
    "fps": part(2, 1.0, fps=30),
    "speaker": part(2, 1.0, speaker="minh"),
    "language": part(2, 1.0, language="vi-VN"),
    "options": replace(part(2, 1.0), rung=Rung.of(BACKEND, MovingOptions(hue=3))),
    "backend": replace(part(2, 1.0), rung=replace(Rung.of(BACKEND), name="other")),
    "one that fills its blocks": part(2, 4.0),
    "a backend that shares nothing": replace(part(2, 1.0), rung=Rung.of(MovingBackend())),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_what_does_not_go_together_is_made_alone(what: str) -> None:
    assert formed(part(1, 1.0), UNLIKE[what]) == []


def test_a_job_stays_within_what_the_backend_takes() -> None:
    jobs = formed(*(part(number, 1.0) for number in range(99)))
    assert len(jobs) > 1 and max(job.request.duration for job in jobs) <= 60


def test_a_scene_that_is_made_or_ordered_already_is_not_made_again_with_others() -> None:
    parts = [part(number, 0.8) for number in range(4)]
    keys = [p.key or "" for p in parts]
    journal = MemoryJournal()
    journal.write(JobRecord(keys[1], "blocks", "ref", "ordered", 0.0))
    (job,) = formed(*parts, clips=NoClips(keys[0]), journal=journal)
    assert job.scenes == ("s2", "s3")


def test_a_backend_that_cannot_say_shares_nothing() -> None:
    class Broken(BlockBackend):
        def cheaper_together(self, requests: Any, joined: Any) -> bool:
            raise RuntimeError("no idea")

    rung = Rung.of(Broken())
    assert formed(*(replace(part(n, 1.0), rung=rung) for n in range(3))) == []


# Making


def render(folder: Path, backend: MovingBackend, count: int, **more: Any) -> RenderResult:
    renderer = SmartVideoRenderer(
        backend, overrides={"cache_dir": str(folder / "cache"), "retry": {"attempts": 1}, **more}
    )
    return renderer.render(film_of_tones(folder, count), folder / "film.mp4")


def test_scenes_that_share_a_job_are_paid_once_and_made_once(tmp_path: Path) -> None:
    backend = BlockBackend()
    result = render(tmp_path, backend, 3)
    assert len(backend.calls) == 1 and paid(result) == PRICE
    assert [scene.backend for scene in result.scenes] == ["blocks"] * 3
    assert all("one job with" in scene.trail[0].message for scene in result.scenes)
    assert all(scene.trail[-1].cached for scene in result.scenes)
    again = render(tmp_path, backend, 3)
    assert len(backend.calls) == 1 and paid(again) == 0


def test_a_scene_that_is_added_later_is_made_alone(tmp_path: Path) -> None:
    backend = BlockBackend()
    render(tmp_path, backend, 2)
    result = render(tmp_path, backend, 3)
    assert len(backend.calls) == 2 and paid(result) == PRICE
    assert backend.calls[1].duration < 1


def test_every_scene_gets_its_own_frames_of_the_joined_clip(tmp_path: Path) -> None:
    from avatar_core.cancel import CancelToken
    from renderer.shared_jobs.media import cut_part

    (job,) = formed(part(1, 0.7), part(2, 0.5), part(3, 0.33))
    whole = moving_clip(job.request, Job(tmp_path))
    frames = decoded(whole.path)
    for number, one in enumerate(job.parts):
        cut = cut_part(whole, one, tmp_path / f"{number}.mp4", CancelToken())
        first, count = round(one.start * 25), math.ceil(one.request.duration * 25)
        found = decoded(cut.path)
        assert len(found) == count and cut.duration == count / 25
        for place, frame in enumerate(found):
            apart = [
                float(np.abs(frame.astype(int) - other).mean())
                for other in frames[first + place : first + place + 2]
            ]
            assert apart[0] < 4 and apart[0] <= min(apart)


@pytest.mark.parametrize("category", [Category.SERVER, Category.INVALID_INPUT])
def test_when_the_job_fails_the_scenes_are_made_alone(tmp_path: Path, category: Category) -> None:
    backend = BlockBackend(plan=[fails(category)])
    result = render(tmp_path, backend, 2)
    assert [scene.degraded for scene in result.scenes] == [False, False]
    assert len(backend.calls) == 3
    assert all(scene.trail[0].category is category for scene in result.scenes)


def test_a_closed_rung_is_told_once_for_every_scene(tmp_path: Path) -> None:
    backend = BlockBackend(plan=[fails(Category.AUTH, "the key is wrong")])
    result = render(tmp_path, backend, 2)
    assert len(backend.calls) == 1 and result.degraded
    for scene in result.scenes:
        assert [entry.category for entry in scene.trail[:1]] == [Category.AUTH]
        assert scene.backend == "static"


def test_the_budget_is_asked_for_the_job_and_not_for_each_scene(tmp_path: Path) -> None:
    backend = BlockBackend()
    result = render(tmp_path, backend, 3, budget={"max_cost": "0.10"})
    assert not result.degraded and paid(result) == PRICE


def test_scenes_side_by_side_wait_for_the_one_that_makes_their_job(tmp_path: Path) -> None:
    backend = BlockBackend()
    renderer = SmartVideoRenderer(
        backend, overrides={"cache_dir": str(tmp_path / "cache"), "workers": 4}
    )
    result = renderer.render(film_of_tones(tmp_path, 4), tmp_path / "film.mp4")
    assert len(backend.calls) == 1 and paid(result) == PRICE and not result.degraded


# Planning


def test_the_plan_says_which_scenes_share_a_job_and_what_each_one_pays(tmp_path: Path) -> None:
    backend = BlockBackend()
    renderer = SmartVideoRenderer(backend, overrides={"cache_dir": str(tmp_path / "cache")})
    film = film_of_tones(tmp_path, 3)
    plan = renderer.plan(film)
    assert sum(cost.amount for cost in plan.costs) == PRICE
    assert [scene.rungs[0].reason for scene in plan.scenes] == [
        'one job with "s2", "s3"',
        'one job with "s1", "s3"',
        'one job with "s1", "s2"',
    ]
    result = renderer.render(film, tmp_path / "film.mp4")
    assert paid(result) == PRICE and [scene.rungs[0].state for scene in plan.scenes] == ["make"] * 3
    again = renderer.plan(film)
    assert [scene.rungs[0].state for scene in again.scenes] == ["made"] * 3 and not again.costs


class RemoteBlocks(BlockBackend):
    """Orders its jobs elsewhere. ``line`` is what happens to whoever fetches a clip."""

    def __init__(self, line: str = "good") -> None:
        super().__init__()
        self.line = line
        self.orders = 0

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        if job.remote_id is None:
            job.order()
            self.orders += 1
            job.remote_id = f"job-{self.orders}"
        if self.line == "cut":
            raise AvatarError(Category.CONNECTIVITY, "The line was cut.")
        clip = super().generate(request, job)
        if self.line == "black":
            media.clip(clip.path, request.duration, request.size, request.fps, "black")
        return clip


def planned(folder: Path, backend: MovingBackend, count: int, **more: Any) -> Plan:
    overrides = {"cache_dir": str(folder / "cache"), "retry": {"attempts": 1}, **more}
    return SmartVideoRenderer(backend, overrides=overrides).plan(film_of_tones(folder, count))


def test_the_plan_says_that_a_job_that_scenes_share_is_fetched_and_not_paid_again(
    tmp_path: Path,
) -> None:
    backend = RemoteBlocks("cut")
    render(tmp_path, backend, 2, second_try=False)
    plan = planned(tmp_path, backend, 2, budget={"max_cost": "0.10"})
    assert [scene.rungs[0].state for scene in plan.scenes] == ["fetch", "fetch"]
    assert (plan.costs, plan.fetched) == ((), (Cost(PRICE),))
    backend.line = "good"
    result = render(tmp_path, backend, 2, budget={"max_cost": "0.10"})
    assert (result.degraded, backend.orders) == (False, 1)


def test_a_shared_clip_that_is_no_good_is_let_be_for_all_its_scenes_until_the_user_says_so(
    tmp_path: Path,
) -> None:
    backend = RemoteBlocks("black")
    for _ in range(3):
        result = render(tmp_path, backend, 2)
        assert result.degraded
    assert (backend.orders, len(backend.calls)) == (1, 2)
    for scene in result.scenes:
        assert "what was paid for it is no good" in scene.trail[0].message
    plan = planned(tmp_path, backend, 2)
    assert [scene.rungs[0].state for scene in plan.scenes] == ["skip", "skip"]
    assert "what was paid for it is no good" in plan.scenes[0].rungs[0].reason
    backend.line = "good"
    willing = {"budget": {"reorder_bad": True}}
    plan = planned(tmp_path, backend, 2, **willing)
    assert [scene.rungs[0].state for scene in plan.scenes] == ["make", "make"]
    assert sum(cost.amount for cost in plan.costs) == PRICE
    result = render(tmp_path, backend, 2, **willing)
    assert (result.degraded, backend.orders, paid(result)) == (False, 2, PRICE)


def test_a_plan_within_the_budget_thanks_to_sharing_keeps_every_scene(tmp_path: Path) -> None:
    overrides = {"cache_dir": str(tmp_path / "cache"), "budget": {"max_cost": "0.10"}}
    plan = SmartVideoRenderer(BlockBackend(), overrides=overrides).plan(film_of_tones(tmp_path, 3))
    assert not plan.degraded
