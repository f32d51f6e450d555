"""Short scenes that share one D-ID talk: fewer credits, and still nothing is paid twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import Cost
from avatar_core.errors import Category
from avatar_core.testing import VirtualClock
from renderer.result import RenderResult
from renderer.script.models import VideoScript
from support_did_behaviour import NEVER
from support_did_films import be_a_user, by_did, film, render_did, rendering
from support_did_service import DidService
from support_films import write_tone
from support_paid_films import frames_of, half_written, journal
from support_processes import Process

CREDIT = Cost("0.20")  # type: ignore[arg-type]
SHARED: dict[str, Any] = {"backends.did.batch_short_scenes": True}


@pytest.fixture
def service() -> Iterator[DidService]:
    with DidService(VirtualClock(), rendering_seconds=0) as running:
        yield running
    assert running.violations == []


def shared(service: DidService, what: VideoScript, folder: Path, **more: Any) -> RenderResult:
    return render_did(service, what, folder, **SHARED, **more)


def untidy(folder: Path) -> tuple[list[str], list[Path]]:
    return half_written(folder), journal(folder / "cache")


def test_ten_short_scenes_cost_one_credit_and_are_not_ordered_again(
    service: DidService, tmp_path: Path
) -> None:
    ten = film(tmp_path, 10, seconds=0.5)
    result = shared(service, ten, tmp_path, workers=4)
    assert (by_did(result), service.ledger.paid) == ([True] * 10, [1])
    assert (result.cost, result.degraded) == (CREDIT, False)
    assert frames_of(result.path) > 0
    again = shared(service, ten, tmp_path)
    assert (by_did(again), service.ledger.paid, again.cost.amount) == ([True] * 10, [1], 0)
    assert untidy(tmp_path) == ([], [])


def test_without_the_option_each_scene_is_a_talk(service: DidService, tmp_path: Path) -> None:
    result = render_did(service, film(tmp_path, 3), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True] * 3, [1] * 3)


def test_a_scene_that_is_changed_later_is_ordered_alone(
    service: DidService, tmp_path: Path
) -> None:
    three = film(tmp_path, 3)
    shared(service, three, tmp_path)
    assert three.scenes[1].audio is not None
    write_tone(Path(three.scenes[1].audio), 0.7, pitch=500)
    result = shared(service, three, tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True] * 3, [1, 1])
    assert result.cost == CREDIT


@pytest.mark.parametrize(
    "fault", [{"status": 504, "after_making": True}, {"drop": True, "after_making": True}]
)
def test_an_order_without_an_answer_is_looked_for(
    service: DidService, fault: dict[str, Any], tmp_path: Path
) -> None:
    service.fail("POST /talks", **fault)
    result = shared(service, film(tmp_path, 3), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True] * 3, [1])
    assert untidy(tmp_path) == ([], [])


def test_scenes_whose_talk_may_come_yet_are_not_ordered_one_by_one(
    service: DidService, tmp_path: Path
) -> None:
    service.fail("GET /talks/{id}", times=None, status=500)
    three = film(tmp_path, 3)
    result = shared(service, three, tmp_path, second_try=False)
    assert (by_did(result), service.ledger.paid) == ([False] * 3, [1])
    assert all("may come yet" in str(scene.trail) for scene in result.scenes)
    service.heal()
    again = shared(service, three, tmp_path)
    assert (by_did(again), service.ledger.paid) == ([True] * 3, [1])
    assert untidy(tmp_path) == ([], [])


def test_a_talk_that_is_refused_for_one_scene_does_not_take_the_others_along(
    service: DidService, tmp_path: Path
) -> None:
    service.fail("POST /talks", status=451, kind="AudioModerationError", description="no")
    result = shared(service, film(tmp_path, 2), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True] * 2, [1] * 2)
    assert all(scene.trail[0].category is Category.INVALID_INPUT for scene in result.scenes)


def test_a_talk_that_was_paid_in_vain_is_not_paid_again_scene_by_scene_in_one_render(
    service: DidService, tmp_path: Path
) -> None:
    service.end_talks("error", "UnknownError", "Internal Server Error")
    result = shared(service, film(tmp_path, 2), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([False] * 2, [1])
    assert all("and did not come" in scene.trail[-2].message for scene in result.scenes)
    again = shared(service, film(tmp_path, 2), tmp_path)
    assert (by_did(again), service.ledger.count("POST /talks")) == ([True] * 2, 2)
    assert untidy(tmp_path) == ([], [])


def test_what_one_scene_is_to_blame_for_is_found_out_scene_by_scene(
    service: DidService, tmp_path: Path
) -> None:
    service.end_talks("rejected", "AudioModerationError", "no")
    result = shared(service, film(tmp_path, 2), tmp_path)
    assert (by_did(result), service.ledger.count("POST /talks")) == ([True] * 2, 3)
    assert untidy(tmp_path) == ([], [])


def test_without_credits_nobody_asks_again_for_each_scene(
    service: DidService, tmp_path: Path
) -> None:
    service.ledger.credits = 0
    result = shared(service, film(tmp_path, 4), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([False] * 4, [])
    assert service.ledger.count("POST /talks") <= 1


def test_two_processes_with_one_film_pay_its_talk_once(tmp_path: Path) -> None:
    with DidService() as service:
        env, script = be_a_user(service, tmp_path, 3)
        env["AVATAR_BACKENDS__DID__BATCH_SHORT_SCENES"] = "true"
        with rendering(env, script) as one, rendering(env, script, target="too.mp4") as other:
            told = [process.communicate(timeout=300) for process in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0], told
        assert (service.ledger.paid, service.violations) == ([1], [])
    films = [(tmp_path / "out" / name).read_bytes() for name in ("film.mp4", "too.mp4")]
    assert films[0] == films[1]
    assert untidy(tmp_path) == ([], [])


def test_killed_after_the_order_the_next_run_fetches_the_shared_talk(tmp_path: Path) -> None:
    with DidService(rendering_seconds=NEVER) as service:
        env, script = be_a_user(service, tmp_path, 3)
        env["AVATAR_BACKENDS__DID__BATCH_SHORT_SCENES"] = "true"
        victims: list[Process] = []
        service.fail("GET /talks/{id}", after=1, run=lambda: victims[0].kill())
        with rendering(env, script) as process:
            victims.append(process)
            process.communicate(timeout=300)
        assert process.returncode != 0 and service.ledger.paid == [1]
        service.heal()
        service.rendering_seconds = 0
        result = shared(service, film(tmp_path, 3), tmp_path)
        assert (by_did(result), service.ledger.paid) == ([True] * 3, [1])
    assert untidy(tmp_path) == ([], [])


# What the store keeps, a video and then a note each: the talk, and the first of its scenes.
KEPT = r"^os\.rename .*avatar.*"


@pytest.mark.parametrize(("files", "is_changed"), [(1, True), (3, False), (5, False), (5, True)])
def test_killed_while_the_talk_is_cut_nothing_of_it_is_ordered_again(
    files: int, is_changed: bool, tmp_path: Path
) -> None:
    with DidService(rendering_seconds=0) as service:
        env, script = be_a_user(service, tmp_path, 3)
        env["AVATAR_BACKENDS__DID__BATCH_SHORT_SCENES"] = "true"
        with rendering(env, script, "--kill", *[KEPT] * files) as process:
            process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL and service.ledger.paid == [1]
        three = film(tmp_path, 3)
        if is_changed:
            assert three.scenes[2].audio is not None
            write_tone(Path(three.scenes[2].audio), 0.7, pitch=500)
        result = shared(service, three, tmp_path)
        assert by_did(result) == [True] * 3
        assert service.ledger.paid == ([1, 1] if is_changed else [1])
    assert untidy(tmp_path) == ([], [])
