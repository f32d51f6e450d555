"""A job of the colab backend from its order to its clip, whatever becomes of the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarClip, Job
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import Answer, Cut, ScriptedServer, VirtualClock, media
from backends.colab.backend import ColabBackend
from backends.colab.watch import LONGEST_PAUSE
from support_colab import STAMP, Service, address, backend_at, clip, failed, ngrok, serving

C = Category


class Client:
    """One attempt: what it told its job, and what came of it."""

    def __init__(
        self,
        url: str,
        folder: Path,
        remote_id: str | None = None,
        *,
        clock: Any = None,
        seconds: float = 1.0,
        deadline: float | None = None,
        reference: str = "av-one-1",
        **options: Any,
    ) -> None:
        self.named: list[str | None] = []
        self.told: list[tuple[float, str]] = []
        self.orders = 0
        self.clock = clock or Quick()
        self.backend: ColabBackend = backend_at(url, self.clock, **options)
        self.request = replace(media.request(folder, seconds), options=self.backend.options)
        work = folder / f"job-{reference}-{remote_id}"
        work.mkdir(exist_ok=True)
        self.job = Job(
            work,
            deadline=deadline,
            remote_id=remote_id,
            reference=reference,
            clock=self.clock,
            on_progress=lambda fraction, message: self.told.append((fraction, message)),
            on_remote_id=self.named.append,
            on_order=self._order,
        )

    def make(self) -> AvatarClip:
        return self.backend.generate(self.request, self.job)

    def fail(self) -> AvatarError:
        with pytest.raises(AvatarError) as told:
            self.make()
        return told.value

    def _order(self) -> None:
        self.orders += 1


class Quick(SystemClock):
    """Pauses that are kept short, for tests that wait for a real server."""

    def sleep(self, seconds: float, cancel: Any = None) -> None:
        super().sleep(min(seconds, 0.02), cancel)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def server(service: Service) -> Iterator[ScriptedServer]:
    with serving(service) as running:
        yield running


def test_a_clip_is_made_by_one_job_with_the_options_that_were_asked_for(
    server: ScriptedServer, service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    client = Client(address(server.url), tmp_path, preprocess="full", pose_style=7)
    made = client.make()
    assert (made.duration, made.size, made.backend) == (1.0, (64, 64), "colab")
    (job,) = service.jobs.values()
    assert (job.key, client.named) == ("av-one-1", [job.id])
    assert (job.options["preprocess"], job.options["pose_style"]) == ("full", 7)
    assert not {"url", "token", "wait", "patience"} & set(job.options)
    said = [record.getMessage() for record in caplog.records if "colab" in record.name]
    assert said[0] == "Uploading to Colab..."
    assert said[1] == f"Video created successfully: {made.path}"
    fractions = [fraction for fraction, _ in client.told]
    assert fractions == sorted(fractions)
    assert "Drawing the frames" in [message for _, message in client.told]


def test_what_is_sent_is_small_and_plain_whatever_the_files_are(
    server: ScriptedServer, tmp_path: Path
) -> None:
    from PIL import Image

    client = Client(address(server.url), tmp_path)
    portrait = tmp_path / "Ảnh $(rm -rf) 'x'.webp"
    Image.new("RGBA", (3000, 1000), (200, 100, 50, 128)).save(portrait)
    audio = media.speech(tmp_path / "q\"'.wav", 1.0, rate=44_100)
    client.request = replace(client.request, portrait=portrait, audio=audio)
    client.make()
    (create,) = [one for one in server.requests if one.method == "POST"]
    form = create.form()
    assert (form["image"].filename, form["audio"].filename) == ("source.png", "audio.wav")
    sent = Image.open(_file(tmp_path, form["image"].content))
    assert (sent.format, sent.mode, sent.size) == ("PNG", "RGB", (1536, 512))
    assert abs(len(form["audio"].content) - 32_044) < 100


# --- lost answers --------------------------------------------------------------------------


def test_an_order_whose_answer_was_lost_is_found_by_its_key(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    lost = Client(address(server.url), tmp_path)
    server.on("POST", "/v1/jobs", _then_cut(service))
    failure = lost.fail()
    assert (failure.category, failure.unanswered, lost.named) == (C.CONNECTIVITY, True, [])
    found = lost.backend.find(lost.request, "av-one-1")
    assert found in service.jobs
    assert lost.backend.find(lost.request, "av-another-1") is None
    again = Client(address(server.url), tmp_path, found)
    again.make()
    assert (again.orders, len(service.jobs)) == (0, 1)


def test_an_order_that_never_arrived_is_not_found(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path)
    server.on("POST", "/v1/jobs", Cut(upload_bytes=100))
    assert client.fail().category is C.CONNECTIVITY
    assert client.backend.find(client.request, "av-one-1") is None


def test_an_order_sent_again_under_its_key_is_the_same_job(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    Client(address(server.url), tmp_path).make()
    Client(address(server.url), tmp_path).make()
    assert len(service.jobs) == 1


# --- a server that goes away ---------------------------------------------------------------


@pytest.mark.parametrize(
    "away",
    [
        [Cut(), Cut(reset=False), Answer(502, "bad gateway")],
        [ngrok(8012, 502)] * 3,
        [ngrok(3200, 404)] * 2,
        [Answer(503, {"error": failed("stopping", "server")}, STAMP)] * 2,
        [ngrok(702, 429, 1)],
    ],
)
def test_a_server_that_is_away_for_a_moment_is_waited_for(
    server: ScriptedServer, service: Service, away: list[Any], tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path, patience=60)
    server.on("POST", "/v1/jobs", lambda request: (server.then(*away), service(request))[1])
    client.make()
    assert (len(service.jobs), client.orders) == (1, 1)


def test_a_server_that_stays_away_is_given_up_and_its_job_kept(tmp_path: Path) -> None:
    clock, service = VirtualClock(), Service()
    with serving(service) as server:
        client = Client(address(server.url), tmp_path, clock=clock, patience=60)
        server.on(
            "POST", "/v1/jobs", lambda request: (server.then(*[Cut()] * 99), service(request))[1]
        )
        failure = client.fail()
    assert (failure.category, len(client.named)) == (C.CONNECTIVITY, 1)
    assert client.named != [None]
    assert 45 <= clock() <= 60


def test_silence_is_absence_and_no_sign_of_too_much_ambition(tmp_path: Path) -> None:
    clock, service = VirtualClock(), Service()

    def look(request: Any) -> Any:
        clock.advance(60)
        return service(request)

    with ScriptedServer(otherwise=look_after(service, look)) as server:
        client = Client(address(server.url), tmp_path, clock=clock, patience=60, deadline=300.0)
        failure = client.fail()
    assert failure.category is C.CONNECTIVITY
    assert "there was no answer" in failure.message or "not complete" in failure.message


def test_a_server_started_again_goes_on_with_the_job(tmp_path: Path) -> None:
    """The job table is on the server's disk; its port and address stay."""
    service = Service(polls=4)
    with ExitStack() as first:
        server = first.enter_context(serving(service))
        port = server.port
        client = Client(address(server.url), tmp_path, patience=60)
        making = threading.Thread(target=client.make)
        making.start()
        wait_until(lambda: any(job.looks >= 2 for job in service.jobs.values()))
    assert making.is_alive()
    with serving(service, port):
        making.join(20)
    assert service.seen() == {"done": 1}
    assert client.orders == 1
    assert (client.job.work_dir / "clip.mp4").is_file()


