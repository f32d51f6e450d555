"""A D-ID job from the upload to the clip: resumed, looked at, fetched, given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarRequest, Size
from avatar_core.cancel import CancelToken
from avatar_core.clip_check import validate_clip
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.testing import Answer, ScriptedServer, VirtualClock, media
from backends.did.backend import DidBackend
from support_did_jobs import Stage, options
from support_did_service import NEVER, RESULT, DidService

HOUR = 3600.0
NOT_FOUND = Answer(404, {"kind": "NotFoundError", "description": "not found"})


@pytest.fixture()
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture()
def service(clock: VirtualClock) -> Iterator[DidService]:
    with DidService(clock, rendering_seconds=0) as running:
        yield running
    assert running.violations == []


@pytest.fixture()
def stage(service: DidService, clock: VirtualClock, tmp_path: Path) -> Stage:
    return Stage(_backend(service), tmp_path, clock)


def _backend(service: DidService, **more: Any) -> DidBackend:
    return DidBackend(options(service.url, service.key, **{"poll_seconds": 2.0, **more}))


def _scenes(stage: Stage, count: int) -> list[AvatarRequest]:
    """Requests with one portrait and as many narrations."""
    first = stage.request()
    folder = stage.folder / "narrations"
    folder.mkdir()
    sounds = [media.speech(folder / f"{n}.wav", 1 + n / 10) for n in range(count)]
    return [replace(first, audio=s, duration=1 + n / 10) for n, s in enumerate(sounds)]


def _routes(service: DidService) -> list[str]:
    return [asked.route for asked in service.ledger.requests]


def test_the_order_is_noted_before_it_goes_out_and_named_before_it_is_waited_for(
    service: DidService, stage: Stage
) -> None:
    service.rendering_seconds = 40
    request = stage.request()
    clip = stage.backend.generate(request, stage.job("av-1234-5678"))
    (talk,) = service.ledger.talks
    assert (talk.name, talk.user_data) == ("av-1234-5678", "av-1234-5678")
    ordered, named = stage.told.index("ordered"), stage.told.index(talk.id)
    assert stage.told[ordered - 1 : named + 1] == ["ordering the talk", "ordered", talk.id]
    assert "waiting in line" in stage.told[named:] and "being made" in stage.told[named:]
    assert 40 <= stage.clock() <= 50
    validate_clip(clip, request)


def test_uploads_are_passed_on_byte_for_byte(service: DidService, stage: Stage) -> None:
    stage.backend.generate(stage.request(), stage.job())
    (talk,), (image, audio) = service.ledger.talks, service.ledger.uploads
    assert talk.body["source_url"] == image.url and "|" in image.url
    assert talk.body["script"] == {"type": "audio", "audio_url": audio.url}


def test_only_the_service_itself_is_shown_the_key_and_nothing_is_asked_for_that_is_not_ready(
    service: DidService, stage: Stage
) -> None:
    service.rendering_seconds = 10
    stage.backend.generate(stage.request(), stage.job())
    shown = {asked.route: asked.authorization for asked in service.ledger.requests}
    assert shown.pop(RESULT) == "none"
    assert set(shown.values()) == {"encoded"}
    assert service.ledger.count(RESULT) == 1


@pytest.mark.parametrize("created", [200, 201])
def test_both_ways_to_say_that_a_talk_was_made_are_understood(created: int, tmp_path: Path) -> None:
    video = media.clip(tmp_path / "talk.mp4").read_bytes()
    with ScriptedServer() as server:
        server.on("POST", "/images", Answer(created, {"url": "s3://b/a|1/i/face.jpg"}))
        server.on("POST", "/audios", Answer(created, {"url": "s3://b/a|1/A/voice.wav"}))
        server.on("POST", "/talks", Answer(created, {"id": "tlk/1"}))
        # Nothing but what is sure.
        done = {"id": "tlk/1", "status": "done", "result_url": f"{server.url}/v.mp4?Signature=a"}
        server.on("GET", "/talks/tlk%2F1", Answer(200, {"id": "tlk/1", "status": "created"}),
                  Answer(200, done))  # fmt: skip
        server.on("GET", "/v.mp4", Answer(200, video, {"Content-Type": "video/mp4"}))
        stage = Stage(DidBackend(options(server.url)), tmp_path)
        request = stage.request()
        validate_clip(stage.backend.generate(request, stage.job()), request)
        last = server.requests[-1]
    assert "authorization" not in last.headers and last.query == {"Signature": "a"}


def test_a_portrait_is_sent_once_however_many_threads_want_it_at_once(
    service: DidService, stage: Stage
) -> None:
    requests, together = _scenes(stage, 6), threading.Barrier(6)
    jobs = [stage.job(f"av-0-{number}") for number in range(6)]

    def make(number: int) -> None:
        together.wait(60)
        stage.backend.generate(requests[number], jobs[number])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))
    assert service.ledger.count("POST /images") == 1
    assert service.ledger.count("POST /audios") == 6
    assert service.ledger.paid == [1] * 6


@pytest.mark.parametrize(("hours", "images"), [(21.0, 1), (22.5, 2), (25.0, 2)])
def test_a_portrait_is_sent_again_before_it_can_have_run_out(
    hours: float, images: int, service: DidService, stage: Stage
) -> None:
    first, second = _scenes(stage, 2)
    stage.backend.generate(first, stage.job("av-0-1"))
    stage.clock.advance(hours * HOUR)
    stage.backend.generate(second, stage.job("av-0-2"))
    assert service.ledger.count("POST /images") == images
    assert service.ledger.count("POST /talks") == 2, "the service never had to refuse one"


def test_a_portrait_that_ran_out_early_is_sent_again_once_under_the_same_order(
    service: DidService, stage: Stage
) -> None:
    service.upload_seconds = HOUR
    first, second = _scenes(stage, 2)
    stage.backend.generate(first, stage.job("av-0-1"))
    stage.clock.advance(2 * HOUR)
    stage.backend.generate(second, stage.job("av-0-2"))
    assert service.ledger.count("POST /images") == 2
    assert stage.told.count("ordered") == 2
    assert service.ledger.paid == [1, 1]


def test_uploads_that_are_refused_again_are_not_sent_for_ever(
    service: DidService, stage: Stage
) -> None:
    first, second = _scenes(stage, 2)
    stage.backend.generate(first, stage.job("av-0-1"))
    service.fail(
        "POST /talks", status=400, kind="BadRequestError", description="invalid actor url",
        times=None,
    )  # fmt: skip
    failure = stage.failure(second, stage.job("av-0-2"))
    assert failure.category is Category.INVALID_INPUT
    assert service.ledger.count("POST /talks") == 3
    stage.failure(second, stage.job("av-0-3"))
    assert service.ledger.count("POST /talks") == 4, "what was just sent anew is not stale"
    assert service.ledger.count("POST /images") == 2


def test_nothing_is_sent_for_a_narration_or_a_portrait_that_is_none(
    service: DidService, stage: Stage
) -> None:
    good, broken = stage.request(), stage.folder / "broken"
    broken.write_bytes(b"nothing that could be used")
    for request in (
        replace(good, audio=broken),
        replace(good, portrait=broken),
        replace(good, portrait=None),
        replace(good, portrait=stage.folder / "missing.png"),
    ):
        assert stage.failure(request, stage.job()).category is Category.INVALID_INPUT
    assert _routes(service) == []


@pytest.mark.parametrize("asked", [True, False])
def test_uploads_are_deleted_at_the_end_if_asked(
    asked: bool, service: DidService, stage: Stage
) -> None:
    stage.backend = _backend(service, delete_uploads=asked)
    for number, request in enumerate(_scenes(stage, 3)):
        stage.backend.generate(request, stage.job(f"av-0-{number}"))
    assert not any(upload.deleted for upload in service.ledger.uploads)
    stage.backend.close()
    stage.backend.close()
    assert [upload.deleted for upload in service.ledger.uploads] == [asked] * 4


def test_what_a_talk_that_still_runs_is_made_of_is_not_deleted(
    service: DidService, stage: Stage
) -> None:
    stage.backend = _backend(service, delete_uploads=True)
    first, second = _scenes(stage, 2)
    stage.backend.generate(first, stage.job("av-0-1"))
    service.rendering_seconds = NEVER
    assert stage.failure(second, stage.job("av-0-2", seconds=60)).category is Category.TIMEOUT
    stage.backend.close()
    deleted = {(upload.kind, upload.deleted) for upload in service.ledger.uploads}
    assert deleted == {("image", False), ("audio", True), ("audio", False)}


def test_that_an_upload_cannot_be_deleted_is_logged_and_that_it_is_gone_is_not(
    service: DidService, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.backend = _backend(service, delete_uploads=True)
    stage.backend.generate(stage.request(), stage.job())
    service.fail("DELETE /images/{id}", status=500)
    service.fail("DELETE /audios/{id}", status=404)
    stage.backend.close()
    assert [record.message for record in caplog.records if record.name.startswith("backends")] == [
        "An upload could not be deleted at D-ID: D-ID (127.0.0.1:"
        f"{service.url.rpartition(':')[2]}) failed on its side (HTTP 500): UnknownError: "
        "Internal Server Error."
    ]


def test_a_new_process_goes_on_with_the_talk_and_sends_nothing(
    service: DidService, stage: Stage
) -> None:
    request = stage.request()
    stage.backend.generate(request, stage.job())
    (talk,) = service.ledger.talks
    before = len(_routes(service))
    stage.told.clear()
    clip = _backend(service).generate(request, stage.job(remote_id=talk.id))
    assert _routes(service)[before:] == ["GET /talks/{id}", RESULT]
    assert "ordered" not in stage.told
    assert clip.cost.amount == 1


BLIPS: dict[str, dict[str, Any]] = {
    "its own failure": {"status": 500},
    "a busy gateway": {"status": 503},
    "a pause": {"status": 429, "headers": {"Retry-After": "5"}},
    "a broken connection": {"drop": True},
    "a gateway's time-out": {"status": 504},
}


@pytest.mark.parametrize("name", BLIPS)
def test_a_talk_is_not_given_up_for_two_bad_answers(
    name: str, service: DidService, stage: Stage
) -> None:
    service.fail("GET /talks/{id}", times=2, **BLIPS[name])
    stage.backend.generate(stage.request(), stage.job())
    assert service.ledger.count("GET /talks/{id}") == 3
    assert stage.clock() >= (10 if name == "a pause" else 4)


def test_the_third_bad_answer_is_for_the_policy_and_the_talk_lives(
    service: DidService, stage: Stage
) -> None:
    service.fail("GET /talks/{id}", times=None, status=500)
    failure = stage.failure(stage.request(), stage.job())
    assert failure.category is Category.SERVER
    assert "dead" not in stage.told and not failure.unanswered


def test_a_pause_beyond_the_deadline_is_not_waited_for(service: DidService, stage: Stage) -> None:
    service.fail("GET /talks/{id}", status=429, headers={"Retry-After": "900"})
    failure = stage.failure(stage.request(), stage.job(seconds=100))
    assert (failure.category, failure.retry_after) == (Category.RATE_LIMIT, 900)
    assert stage.clock() == 0


def test_a_talk_that_is_gone_is_dead_and_was_paid(service: DidService, stage: Stage) -> None:
    failure = stage.failure(stage.request(), stage.job(remote_id="tlk_gone"))
    assert (failure.category, failure.billed, stage.told[-1]) == (Category.SERVER, True, "dead")


def test_a_talk_that_was_just_ordered_and_is_not_known_yet_is_waited_for(
    service: DidService, stage: Stage
) -> None:
    service.fail("GET /talks/{id}", times=5, status=404)
    clip = stage.backend.generate(stage.request(), stage.job())
    assert "dead" not in stage.told and clip.cost.amount == 1
    service.fail("GET /talks/{id}", times=None, status=404)
    failure = stage.failure(stage.request(2.0), stage.job(seconds=200))
    assert (failure.category, "dead" in stage.told) == (Category.TIMEOUT, False)
    assert service.ledger.paid == [1, 1]


PORTRAITS: dict[str, Callable[[DidService], None]] = {
    "found in the talk": lambda service: service.end_talks("error", "FaceError"),
    "found in the order": lambda service: service.fail(
        "POST /talks", status=451, kind="CelebrityRecognizedError"
    ),
    "found in the picture": lambda service: service.fail(
        "POST /images", status=451, kind="ImageModerationError"
    ),
}


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_portrait_that_cannot_be_used_is_paid_for_at_most_once(
    name: str, service: DidService, stage: Stage
) -> None:
    PORTRAITS[name](service)
    first, *others = _scenes(stage, 3)
    told = [stage.failure(first, stage.job())]
    asked = len(service.ledger.requests)
    told += [stage.failure(other, stage.job(f"av-0-{n}")) for n, other in enumerate(others)]
    assert len(service.ledger.requests) == asked
    assert {(one.category, one.message) for one in told} == {
        (Category.INVALID_INPUT, told[0].message)
    }
    assert [one.billed for one in told] == ["talk" in name, False, False]
    # Another portrait is another matter.
    other = stage.request(1.5)
    assert other.portrait is not None
    media.portrait(other.portrait, Size(200, 240))
    assert stage.backend.generate(other, stage.job("av-1-0")).backend == "did"


def test_the_words_of_one_scene_say_nothing_of_the_portrait(
    service: DidService, stage: Stage
) -> None:
    service.end_talks("rejected", "AudioModerationError", "no")
    first, second = _scenes(stage, 2)
    stage.failure(first, stage.job("av-0-1"))
    assert stage.backend.generate(second, stage.job("av-0-2")).backend == "did"


@pytest.mark.parametrize(
    "answer",
    [Answer(404, "<html><title>404</title></html>"), Answer(404, {"message": "Not Found"}),
     Answer(403, {"message": "Missing Authentication Token"})],
)  # fmt: skip
def test_somebody_else_at_the_address_does_not_make_a_paid_talk_forgotten(
    answer: Answer, tmp_path: Path
) -> None:
    with ScriptedServer() as server:
        server.on("GET", "/talks/tlk_1", answer)
        stage = Stage(DidBackend(options(server.url)), tmp_path)
        failure = stage.failure(stage.request(), stage.job(remote_id="tlk_1"))
    assert failure.category is Category.UNSUPPORTED
    assert "dead" not in stage.told


XML = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message>'


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_link_that_is_refused_is_signed_anew(
    status: int, service: DidService, stage: Stage
) -> None:
    service.fail(RESULT, status=status, body=XML, times=2)
    stage.backend.generate(stage.request(), stage.job())
    assert service.ledger.count(RESULT) == 3
    assert service.ledger.count("GET /talks/{id}") == 3


def test_a_store_that_refuses_every_link_says_nothing_of_the_key(
    service: DidService, stage: Stage
) -> None:
    service.fail(RESULT, status=403, body=XML, times=None)
    failure = stage.failure(stage.request(), stage.job())
    assert failure.category is Category.CONNECTIVITY
    assert service.ledger.count(RESULT) == 3
    assert "Signature" not in failure.message and "dead" not in stage.told


@pytest.mark.parametrize("url", ["", "s3://d-id-talks-prod/auth0|1/tlk_1/1.mp4", None])
def test_a_result_without_a_web_address_is_the_services_fault(
    url: str | None, tmp_path: Path
) -> None:
    talk = {"id": "tlk_1", "status": "done", "result_url": url, "pending_url": "https://no.example"}
    with ScriptedServer() as server:
        server.on("GET", "/talks/tlk_1", Answer(200, talk))
        stage = Stage(DidBackend(options(server.url)), tmp_path)
        failure = stage.failure(stage.request(), stage.job(remote_id="tlk_1"))
    assert failure.category is Category.SERVER and "web address" in failure.message


def test_giving_up_never_deletes_what_is_paid_and_done(service: DidService, stage: Stage) -> None:
    stage.backend.generate(stage.request(), stage.job())
    (talk,) = service.ledger.talks
    stage.backend.cancel(talk.id)
    assert service.ledger.count("DELETE /talks/{id}") == 0


def test_a_talk_that_cannot_be_stopped_is_no_error(service: DidService, stage: Stage) -> None:
    service.rendering_seconds = NEVER
    stage.failure(stage.request(), stage.job(seconds=30))
    (talk,) = service.ledger.talks
    stage.backend.cancel(talk.id)
    stage.backend.cancel("tlk_never_heard_of")
    assert service.ledger.count("DELETE /talks/{id}") == 1
    assert not service.ledger.talks[0].deleted


def test_who_cancels_while_another_thread_sends_the_portrait_need_not_wait_for_it(
    service: DidService, stage: Stage
) -> None:
    service.fail("POST /images", silent=True)
    request, tokens = stage.request(), [CancelToken(), CancelToken()]
    jobs = [stage.job("av-0-1"), stage.job("av-0-2")]
    for job, token in zip(jobs, tokens, strict=True):
        job.cancel = token

    def make(number: int) -> object:
        try:
            return stage.backend.generate(request, jobs[number])
        except Cancelled as failure:
            return failure

    with ThreadPoolExecutor(2) as pool:
        sending = pool.submit(make, 0)
        while service.ledger.count("POST /images") == 0:
            threading.Event().wait(0.01)
        waiting = pool.submit(make, 1)
        while stage.told.count("sending the portrait") < 2:
            threading.Event().wait(0.01)
        tokens[1].cancel()
        assert isinstance(waiting.result(60), Cancelled)
        assert not sending.done()
        tokens[0].cancel()
        assert isinstance(sending.result(60), Cancelled)


def test_what_the_plan_lacks_is_asked_for_once_and_not_by_every_scene(
    service: DidService, stage: Stage
) -> None:
    service.fail("POST /talks", status=403, kind="PermissionError")
    told = [stage.failure(stage.request(seconds), stage.job()) for seconds in (0.4, 0.6, 0.8)]
    assert {one.message for one in told} == {told[0].message} and told[0] is not told[1]
    assert {(one.category, one.status, one.billed) for one in told} == {
        (Category.UNSUPPORTED, 403, False)
    }
    assert "backends.did.stitch = false" in told[2].advice
    # Neither an order nor a face goes out for the scenes to come, nor are they journaled.
    assert [route.route for route in service.ledger.requests].count("POST /audios") == 1
    assert (service.ledger.count("POST /talks"), stage.told.count("ordered")) == (1, 1)
    # Without the feature it may well be done.
    plain = replace(stage.request(), options=options(service.url, service.key, stitch=False))
    assert stage.backend.generate(plain, stage.job()).backend == "did"


def test_a_padded_clip_is_as_long_as_the_narration_and_its_price_that_of_both(
    service: DidService, stage: Stage
) -> None:
    stage.backend = _backend(service, pad_audio=15.0)
    request = replace(stage.request(), options=stage.backend.options)
    clip = stage.backend.generate(request, stage.job())
    assert validate_clip(clip, request).duration == pytest.approx(1.0, abs=0.2)
    assert service.ledger.spent == clip.cost.amount == 2
    assert stage.backend.estimate(request) == clip.cost


CREDITS: dict[str, tuple[Any, bool, str]] = {
    "a plan": ({"credits": [{"remaining": 37.5, "plan_group": "deid-lite",
                             "expire_at": "2026-02-01T00:00:00.000Z"}],
                "remaining": 37.5, "total": 40}, True, "37.5 credits left"),
    "the last one": ({"remaining": 1, "total": 40}, True, "1 credit left"),
    "nothing left": ({"credits": [], "remaining": 0, "total": 0}, True, "no credits are left"),
    "nothing told": ({}, True, "no credits are left"),
    "nonsense": ({"credits": "many", "remaining": "3", "total": True}, True, "no credits"),
}  # fmt: skip


@pytest.mark.parametrize("case", CREDITS)
def test_health_is_a_look_at_the_credits_and_costs_none(case: str) -> None:
    body, ok, said = CREDITS[case]
    with ScriptedServer() as server:
        server.on("GET", "/credits", Answer(200, body))
        health = DidBackend(options(server.url)).check()
        assert [(one.method, one.path) for one in server.requests] == [("GET", "/credits")]
    assert (health.ok, said in health.message) == (ok, True)
    if case == "a plan":
        assert health.details == {
            "credits": "37.5 of 40", "plan": "deid-lite", "until": "2026-02-01"
        }  # fmt: skip


def test_an_account_that_never_had_credits_is_told_so_and_another_404_is_a_wrong_address() -> None:
    with ScriptedServer() as server:
        server.on("GET", "/credits", NOT_FOUND, Answer(404, "no such page"))
        backend = DidBackend(options(server.url))
        assert "no credits" in backend.check().message
        with pytest.raises(AvatarError) as caught:
            backend.check()
    assert caught.value.category is Category.UNSUPPORTED
