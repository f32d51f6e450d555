"""Whole films by D-ID: each scene is paid once, whatever happens between the order and the clip."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import Cost
from avatar_core.errors import Category
from avatar_core.testing import VirtualClock
from avatar_core.trail import TrailEntry
from renderer.renderer import SmartVideoRenderer
from renderer.result import RenderResult
from renderer.script.models import Avatar
from support_did_films import by_did, film, render_did
from support_did_service import RESULT, DidService
from support_films import draw_portrait
from support_paid_films import frames_of, half_written, journal

C = Category
CREDIT = Cost("0.20")  # type: ignore[arg-type]
DAYS = 25 * 3600


@pytest.fixture
def clock() -> VirtualClock:
    """The service's: a day passes there when a test says so."""
    return VirtualClock()


@pytest.fixture
def service(clock: VirtualClock) -> Iterator[DidService]:
    with DidService(clock, rendering_seconds=0) as running:
        yield running
    assert running.violations == []


def test_a_talk_of_40_s_is_looked_at_until_it_is_done(
    service: DidService, clock: VirtualClock, tmp_path: Path
) -> None:
    service.rendering_seconds = 40
    service.fail("GET /talks/{id}", times=None, run=lambda: clock.advance(9.9))
    said: list[str] = []

    def listen(event: Any) -> None:
        said.append(getattr(event, "message", ""))

    result = render_did(service, film(tmp_path, 1), tmp_path, on_event=listen)
    assert (by_did(result), service.ledger.paid) == ([True], [1])
    assert service.ledger.count("GET /talks/{id}") == 5
    assert {"being made", "fetching the clip"} <= set(said)
    assert (result.cost, result.degraded) == (CREDIT, False)
    assert frames_of(result.path) > 0
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


def test_one_portrait_is_sent_once_for_ten_scenes(service: DidService, tmp_path: Path) -> None:
    result = render_did(service, film(tmp_path, 10, seconds=0.3), tmp_path, workers=4)
    assert by_did(result) == [True] * 10
    assert service.ledger.count("POST /images") == 1
    assert service.ledger.paid == [1] * 10
    assert len({talk.body["source_url"] for talk in service.ledger.talks}) == 1


def test_an_upload_that_has_run_out_between_two_scenes_is_sent_again(
    service: DidService, clock: VirtualClock, tmp_path: Path
) -> None:
    # The client's clock stands, so it cannot know.
    service.fail("POST /talks", after=1, run=lambda: clock.advance(DAYS))
    result = render_did(service, film(tmp_path, 2), tmp_path, workers=1)
    assert (by_did(result), service.ledger.paid) == ([True] * 2, [1] * 2)
    assert service.ledger.count("POST /images") == 2


def test_credits_that_run_out_at_the_third_scene_stop_all_asking(
    service: DidService, tmp_path: Path
) -> None:
    service.ledger.credits = 2
    result = render_did(service, film(tmp_path, 5), tmp_path, workers=1)
    assert by_did(result) == [True, True, False, False, False]
    assert service.ledger.requests[-1].route == "POST /talks"
    assert [service.ledger.count(f"POST /{what}") for what in ("talks", "audios")] == [3, 3]
    assert trail(result, 2)[-1].category is C.QUOTA
    assert "credit" in trail(result, 2)[-1].advice.lower()  # type: ignore[union-attr]
    assert [entry.attempt for scene in (3, 4) for entry in trail(result, scene)] == [0, 0]
    assert (result.degraded, result.cost) == (True, Cost("0.40"))  # type: ignore[arg-type]
    # What is missing is made once somebody has paid in; nothing else is.
    service.ledger.credits = 40
    again = render_did(service, film(tmp_path, 5), tmp_path)
    assert (by_did(again), service.ledger.paid) == ([True] * 5, [1] * 5)
    assert again.cost == Cost("0.60")  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", [{"status": 504}, {"drop": True}], ids=str)
def test_an_order_without_an_answer_is_looked_for_and_not_sent_again(
    service: DidService, fault: dict[str, Any], tmp_path: Path
) -> None:
    # What becomes of an order that cannot be seen is tested in virtual time, scene by scene.
    service.fail("POST /talks", after_making=True, **fault)
    result = render_did(service, film(tmp_path, 1), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True], [1]), trail(result)
    assert [entry.category for entry in trail(result)] == [None]
    assert (service.ledger.count("POST /talks"), result.cost) == (1, CREDIT)
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