def test_a_server_that_lost_its_disk_gets_the_order_again(tmp_path: Path) -> None:
    with serving(Service()) as server:
        client = Client(address(server.url), tmp_path, "0" * 32)
        client.make()
    assert client.orders == 1
    assert client.named[0] is None and client.named[1] is not None


def test_the_same_server_at_a_new_address_goes_on_with_its_job(tmp_path: Path) -> None:
    service = Service(polls=9)
    with serving(service) as old:
        before = Client(address(old.url), tmp_path)
        old.on("GET", "/health", *[service] * 9)
        before.job.deadline = before.clock() + 0.3
        assert before.fail().category is C.TIMEOUT
    (name,) = service.jobs
    with serving(service) as new:
        after = Client(address(new.url), tmp_path, name)
        after.make()
    assert (after.orders, len(service.jobs)) == (0, 1)


def test_another_server_at_a_new_address_gets_the_order_again(tmp_path: Path) -> None:
    for service in (Service(), Service(first=True)):
        with serving(service) as server:
            client = Client(address(server.url), tmp_path, "0" * 32)
            client.make()
        assert client.named[0] is None
        assert len(service.jobs) + len(service.forms) == 1


def test_a_job_that_somebody_cancelled_is_ordered_again(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    first = Client(address(server.url), tmp_path)
    first.make()
    (name,) = service.jobs
    first.backend.cancel(name)
    assert first.backend.find(first.request, "av-one-1") is None
    again = Client(address(server.url), tmp_path, name)
    again.make()
    assert (again.orders, service.cancelled) == (1, [name])
    first.backend.cancel("0" * 32)


# --- what arrives --------------------------------------------------------------------------


def test_a_video_that_was_changed_on_its_way_is_fetched_again(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path)
    other = Answer(200, clip(1.1), {**STAMP, "Content-Type": "video/mp4"})

    def create(request: Any) -> Any:
        answer = service(request)
        (name,) = service.jobs
        server.on("GET", f"/v1/jobs/{name}/video", other, service)
        return answer

    server.on("POST", "/v1/jobs", create)
    failure = client.fail()
    assert (failure.category, client.named) == (C.BAD_OUTPUT, list(service.jobs))
    (name,) = service.jobs
    again = Client(address(server.url), tmp_path, name)
    again.make()
    assert (again.orders, len(service.jobs)) == (0, 1)


@pytest.mark.parametrize("kind", ["short", "html"])
def test_a_video_that_is_no_good_as_it_was_made_is_not_fetched_again(
    kind: str, tmp_path: Path
) -> None:
    with serving(Service(outcomes=[kind])) as server:
        client = Client(address(server.url), tmp_path, seconds=2.0)
        failure = client.fail()
    assert failure.category is C.BAD_OUTPUT
    assert client.named[-1] is None or kind == "html"


@pytest.mark.parametrize("status", [404, 410])
def test_a_video_that_is_no_longer_kept_is_made_again(
    server: ScriptedServer, service: Service, status: int, tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path)

    def create(request: Any) -> Any:
        answer = service(request)
        (name,) = service.jobs
        gone = {"error": failed("video_gone", "server")}
        server.on("GET", f"/v1/jobs/{name}/video", Answer(status, gone, STAMP))
        return answer

    server.on("POST", "/v1/jobs", create)
    failure = client.fail()
    assert (failure.category, client.named[-1]) == (C.SERVER, None)


@pytest.mark.parametrize(
    "told",
    [{}, [], {"id": "a"}, {"id": "", "state": "done"}, {"id": "a\nb", "state": "done"},
     {"id": "x", "state": "done", "video": {"bytes": "many"}},
     {"id": "x", "state": "running", "percent": "half"},
     {"id": "x", "state": "queued", "position": float("inf")},
     {"id": "x", "state": "failed", "error": "it broke"}],
)  # fmt: skip
def test_a_job_that_is_described_in_another_way_is_told_in_words(
    server: ScriptedServer, told: Any, tmp_path: Path
) -> None:
    server.on("POST", "/v1/jobs", Answer(202, told, STAMP))
    failure = Client(address(server.url), tmp_path).fail()
    assert failure.category in (C.UNSUPPORTED, C.SERVER)


def test_a_picture_that_is_none_is_told_with_the_section_on_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path)
    client.request = replace(client.request, portrait=client.request.audio)
    failure = client.fail()
    assert failure.category is C.INVALID_INPUT
    assert failure.advice.endswith("See: avatar docs colab#refused-input")


