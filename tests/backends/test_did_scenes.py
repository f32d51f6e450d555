"""One scene by D-ID, with all that can happen to it on its way: paid once, told once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from avatar_core.backend import FREE, Cost
from avatar_core.chain import Outcome
from avatar_core.errors import Category
from avatar_core.testing import VirtualClock
from support_did_scenes import Studio, by_did, did
from support_did_service import NEVER, RESULT, DidService

C = Category
CREDIT = Cost("0.20")  # type: ignore[arg-type]
DAY = 25 * 3600
HOUR = 3600
Break = Callable[[DidService], None]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def service(clock: VirtualClock) -> Iterator[DidService]:
    with DidService(clock, rendering_seconds=6) as running:
        yield running
    assert running.violations == []


@pytest.fixture
def studio(service: DidService, clock: VirtualClock, tmp_path: Path) -> Studio:
    return Studio(service, clock, tmp_path)


def test_a_talk_of_40_s_is_looked_at_less_and_less_often(
    service: DidService, clock: VirtualClock, studio: Studio
) -> None:
    service.rendering_seconds = 40
    began, looked = clock(), []
    service.fail("GET /talks/{id}", times=None, run=lambda: looked.append(clock() - began))
    outcome = studio.scene()
    assert (by_did(outcome), service.ledger.paid) == (True, [1])
    gaps = [later - earlier for earlier, later in itertools.pairwise(looked)]
    assert 40 <= clock() - began <= 50
    assert gaps == sorted(gaps) and gaps[0] >= 1 and gaps[-1] > gaps[0]
    assert (outcome.costs, studio.open_jobs) == ((CREDIT,), {})


def once(route: str, **fault: Any) -> Break:
    return lambda service: service.fail(route, **fault)


@dataclass(frozen=True)
class Case:
    """What goes wrong once, which categories the trail then holds, how often was ordered."""

    happens: Break
    trail: tuple[Category | None, ...] = (None,)
    asked: int = 1


PASSING = {
    "the gateway gives up on an order that is carried out": Case(
        once("POST /talks", status=504, after_making=True)
    ),
    "the service fails after it took the order": Case(
        once("POST /talks", status=500, after_making=True)
    ),
    "the connection breaks after the order arrived": Case(
        once("POST /talks", drop=True, after_making=True)
    ),
    "the answer to the order takes two minutes": Case(
        once("POST /talks", seconds=120, after_making=True)
    ),
    "the answer to the order names no talk": Case(
        once("POST /talks", status=200, body={}, after_making=True)
    ),
    "there are too many orders for now": Case(
        once("POST /talks", status=429, headers={"Retry-After": "3"}), (C.RATE_LIMIT, None), asked=2
    ),
    "a look fails": Case(once("GET /talks/{id}", status=502)),
    "a look is cut off": Case(once("GET /talks/{id}", drop=True)),
    "the link has run out": Case(once(RESULT, seconds=DAY)),
    "the video is cut off": Case(once(RESULT, drop=True), (C.CONNECTIVITY, None)),
    "the video is half there": Case(once(RESULT, clip="truncated"), (C.BAD_OUTPUT, None)),
    "an error page is called a video": Case(once(RESULT, clip="html"), (C.BAD_OUTPUT, None)),
    "the sound is cut off on its way": Case(
        once("POST /audios", drop=True), (C.CONNECTIVITY, None)
    ),
    "the picture is not taken": Case(once("POST /images", status=500), (C.SERVER, None)),
    "the list lags behind": Case(lambda service: lost_and_late(service, 8)),
    "the list lags four minutes behind": Case(lambda service: lost_and_late(service, 240)),
}


def lost_and_late(service: DidService, lag: float, **fault: Any) -> None:
    service.list_delay = lag
    service.fail("POST /talks", after_making=True, **{"status": 504, **fault})


@pytest.mark.parametrize("name", PASSING)
def test_it_is_paid_once_and_shown_though(service: DidService, name: str, studio: Studio) -> None:
    case = PASSING[name]
    case.happens(service)
    # A day must not count as an attempt that took too long.
    patience: dict[str, Any] = {}
    if "run out" in name:
        patience = {
            "deadline": {"scene": 3 * DAY},
            "policies": {"did": {"attempt_seconds": 2 * DAY}},
        }
    outcome = studio.scene(**patience)
    assert (by_did(outcome), service.ledger.paid) == (True, [1]), did(outcome)
    assert tuple(entry.category for entry in did(outcome)) == case.trail, did(outcome)
    assert service.ledger.count("POST /talks") == case.asked
    assert (outcome.costs, studio.open_jobs) == ((CREDIT,), {})


LOST: list[dict[str, Any]] = [{"drop": True}, {"status": 500}, {"status": 504}, {"seconds": 70}]


@pytest.mark.parametrize("fault", LOST, ids=str)
@pytest.mark.parametrize("lag", [400, 900, HOUR - 1])
def test_a_list_that_lags_for_ever_so_long_leads_to_no_second_order(
    service: DidService, fault: dict[str, Any], lag: float, studio: Studio
) -> None:
    lost_and_late(service, lag, **{"status": None, **fault})
    outcomes = [studio.scene()]
    while not by_did(outcomes[-1]) and len(outcomes) < 9:
        assert "may have been paid" in did(outcomes[-1])[-1].message.lower()
        studio.clock.advance(500)
        outcomes.append(studio.scene())
    assert (by_did(outcomes[-1]), service.ledger.count("POST /talks")) == (True, 1)
    assert (service.ledger.paid, spent(*outcomes), studio.open_jobs) == ([1], CREDIT, {})


@pytest.mark.parametrize("fault", LOST[:3], ids=str)
def test_an_order_that_came_to_nothing_is_sent_again_after_an_hour_unasked(
    service: DidService, fault: dict[str, Any], studio: Studio
) -> None:
    service.fail("POST /talks", **fault)
    outcomes = [studio.scene()]
    studio.clock.advance(HOUR - 700)
    outcomes.append(studio.scene())
    assert not any(map(by_did, outcomes))
    assert service.ledger.count("POST /talks") == 1
    assert "from 2026-01-01 01:00 UTC on it is ordered" in did(outcomes[-1])[-1].message
    assert "budget.reorder_lost=true" in (did(outcomes[-1])[-1].advice or "")
    studio.clock.advance(700)
    outcomes.append(studio.scene())
    assert by_did(outcomes[-1])
    assert (service.ledger.paid, spent(*outcomes), studio.open_jobs) == ([1], CREDIT, {})


def test_an_order_that_is_not_seen_is_sent_again_at_the_users_word(
    service: DidService, studio: Studio
) -> None:
    service.fail("POST /talks", drop=True)
    assert not by_did(studio.scene())
    again = studio.scene(budget={"reorder_lost": True})
    assert (by_did(again), service.ledger.paid) == (True, [1])
    assert "it was sent again" in again.clip.warnings[0]


def test_a_service_that_loses_every_order_is_waited_for_once_and_not_by_every_scene(
    service: DidService, clock: VirtualClock, studio: Studio
) -> None:
    service.fail("POST /talks", status=500, times=None)
    backend, times = studio.backend(), []
    for seconds in (0.5, 0.6, 0.7):
        began = clock()
        studio.scene(seconds=seconds, backend=backend, retry={"attempts": 1})
        times.append(clock() - began)
    assert 250 <= times[0] <= 301 and max(times[1:]) < 30
    assert service.ledger.count("GET /talks") < 30


def test_a_list_that_fails_for_a_while_is_asked_again(service: DidService, studio: Studio) -> None:
    lost_and_late(service, 60)
    service.fail("GET /talks", status=502, times=2)
    service.fail("GET /talks", drop=True, after=3)
    assert (by_did(studio.scene()), service.ledger.count("POST /talks")) == (True, 1)


def test_who_waits_for_a_lost_order_is_told_so(service: DidService, studio: Studio) -> None:
    lost_and_late(service, 100)
    said: list[str] = []
    assert by_did(studio.scene(on_progress=lambda fraction, message: said.append(message)))
    assert said.count("no answer to the order: looking for it") > 4


def test_an_order_that_cannot_be_looked_for_is_told_and_not_sent_again(
    service: DidService, studio: Studio
) -> None:
    service.lifelike = False
    service.fail("POST /talks", status=504, after_making=True)
    for _ in range(2):
        outcome = studio.scene()
        assert not by_did(outcome)
        assert "may have been paid" in did(outcome)[-1].message
        assert service.ledger.paid == [1]
    # The service has learnt to tell: the talk is found, and fetched.
    service.lifelike = True
    assert (by_did(studio.scene()), service.ledger.paid, studio.open_jobs) == (True, [1], {})


def test_a_list_without_names_is_no_reason_to_pay_twice(
    service: DidService, studio: Studio
) -> None:
    service.list_names = False
    service.fail("POST /talks", status=504, after_making=True)
    assert (by_did(studio.scene()), service.ledger.paid) == (True, [1])


def test_a_talk_is_found_behind_hundreds_of_others(service: DidService, studio: Studio) -> None:
    service.fail("POST /talks", status=504, after_making=True)
    service.fail("GET /talks", status=500)
    studio.scene(options={"poll_seconds": 0.1}, retry={"attempts": 1})
    crowd(service, 250)
    assert (by_did(studio.scene()), service.ledger.count("POST /talks")) == (True, 1)


def crowd(service: DidService, count: int) -> None:
    """Other talks of the same account, ordered later."""
    own = service.ledger.talks[0]
    for number in range(count):
        body = {**own.body, "name": f"other-{number}", "user_data": f"other-{number}"}
        service.ledger.pay(replace(own, id=f"tlk_{number}", body=body, narration=f"{number}"), 0)


ENDED = {
    "no face": (("error", "FaceError", "face not detected"), C.INVALID_INPUT),
    "moderation": (("rejected", "ImageModerationError", "not allowed"), C.INVALID_INPUT),
    "a fault of the service": (("error", "UnknownError", "Internal Server Error"), C.SERVER),
    "a kind that nobody knows": (("error", "TeapotError", "short and stout"), C.SERVER),
}


@pytest.mark.parametrize("name", ENDED)
def test_a_talk_that_comes_to_nothing_is_paid_and_not_ordered_again(
    service: DidService, name: str, studio: Studio
) -> None:
    (end, kind, description), category = ENDED[name]
    service.end_talks(end, kind, description, times=None)  # type: ignore[arg-type]
    outcome = studio.scene()
    assert (by_did(outcome), service.ledger.paid) == (False, [1])
    assert [entry.category for entry in did(outcome)] == [category]
    assert kind in did(outcome)[0].message
    assert outcome.costs == (CREDIT,)
    assert "paid for all the same" in did(outcome)[0].message
    assert bool(studio.open_jobs) == (category is C.INVALID_INPUT)


@pytest.mark.parametrize("end", ["error", "rejected"])
def test_what_is_wrong_with_a_scene_is_paid_once_in_any_number_of_renders(
    end: Literal["error", "rejected"], service: DidService, studio: Studio
) -> None:
    service.end_talks(end, "SourceError", "not like this")
    outcomes = [studio.scene() for _ in range(4)]
    assert (service.ledger.count("POST /talks"), service.ledger.paid) == (1, [1])
    assert spent(*outcomes) == CREDIT and not any(map(by_did, outcomes))
    assert all("not like this" in did(outcome)[-1].message for outcome in outcomes)
    assert "budget.reorder_bad" in (did(outcomes[-1])[-1].advice or "")
    # Another scene, or the user's word, is another order.
    assert by_did(studio.scene(seconds=0.7))
    assert by_did(studio.scene(budget={"reorder_bad": True}))
    assert (service.ledger.count("POST /talks"), studio.open_jobs) == (3, {})


REFUSED = {
    "the face": ("POST /images", {"status": 451, "kind": "ImageModerationError"}, C.INVALID_INPUT),
    "the voice": ("POST /audios", {"status": 451, "kind": "AudioModerationError"}, C.INVALID_INPUT),
    "a famous face": (
        "POST /talks", {"status": 451, "kind": "CelebrityRecognizedError"}, C.INVALID_INPUT,
    ),
    "the plan": ("POST /talks", {"status": 403, "kind": "PermissionError"}, C.UNSUPPORTED),
    "the key": ("POST /images", {"status": 401}, C.AUTH),
    "the account": ("POST /talks", {"status": 402}, C.QUOTA),
    "the size": ("POST /talks", {"status": 400, "kind": "InvalidFileSizeError"}, C.INVALID_INPUT),
    "the weight": ("POST /images", {"status": 413}, C.INVALID_INPUT),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_once_paid_by_nobody_and_named(
    service: DidService, name: str, studio: Studio
) -> None:
    route, fault, category = REFUSED[name]
    service.fail(route, times=None, **fault)
    outcome = studio.scene()
    assert (by_did(outcome), service.ledger.talks, outcome.costs) == (False, [], ())
    assert (service.ledger.count(route), studio.open_jobs) == (1, {})
    entry = did(outcome)[0]
    assert entry.category is category
    assert fault.get("kind", "") in entry.message and entry.advice


@pytest.mark.parametrize("kind", ["black", "short"])
def test_a_video_that_shows_too_little_is_paid_and_only_fetched_again(
    kind: Literal["black", "short"], service: DidService, studio: Studio
) -> None:
    service.clip = kind
    first = studio.scene()
    assert (by_did(first), service.ledger.paid, service.ledger.count(RESULT)) == (False, [1], 2)
    service.clip = "moving"
    again = studio.scene()
    assert (by_did(again), service.ledger.paid) == (True, [1])
    assert spent(first, again) == CREDIT


def test_a_talk_that_is_never_done_is_given_up_and_fetched_the_next_time(
    service: DidService, studio: Studio
) -> None:
    service.rendering_seconds = NEVER
    first = studio.scene(retry={"attempts": 1})
    assert (by_did(first), service.ledger.paid) == (False, [1])
    assert did(first)[0].category is C.TIMEOUT
    # It could not be stopped (409), which is no fault to tell of.
    assert service.ledger.count("DELETE /talks/{id}") == 1
    assert "could not be stopped" not in did(first)[0].message
    service.rendering_seconds = 0
    again = studio.scene()
    assert (by_did(again), service.ledger.paid, did(again)[0].resumed) == (True, [1], True)
    assert spent(first, again) == CREDIT


def test_a_budget_is_asked_before_an_order(service: DidService, studio: Studio) -> None:
    long = studio.scene(seconds=15.2, budget={"max_cost": "0.30"})
    assert (by_did(long), service.ledger.requests) == (False, [])
    assert "budget" in did(long)[0].message
    assert by_did(studio.scene(budget={"max_cost": "0.30"}))


def test_what_pads_the_sound_is_paid_and_cut_off_again(service: DidService, studio: Studio) -> None:
    outcome = studio.scene(options={"pad_audio": 15.0})
    assert (by_did(outcome), service.ledger.spent) == (True, 2)
    assert outcome.costs == (CREDIT + CREDIT,)
    assert outcome.clip.duration == pytest.approx(0.5, abs=0.1)


def spent(*outcomes: Outcome) -> Cost:
    """What the user was told to have paid."""
    return sum((cost for outcome in outcomes for cost in outcome.costs), FREE)
