"""Every fault of the wire, through a whole render: a film in any case, and nothing paid twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import FREE, Cost
from avatar_core.errors import Category
from avatar_core.trail import TrailEntry
from renderer.result import RenderResult
from renderer.script.models import Scene, VideoScript
from support_films import film_of_tones
from support_paid_backend import PRICE
from support_paid_films import by_paid, frames_of, half_written, journal, render_paid
from support_paid_service import Fault, PaidService, running_service

C = Category
# Nobody waits two minutes for a server that says nothing, and none is given up before it does so.
IMPATIENT = {"hasty": True, "second_try": False}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@dataclass(frozen=True)
class Case:
    """``paid``: how many of the film's scenes are paid although it fell back; ``calls``: how many
    calls of a rung the trail holds; ``seconds`` is how long the narration lasts."""

    fault: Fault
    category: Category
    paid: int
    calls: int = 2
    seconds: float = 0.5
    settings: dict[str, Any] = field(default_factory=dict)


LASTING = {
    "the upload is cut": Case(Fault("upload", "cut_upload"), C.CONNECTIVITY, 0),
    "the order is cut before it counts": Case(Fault("create", "cut"), C.CONNECTIVITY, 0),
    "the server fails before it takes the order": Case(
        Fault("create", "status", status=500), C.SERVER, 0
    ),
    "the server says nothing to the order": Case(
        Fault("create", "silent"), C.TIMEOUT, 0, calls=1, settings=IMPATIENT
    ),
    "the order is paid and never answered": Case(
        Fault("create", "silent", "after"), C.TIMEOUT, 1, calls=1, settings=IMPATIENT
    ),
    "the job is never done": Case(
        Fault("look", "silent"), C.TIMEOUT, 1, calls=1, settings=IMPATIENT
    ),
    "a look at the job fails": Case(Fault("look", "status", status=502), C.SERVER, 1),
    "the download is cut": Case(Fault("fetch", "cut_download"), C.CONNECTIVITY, 1),
    "the download drips": Case(Fault("fetch", "drip"), C.TIMEOUT, 1, calls=1, settings=IMPATIENT),
    "half a video comes with its own length": Case(
        Fault("fetch", "half_with_length"), C.BAD_OUTPUT, 1
    ),
    "half a video comes in chunks": Case(Fault("fetch", "half_chunked"), C.BAD_OUTPUT, 1),
    "the index comes without all of the picture": Case(
        Fault("fetch", "truncated"), C.BAD_OUTPUT, 1, seconds=1.0
    ),
    "an error page is called a video": Case(Fault("fetch", "html"), C.BAD_OUTPUT, 1),
    "the clip is black": Case(Fault("fetch", "black"), C.BAD_OUTPUT, 1),
    "the clip is 3 s too short": Case(Fault("fetch", "short"), C.BAD_OUTPUT, 1, seconds=4.6),
    "the service wants a pause of 10 minutes": Case(
        Fault("create", "status", status=429, headers={"Retry-After": "600"}),
        C.RATE_LIMIT,
        0,
        calls=1,
    ),
    "the health check is not answered": Case(
        Fault("health", "silent"), C.TIMEOUT, 0, calls=0, settings={"deadline.check": 0.3}
    ),
    "the account is empty": Case(Fault("create", "status", status=402), C.QUOTA, 0, calls=1),
    "the key is wrong": Case(Fault("create", "status", status=401), C.AUTH, 0, calls=1),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_film_is_made_though(service: PaidService, name: str, tmp_path: Path) -> None:
    case = LASTING[name]
    account = service.account("lasting", case.fault)
    film = film_of_tones(tmp_path, 1, seconds=case.seconds)
    result = render_paid(account, film, tmp_path, **case.settings)
    assert (by_paid(result), result.degraded) == ([False], True)
    assert frames_of(result.path) > 0
    called = [entry.category for entry in trail(result) if entry.attempt]
    assert called[: case.calls] == [case.category] * case.calls, trail(result)
    assert all(entry.advice for entry in trail(result) if entry.category)
    assert len(account.payments) == case.paid
    assert half_written(tmp_path) == []
    # The fault is gone: what was paid is fetched, what was not is ordered, once.
    account.has()
    again = render_paid(account, film, tmp_path)
    assert by_paid(again) == [True], trail(again)
    assert trail(again)[0].resumed is bool(case.paid)
    assert account.paid == [1]
    assert told([result, again]) == PRICE
    assert max(account.stops) <= 1
    assert frames_of(again.path) == frames_of(result.path)
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


PASSING = {
    "the upload is cut": Case(Fault("upload", "cut_upload"), C.CONNECTIVITY, 1),
    "the order is cut before it counts": Case(Fault("create", "cut"), C.CONNECTIVITY, 1),
    "the order is cut after it counts": Case(Fault("create", "cut", "after"), C.CONNECTIVITY, 1),
    "the server fails before it takes the order": Case(
        Fault("create", "status", status=500), C.SERVER, 1
    ),
    "the server fails after it took the order": Case(
        Fault("create", "status", "after", status=500), C.SERVER, 1
    ),
    "a gateway is overloaded before the service hears of the order": Case(
        Fault("create", "status", status=503), C.SERVER, 1
    ),
    "a gateway is overloaded after the service took the order": Case(
        Fault("create", "status", "after", status=503), C.SERVER, 1
    ),
    "a gateway has nobody behind it": Case(
        Fault("create", "status", status=503, body="no healthy upstream"), C.CONNECTIVITY, 1
    ),
    "the answer to the order is no JSON": Case(
        Fault("create", "status", "after", status=200, body="<html>"), C.SERVER, 1
    ),
    "the service wants a short pause": Case(
        Fault("create", "status", status=429, headers={"Retry-After": "0"}), C.RATE_LIMIT, 1
    ),
    "a look at the job is cut": Case(Fault("look", "cut"), C.CONNECTIVITY, 1),
    "the download is cut": Case(Fault("fetch", "cut_download"), C.CONNECTIVITY, 1),
    "half a video comes with its own length": Case(
        Fault("fetch", "half_with_length"), C.BAD_OUTPUT, 1
    ),
    "an error page is called a video": Case(Fault("fetch", "html"), C.BAD_OUTPUT, 1),
}


@pytest.mark.parametrize("name", PASSING)
def test_one_retry_heals(service: PaidService, name: str, tmp_path: Path) -> None:
    case = PASSING[name]
    account = service.account("passing", replace(case.fault, times=1))
    result = render_paid(account, film_of_tones(tmp_path, 1), tmp_path)
    assert [entry.category for entry in trail(result)] == [case.category, None], trail(result)
    assert (by_paid(result), result.degraded, account.paid) == ([True], False, [1])
    assert told([result]) == PRICE
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


@pytest.mark.parametrize(
    ("status", "headers"), [(401, {}), (402, {}), (429, {"Retry-After": "600"})]
)
def test_what_no_second_order_can_change_is_found_out_once_for_the_film(
    service: PaidService, status: int, headers: dict[str, str], tmp_path: Path
) -> None:
    account = service.account("once", Fault("create", "status", status=status, headers=headers))
    result = render_paid(account, film_of_tones(tmp_path, 3), tmp_path)
    assert by_paid(result) == [False] * 3
    assert account.requests["create"] == 1
    assert account.payments == []


def test_what_was_paid_for_nothing_is_told_once(service: PaidService, tmp_path: Path) -> None:
    account = service.account("told", Fault("fetch", "cut_download"))
    film = film_of_tones(tmp_path, 3)
    soon = {"breaker.cool_down": 0.05}
    renders = [render_paid(account, film, tmp_path, **soon) for _ in range(2)]
    account.has()
    renders += [render_paid(account, film, tmp_path, **soon) for _ in range(2)]
    assert [by_paid(result) for result in renders[1:]] == [[False] * 3, [True] * 3, [True] * 3]
    assert account.paid == [1] * 3
    assert told(renders) == Cost(PRICE.amount * 3)


def test_an_order_that_cannot_be_looked_for_is_not_sent_twice_unasked(
    service: PaidService, tmp_path: Path
) -> None:
    lost = Fault("create", "cut", "after", times=1)
    account = service.account("lost", lost, searchable=False)
    film = film_of_tones(tmp_path, 1)
    for _ in range(2):
        result = render_paid(account, film, tmp_path)
        assert by_paid(result) == [False]
        assert "may have been paid" in trail(result)[-1].message
        assert account.paid == [1]
    result = render_paid(account, film, tmp_path, **{"budget.reorder_lost": True})
    assert (by_paid(result), account.paid) == ([True], [2])
    assert "it was sent again" in " ".join(result.scenes[0].warnings)
    assert journal(tmp_path / "cache") == []


def test_a_clip_that_stays_black_is_let_be_and_another_bought_only_at_the_users_word(
    service: PaidService, tmp_path: Path
) -> None:
    account = service.account("spoilt", Fault("fetch", "black"))
    film = film_of_tones(tmp_path, 1)
    second = [render_paid(account, film, tmp_path) for _ in range(2)][-1]
    assert "--set budget.reorder_bad=true" in str(trail(second)[-1].advice)
    fetched = account.requests["fetch"]
    third = render_paid(account, film, tmp_path)
    assert "what was paid for it is no good" in trail(third)[0].message
    assert (account.requests["fetch"], account.paid) == (fetched, [1])
    account.has()
    fourth = render_paid(account, film, tmp_path, **{"budget.reorder_bad": True})
    assert (by_paid(fourth), account.paid) == ([True], [2])
    assert told([second, third, fourth]) == PRICE
    assert journal(tmp_path / "cache") == []


def test_a_job_that_cannot_be_stopped_hides_nothing(service: PaidService, tmp_path: Path) -> None:
    faults = Fault("look", "silent"), Fault("cancel", "status", status=500)
    account = service.account("unstoppable", *faults)
    result = render_paid(account, film_of_tones(tmp_path, 1), tmp_path, **IMPATIENT)
    entry = trail(result)[0]
    assert entry.category is C.TIMEOUT
    assert "could not be stopped" in entry.message
    assert account.requests["cancel"] == 1


def test_a_service_that_has_gone_is_asked_no_more_than_the_breaker_allows(tmp_path: Path) -> None:
    with running_service(tmp_path) as short_lived:
        account = short_lived.account("gone")
    result = render_paid(account, film_of_tones(tmp_path, 3), tmp_path)
    assert by_paid(result) == [False] * 3
    entries = [entry for scene in result.scenes for entry in scene.trail]
    refused = [entry for entry in entries if entry.category is C.CONNECTIVITY]
    assert refused
    assert not [entry for entry in entries if entry.backend == "paid" and entry.attempt]
    assert half_written(tmp_path) == []


def trail(result: RenderResult) -> list[TrailEntry]:
    """What became of the paid backend in the first scene."""
    return [entry for entry in result.scenes[0].trail if entry.backend == "paid"]


def told(results: Sequence[RenderResult]) -> Cost:
    """What the user was told to have paid."""
    costs = [cost for result in results for scene in result.scenes for cost in scene.costs]
    return sum(costs, FREE)


def test_a_paid_job_that_still_waits_to_be_fetched_counts_for_the_budget_from_the_start(
    service: PaidService, tmp_path: Path
) -> None:
    account = service.account("waiting", Fault("fetch", "cut_download"))
    film = film_of_tones(tmp_path, 2)
    whole = {"budget.max_cost": str(PRICE.amount)}
    second_alone = replace_scenes(film, film.scenes[1:])
    assert by_paid(render_paid(account, second_alone, tmp_path, **whole)) == [False]
    assert len(account.payments) == 1
    account.has()
    # The second scene's money is spent: the first one must not take it.
    result = render_paid(account, film, tmp_path, workers=1, **whole)
    assert by_paid(result) == [False, True]
    assert "budget" in result.scenes[0].trail[0].message
    assert len(account.payments) == 1


def replace_scenes(film: VideoScript, scenes: Sequence[Scene]) -> VideoScript:
    return film.model_copy(update={"scenes": tuple(scenes)})