def test_what_the_server_says_cannot_play_with_the_terminal(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    client = Client(address(server.url), tmp_path)

    def look(request: Any) -> Any:
        told = service(request)
        assert isinstance(told, Answer)
        message = "\x1b[2J\x1b]0;owned\x07 drawing\r\n" * 50
        return replace(told, body={**told.body, "message": message})

    def create(request: Any) -> Any:
        answer = service(request)
        (name,) = service.jobs
        server.on("GET", f"/v1/jobs/{name}", look)
        return answer

    server.on("POST", "/v1/jobs", create)
    client.make()
    assert any("drawing" in message for _, message in client.told)
    assert all(message.isprintable() and len(message) <= 200 for _, message in client.told)


# --- how often it asks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "holds", "most"),
    [(60, True, 8), (60, False, 13), (280, True, 19), (280, False, 35)],
)
def test_a_clip_costs_few_requests_however_long_it_takes(
    work: float, holds: bool, most: int, tmp_path: Path
) -> None:
    """A free tunnel has 20,000 a month: at 13 a clip, that is some 1,500 clips."""
    clock = VirtualClock()
    service = Service(polls=10**9)

    def look(request: Any) -> Any:
        # In virtual time a question is held by letting the time pass.
        if holds:
            clock.advance(float(request.query["wait"]))
        for job in service.jobs.values():
            if clock() >= work:
                job.state = "done"
        return service(request)

    with ScriptedServer(otherwise=look_after(service, look)) as server:
        client = Client(address(server.url), tmp_path, clock=clock, wait=20)
        client.make()
        assert len(server.requests) <= most
    assert clock() <= work + LONGEST_PAUSE + 20