def test_a_link_that_has_run_out_before_the_download_is_asked_for_anew(
    service: DidService, clock: VirtualClock, tmp_path: Path
) -> None:
    service.fail(RESULT, run=lambda: clock.advance(DAYS))
    result = render_did(service, film(tmp_path, 1), tmp_path)
    assert (by_did(result), service.ledger.paid) == ([True], [1])
    assert service.ledger.count(RESULT) == 2
    assert [entry.category for entry in trail(result)] == [None]


def test_uploads_are_deleted_at_the_end_where_that_is_wished(
    service: DidService, tmp_path: Path
) -> None:
    render_did(service, film(tmp_path, 2), tmp_path, **{"backends.did.delete_uploads": True})
    assert [upload.deleted for upload in service.ledger.uploads] == [True] * 3
    assert service.ledger.count("DELETE /talks/{id}") == 0


def test_the_backend_is_chosen_in_code_by_file_or_by_environment(
    service: DidService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = f'[backends.did]\napi_key = "{service.key}"\napi_url = "{service.url}"\n'
    ways = {"code": account, "file": 'backend = "did"\n' + account, "environment": ""}
    made: set[str] = set()
    for way, told in ways.items():
        story = film(tmp_path / way, 1)
        (tmp_path / way / "avatar.toml").write_text(
            'cache_dir = "cache"\nreport = false\n' + told, encoding="utf-8"
        )
        with monkeypatch.context() as user:
            user.chdir(tmp_path / way)
            if way == "environment":
                user.setenv("AVATAR_BACKEND", "did")
                user.setenv("DID_API_KEY", service.key)
                user.setenv("DID_API_URL", service.url)
            backend = "did" if way == "code" else None
            result = SmartVideoRenderer(avatar_backend=backend).render(story, "out.mp4")
            made.add(hashlib.sha256(result.path.read_bytes()).hexdigest())
        assert by_did(result) == [True]
    assert (len(made), service.ledger.paid) == (1, [3])


def test_a_file_that_changes_between_two_renders_changes_the_backend_and_nothing_else(
    service: DidService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    story = film(tmp_path, 2)
    # Its second scene shows nobody, so nothing about it changes.
    plain = story.scenes[1].model_copy(update={"avatar": Avatar(layout="none")})
    story = story.model_copy(update={"scenes": (story.scenes[0], plain)})
    seen, asked = [], []
    for name in ("did", "static", "did"):
        (tmp_path / "avatar.toml").write_text(
            f'backend = "{name}"\ncache_dir = "cache"\nreport = false\n'
            f'[backends.did]\napi_key = "{service.key}"\napi_url = "{service.url}"\n'
            "poll_seconds = 0.01\n",
            encoding="utf-8",
        )
        result = SmartVideoRenderer().render(story, tmp_path / "film.mp4")
        seen.append([(scene.backend, scene.cached) for scene in result.scenes])
        assert not result.degraded
        asked.append(len(service.ledger.requests))
    assert seen == [
        [("did", False), (None, False)],
        [("static", False), (None, True)],
        [("did", True), (None, True)],
    ]
    assert (service.ledger.paid, len(set(asked))) == ([1], 1)


def test_another_portrait_is_another_talk_and_another_text_under_the_sound_is_not(
    service: DidService, tmp_path: Path
) -> None:
    story = film(tmp_path, 1)
    render_did(service, story, tmp_path)
    words = story.scenes[0].model_copy(update={"text": "Other words under the same sound."})
    same = render_did(service, story.model_copy(update={"scenes": (words,)}), tmp_path)
    assert (by_did(same), len(service.ledger.talks)) == ([True], 1)
    draw_portrait(tmp_path / "lan.png", "#aa5533")
    render_did(service, story, tmp_path)
    assert (len(service.ledger.talks), service.ledger.count("POST /images")) == (2, 2)


def trail(result: RenderResult, scene: int = 0) -> list[TrailEntry]:
    """What became of D-ID in a scene."""
    return [entry for entry in result.scenes[scene].trail if entry.backend == "did"]
