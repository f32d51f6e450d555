"""The stand-in for D-ID keeps to what is known of D-ID: or tests that lean on it prove nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import requests

from avatar_core.backend import Size
from avatar_core.testing import VirtualClock, media
from support_did_ledger import price_of
from support_did_service import NEVER, RESULT, DidService, running_program

CONFIG = {"stitch": True, "result_format": "mp4", "fluent": False, "pad_audio": 0.0}


class Caller:
    """A client without manners or memory: what comes back is looked at by the tests."""

    def __init__(self, url: str, authorization: str) -> None:
        self._url = url
        self._headers = {"Authorization": authorization}

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**self._headers, **more.pop("headers", {})}
        return requests.request(method, self._url + path, headers=headers, timeout=60, **more)

    def upload(self, kind: str, file: Path, media_type: str) -> requests.Response:
        form = {kind: (file.name, file.read_bytes(), media_type)}
        return self.ask("POST", f"/{kind}s", files=form)

    def order(self, folder: Path, seconds: float = 1.0, **more: Any) -> requests.Response:
        picture = media.portrait(folder / "face.png", Size(160, 200))
        sound = media.speech(folder / "voice.wav", seconds, rate=8000)
        body = {
            "source_url": self.upload("image", picture, "image/png").json()["url"],
            "script": {
                "type": "audio",
                "audio_url": self.upload("audio", sound, "audio/wav").json()["url"],
            },
            "config": CONFIG,
            "name": "scene",
            "user_data": "key-17",
        }
        return self.ask("POST", "/talks", json={**body, **more})


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def service(clock: VirtualClock) -> Iterator[DidService]:
    with DidService(clock, rendering_seconds=40) as running:
        yield running


@pytest.fixture
def caller(service: DidService) -> Caller:
    return Caller(service.url, encoded(service.key))


def encoded(key: str) -> str:
    return f"Basic {base64.b64encode(key.encode()).decode()}"


def test_a_talk_is_made_in_its_time_and_fetched_from_another_host(
    service: DidService, caller: Caller, clock: VirtualClock, tmp_path: Path
) -> None:
    made = caller.order(tmp_path)
    assert (made.status_code, made.json()["status"]) == (201, "created")
    path = f"/talks/{made.json()['id']}"
    seen = [caller.ask("GET", path).json()]
    for seconds in (20, 20):
        clock.advance(seconds)
        seen.append(caller.ask("GET", path).json())
    assert [talk["status"] for talk in seen] == ["created", "started", "done"]
    assert seen[1]["pending_url"].startswith("s3://") and "result_url" not in seen[1]
    done = seen[2]
    assert (done["user_data"], done["duration"], "@" in done["user"]["email"]) == ("key-17", 1, 1)
    video = requests.get(done["result_url"], timeout=60)
    with av.open(io.BytesIO(video.content)) as film:
        shape = film.streams.video[0].width, film.streams.video[0].height
        assert (shape, len(film.streams.audio)) == ((160, 200), 1)
        assert sum(1 for _ in film.decode(video=0)) == 25
    assert (service.ledger.paid, service.ledger.spent, service.ledger.credits) == ([1], 1, 39)
    assert service.violations == []


@pytest.mark.parametrize(
    ("seconds", "credits"), [(0.2, 1), (15, 1), (15.001, 2), (30, 2), (75.5, 6)]
)
def test_a_talk_costs_a_credit_for_every_15_s_that_have_begun(seconds: float, credits: int) -> None:
    assert price_of(seconds) == credits


def test_what_pads_the_sound_is_paid_as_well(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    caller.order(tmp_path, config={**CONFIG, "pad_audio": 14.5})
    assert (service.ledger.talks[0].credits, service.ledger.talks[0].seconds) == (2, 15.5)


def test_an_account_that_cannot_pay_is_told_so_and_gets_nothing(tmp_path: Path) -> None:
    with DidService(credits=0) as service:
        caller = Caller(service.url, f"Basic {service.key}")
        refused = caller.order(tmp_path)
        told = caller.ask("GET", "/credits").json()
        assert told == {"credits": [], "remaining": 0, "total": 0}
    assert (refused.status_code, refused.json()["kind"]) == (402, "InsufficientCreditsError")
    assert service.ledger.talks == []


@pytest.mark.parametrize(
    ("header", "status", "noted"),
    [
        (lambda key: f"Basic {key}", 200, "raw"),
        (encoded, 200, "encoded"),
        (lambda key: f"Bearer {key}", 401, "none"),
        (lambda key: "", 401, "none"),
        (lambda key: encoded(f"{key}:"), 403, "wrong"),
    ],
)
def test_a_key_is_taken_as_it_is_or_encoded(
    service: DidService, header: Any, status: int, noted: str
) -> None:
    answer = Caller(service.url, header(service.key)).ask("GET", "/credits")
    assert answer.status_code == status
    assert status == 200 or "kind" not in answer.json()
    assert [asked.authorization for asked in service.ledger.requests] == [noted]


def test_an_address_that_is_not_there_is_refused_as_if_the_key_were_bad(
    service: DidService, caller: Caller
) -> None:
    answer = caller.ask("GET", "/v1/talks")
    assert answer.status_code == 403
    assert "missing equal-sign" in answer.json()["message"]
    assert service.violations == ["GET /v1/talks: there is no such route"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"persist": True}, "body"),
        ({"source_url": "http://example.org/a.png"}, "body.source_url"),
        ({"script": {"type": "audio", "audio_url": "s3://a/b.ogg"}}, "body.script"),
        ({"config": {**CONFIG, "pad_audio": 61}}, "body.config.pad_audio"),
        ({"config": {**CONFIG, "sharpen": True}}, "body.config"),
        ({"user_data": ""}, "body.user_data"),
    ],
)
def test_an_order_that_the_description_does_not_allow_is_refused_and_remembered(
    service: DidService, caller: Caller, tmp_path: Path, change: dict[str, Any], place: str
) -> None:
    refused = caller.order(tmp_path, **change)
    assert (refused.status_code, refused.json()["kind"]) == (400, "ValidationError")
    assert list(refused.json()["details"]) == [place]
    assert len(service.violations) == 1
    assert service.ledger.talks == []


def test_a_fault_of_a_recording_is_told_among_those_of_a_text(
    caller: Caller, tmp_path: Path
) -> None:
    refused = caller.order(tmp_path, script={"type": "audio", "audio_url": "s3://a/b.ogg"})
    told = refused.json()["details"]["body.script"]["message"]
    assert "'audio' is not one of ['text']" in told and ".ogg" in told


def test_what_is_sent_is_looked_into(service: DidService, caller: Caller, tmp_path: Path) -> None:
    tiny = media.portrait(tmp_path / "tiny.png", Size(159, 300))
    huge = media.portrait(tmp_path / "huge.jpg", Size(4096, 2561))
    text = tmp_path / "text.png"
    text.write_text("no picture")
    wrong = [
        caller.upload("image", tiny, "image/png"),
        caller.upload("image", huge, "image/webp"),
        caller.upload("image", text, "image/png"),
        caller.upload("audio", text, "audio/wav"),
        caller.upload("audio", text, "text/plain"),
    ]
    assert [(answer.status_code, answer.json()["kind"]) for answer in wrong] == [
        (400, "InvalidImageResolutionError"),
        (415, "UnsupportedMimeTypeError"),
        (400, "BadRequestError"),
        (400, "BadRequestError"),
        (415, "UnsupportedMimeTypeError"),
    ]
    # Too many pixels are noticed when the picture is used, and not before.
    taken = caller.upload("image", huge, "image/jpeg").json()
    assert "|" in taken["url"]
    refused = caller.order(tmp_path, source_url=taken["url"])
    assert refused.json()["kind"] == "InvalidFileSizeError"
    assert service.violations == []


def test_uploads_expire_and_are_deleted_once(
    service: DidService, caller: Caller, clock: VirtualClock, tmp_path: Path
) -> None:
    picture = media.portrait(tmp_path / "face.png", Size(160, 160))
    first, second = (caller.upload("image", picture, "image/png").json() for _ in range(2))
    deleted = [caller.ask("DELETE", f"/images/{first['id']}").status_code for _ in range(2)]
    assert deleted == [204, 404]
    clock.advance(service.upload_seconds)
    refused = caller.order(tmp_path, source_url=second["url"])
    assert refused.json()["description"] == "invalid actor url"


def test_a_link_ends_is_signed_and_wants_no_key(
    service: DidService, caller: Caller, clock: VirtualClock, tmp_path: Path
) -> None:
    service.rendering_seconds = 0
    name = caller.order(tmp_path).json()["id"]
    link = caller.ask("GET", f"/talks/{name}").json()["result_url"]
    both = requests.get(link, headers={"Authorization": "Basic x"}, timeout=60)
    forged = requests.get(link.replace("Expires=1", "Expires=2"), timeout=60)
    clock.advance(service.link_seconds)
    late = requests.get(link, timeout=60)
    again = caller.ask("GET", f"/talks/{name}").json()["result_url"]
    assert [both.status_code, forged.status_code, late.status_code] == [400, 403, 403]
    assert "<Code>AccessDenied</Code>" in late.text
    assert again != link and requests.get(again, timeout=60).status_code == 200
    assert service.violations == ["GET result: the Authorization header was sent along"]


def test_talks_are_listed_newest_first_page_by_page(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    service.rendering_seconds = 0
    names = [caller.order(tmp_path, user_data=f"key-{n}").json()["id"] for n in range(3)]
    first = caller.ask("GET", "/talks", params={"limit": "2"}).json()
    second = caller.ask("GET", "/talks", params={"limit": "2", "token": first["token"]}).json()
    assert [talk["id"] for talk in (*first["talks"], *second["talks"])] == names[::-1]
    assert first["talks"][0]["user_data"] == "key-2" and "token" not in second
    service.list_names = False
    assert "user_data" not in caller.ask("GET", "/talks").json()["talks"][0]


def test_a_talk_that_runs_cannot_be_deleted(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    service.rendering_seconds = NEVER
    path = f"/talks/{caller.order(tmp_path).json()['id']}"
    running = caller.ask("DELETE", path)
    service.rendering_seconds = 0
    rest = [caller.ask("DELETE", path).status_code, caller.ask("GET", path).status_code]
    assert (running.status_code, running.json()["kind"]) == (409, "NotReadyError")
    assert rest == [200, 404]


def test_faults_strike_before_the_service_acts_or_after(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    service.fail("POST /talks", status=504)
    service.fail("POST /talks", status=504, after_making=True)
    service.fail("POST /talks", drop=True, after_making=True)
    counts = []
    for _ in range(2):
        answer = caller.order(tmp_path)
        assert (answer.status_code, answer.json()) == (
            504,
            {"message": "Endpoint request timed out"},
        )
        counts.append(len(service.ledger.talks))
    with pytest.raises(requests.ConnectionError):
        caller.order(tmp_path)
    assert [*counts, len(service.ledger.talks)] == [0, 1, 2]


def test_a_talk_may_come_to_nothing_and_its_video_to_little(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    service.rendering_seconds = 0
    service.end_talks("error")
    looks = [caller.ask("GET", f"/talks/{caller.order(tmp_path).json()['id']}") for _ in range(2)]
    assert [look.json()["status"] for look in looks] == ["error", "done"]
    assert looks[0].json()["error"]["kind"] == "FaceError"
    service.fail(RESULT, clip="html")
    videos = [requests.get(looks[1].json()["result_url"], timeout=60).content for _ in range(2)]
    assert [video[:9] == b"<!DOCTYPE" for video in videos] == [True, False]


def test_without_life_its_answers_are_what_is_declared(
    service: DidService, caller: Caller, tmp_path: Path
) -> None:
    service.lifelike = False
    path = f"/talks/{caller.order(tmp_path).json()['id']}"
    assert not {"user", "user_data", "pending_url"} & set(caller.ask("GET", path).json())


def test_as_a_program_it_keeps_its_books_when_it_is_killed(tmp_path: Path) -> None:
    with running_program(tmp_path / "state") as program:
        name = Caller(program.url, encoded(program.key)).order(tmp_path).json()["id"]
        key = program.key
        program.process.kill()
    with DidService(key=key, state=tmp_path / "state", rendering_seconds=0) as service:
        caller = Caller(service.url, encoded(key))
        link = caller.ask("GET", f"/talks/{name}").json()["result_url"]
        assert requests.get(link, timeout=60).status_code == 200
        assert (service.ledger.spent, service.ledger.credits) == (1, 39)