def test_the_last_question_is_not_held_beyond_the_deadline(tmp_path: Path) -> None:
    clock, service = VirtualClock(), Service(polls=10**9)
    waits: list[float] = []

    def look(request: Any) -> Any:
        waits.append(float(request.query.get("wait", 0)))
        clock.advance(waits[-1])
        return service(request)

    with ScriptedServer(otherwise=look_after(service, look)) as server:
        client = Client(address(server.url), tmp_path, clock=clock, wait=20, deadline=50.0)
        failure = client.fail()
    assert (failure.category, clock()) == (C.TIMEOUT, 50.0)
    assert waits == [20, 20, 9, 0]
    assert client.named == list(service.jobs)


# --- old servers ---------------------------------------------------------------------------


def test_an_old_server_is_asked_as_it_expects(tmp_path: Path) -> None:
    service = Service(first=True)
    with serving(service) as server:
        client = Client(server.url, tmp_path, preprocess="full", enhancer="gfpgan", size=512)
        made = client.make()
        health = client.backend.check()
    assert service.forms == [{"preprocess": "full", "still_mode": "true", "enhancer": "gfpgan"}]
    assert made.warnings == ("The server is an old one and does not know size.",)
    assert (client.orders, client.named) == (0, [])
    assert health.ok and "old server" in health.message


def test_the_video_of_an_earlier_job_is_known_by_its_length(tmp_path: Path) -> None:
    service = Service(first=True, outcomes=[clip(3.0)])
    with serving(service) as server:
        client = Client(server.url, tmp_path)
        failure = client.fail()
        assert failure.category is C.BAD_OUTPUT
        assert "lasts 3.00 s and the narration 1.00 s" in failure.message
        assert "avatar docs colab#wrong-video" in failure.advice
        assert client.make().duration == 1.0


def test_the_video_of_an_earlier_job_of_the_same_length_is_known_by_its_content(
    tmp_path: Path,
) -> None:
    with serving(Service(first=True, outcomes=[clip(1.0)] * 3)) as server:
        client = Client(server.url, tmp_path)
        client.make()
        client.make()
        other = media.speech(tmp_path / "other.wav", 1.01)
        client.request = replace(client.request, audio=other)
        failure = client.fail()
    assert failure.category is C.BAD_OUTPUT
    assert "the same video before" in failure.message


@pytest.mark.parametrize(
    "body", [b"", b"ok", b'{"error": "none"}', b"\x00\x00\x00\x18ftypmp42" + bytes(600)]
)
def test_what_is_sent_as_a_video_is_looked_into_however_small_it_is(
    body: bytes, tmp_path: Path
) -> None:
    with serving(Service(first=True, outcomes=[body])) as server:
        assert Client(server.url, tmp_path).fail().category is C.BAD_OUTPUT


def test_a_small_video_is_a_video(tmp_path: Path) -> None:
    with serving(Service(first=True)) as server:
        assert Client(server.url, tmp_path, seconds=0.2).make().duration == pytest.approx(0.2)


def test_an_old_server_cannot_be_asked_for_its_jobs(tmp_path: Path) -> None:
    with serving(Service(first=True)) as server:
        client = Client(server.url, tmp_path)
        with pytest.raises(AvatarError) as told:
            client.backend.find(client.request, "av-one-1")
    assert told.value.category is C.UNSUPPORTED


# --- tools -----------------------------------------------------------------------------------


def look_after(service: Service, look: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The service, with ``look`` in place of what it says of a job."""

    def reply(request: Any) -> Any:
        asked = request.path.startswith("/v1/jobs/") and not request.path.endswith("/video")
        return look(request) if asked else service(request)

    return reply


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def _then_cut(service: Service) -> Callable[[Any], Any]:
    def reply(request: Any) -> Any:
        service(request)
        return Cut()

    return reply


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "sent.png"
    path.write_bytes(content)
    return path
