"""A shared job that was ordered, and then the film was changed: what fits is not paid again."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarClip, AvatarRequest, Job
from avatar_core.errors import AvatarError, Category
from renderer import SmartVideoRenderer
from renderer.planning.plan import Plan
from renderer.result import RenderResult
from renderer.script.models import VideoScript
from support_blocks import PRICE, BlockBackend, paid
from support_films import film_of_tones, write_tone
from support_paid_films import journal


class Remote(BlockBackend):
    """Its jobs are made elsewhere; while the ``line`` is cut nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.line_is_cut = True
        self.orders: list[float] = []

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        if job.remote_id is None:
            job.order()
            self.orders.append(request.duration)
            job.remote_id = f"job-{len(self.orders)}"
        if self.line_is_cut:
            raise AvatarError(Category.CONNECTIVITY, "The line was cut.")
        return super().generate(request, job)


def renderer(folder: Path, backend: Remote, **more: Any) -> SmartVideoRenderer:
    quick = {"retry": {"attempts": 1}, "second_try": False, "report": False}
    return SmartVideoRenderer(
        backend, overrides={"cache_dir": str(folder / "cache"), **quick, **more}
    )


def render(folder: Path, backend: Remote, film: VideoScript, **more: Any) -> RenderResult:
    return renderer(folder, backend, **more).render(film, folder / "film.mp4")


def plan(folder: Path, backend: Remote, film: VideoScript) -> Plan:
    return renderer(folder, backend).plan(film)


def ordered(folder: Path, backend: Remote, count: int = 3) -> tuple[VideoScript, RenderResult]:
    """A film whose scenes were ordered together and have not come."""
    film = film_of_tones(folder, count)
    first = render(folder, backend, film)
    assert first.degraded and len(backend.orders) == 1
    backend.line_is_cut = False
    return film, first


def change(film: VideoScript, scene: int, pitch: int = 500) -> None:
    audio = film.scenes[scene].audio
    assert audio is not None
    write_tone(Path(audio), 0.7, pitch=pitch + scene)


def test_what_still_fits_is_fetched_and_only_what_was_changed_is_ordered_again(
    tmp_path: Path,
) -> None:
    backend = Remote()
    film, first = ordered(tmp_path, backend)
    change(film, 1)
    states = [scene.rungs[0].state for scene in plan(tmp_path, backend, film).scenes]
    assert states == ["fetch", "make", "fetch"]
    result = render(tmp_path, backend, film)
    assert not result.degraded and len(backend.orders) == 2 and backend.orders[1] < 1
    assert paid(first) + paid(result) == 2 * PRICE
    (told,) = [e.message for e in result.scenes[1].trail if "no longer fits" in e.message]
    assert 'one job with "s1", "s3"' in told and "USD were paid for it" in told
    assert journal(tmp_path / "cache") == []
    # What was ordered for it first is kept too: taking the change back costs nothing.
    film = film_of_tones(tmp_path, 3)
    again = render(tmp_path, backend, film)
    assert (again.degraded, len(backend.orders), paid(again)) == (False, 2, 0)


def test_that_nothing_of_an_order_fits_any_more_is_told_with_its_price(tmp_path: Path) -> None:
    backend = Remote()
    film, _ = ordered(tmp_path, backend, 2)
    other = film.model_copy(update={"title": "Another film"})
    change(film, 0)
    change(film, 1)
    said = "as one job, at 0.10 USD, fits none of them any more"
    assert said not in str(render(tmp_path, backend, other).scenes)
    change(film, 0, pitch=600)
    change(film, 1, pitch=700)
    result = render(tmp_path, backend, film)
    assert all(said in str(scene.trail) for scene in result.scenes) and not result.degraded
    assert said not in str(render(tmp_path, backend, film).scenes)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2)], ids=str)
def test_scenes_that_are_added_moved_or_taken_away_leave_the_order_as_it_was(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    backend = Remote()
    film, _ = ordered(tmp_path, backend)
    longer = film_of_tones(tmp_path, 4)
    scenes = (longer.scenes[3], *(film.scenes[number] for number in order))
    result = render(tmp_path, backend, film.model_copy(update={"scenes": scenes}))
    assert not result.degraded and len(backend.orders) == 2 and backend.orders[1] < 1
    assert journal(tmp_path / "cache") == []


def test_a_scene_that_is_named_otherwise_is_the_same_scene(tmp_path: Path) -> None:
    backend = Remote()
    film, _ = ordered(tmp_path, backend)
    names = ("s2", "s1", "s9")
    scenes = tuple(
        scene.model_copy(update={"id": name})
        for scene, name in zip(film.scenes, names, strict=True)
    )
    result = render(tmp_path, backend, film.model_copy(update={"scenes": scenes}))
    assert (result.degraded, len(backend.orders)) == (False, 1)


def test_while_what_was_ordered_may_come_its_scenes_are_not_ordered_again(tmp_path: Path) -> None:
    backend = Remote()
    film, first = ordered(tmp_path, backend)
    backend.line_is_cut = True
    change(film, 2)
    second = render(tmp_path, backend, film)
    assert second.degraded and len(backend.orders) == 2 and backend.orders[1] < 1
    assert "may come yet" in str(second.scenes[0].trail)
    backend.line_is_cut = False
    third = render(tmp_path, backend, film)
    assert (third.degraded, len(backend.orders)) == (False, 2)
    assert sum(map(paid, (first, second, third)), Decimal(0)) == 2 * PRICE


def test_another_film_with_one_of_the_scenes_uses_what_is_paid(tmp_path: Path) -> None:
    backend = Remote()
    film, _ = ordered(tmp_path, backend)
    other = film.model_copy(update={"scenes": film.scenes[1:2]})
    assert not render(tmp_path, backend, other).degraded
    result = render(tmp_path, backend, film)
    assert (result.degraded, len(backend.orders), paid(result)) == (False, 1, 0)


@pytest.mark.parametrize("text", ["", '{"key": 1, "rung": 2, "parts": [3]}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    backend = Remote()
    film, _ = ordered(tmp_path, backend)
    (note,) = (tmp_path / "cache").glob("v*/journal/shared/*/*.json")
    assert json.loads(note.read_text())["rung"] == "blocks"
    note.write_text(text)
    result = render(tmp_path, backend, film)
    assert (result.degraded, len(backend.orders)) == (False, 1)
