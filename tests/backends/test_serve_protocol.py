"""The server's protocol, over real sockets: docs/serve.md says what each answer holds."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_core.errors import Category
from avatar_core.media import probe_video
from backends.colab.server.limits import Limits
from backends.colab.server.refusals import KINDS
from backends.sadtalker.gpu import Gpu
from support_serve import (
    PAINT,
    TOKEN,
    Client,
    Painter,
    Running,
    code,
    files,
    picture_bytes,
    serving,
    sound_bytes,
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def client(running: Running) -> Client:
    return running.client


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Running]:
    """A server whose jobs run until they are let go: `held.painter.go` is an event's."""
    gate = threading.Event()
    with serving(tmp_path, Painter(tmp_path, go=gate.is_set), Limits(waiting=2)) as running:
        yield running
        gate.set()


def let_go(running: Running) -> None:
    running.painter.go = lambda: True


def test_a_stranger_learns_only_that_a_server_is_there(running: Running) -> None:
    told = Client(running.client.url, token=None)("GET", "/health").json()
    assert set(told) == {"status", "server", "version", "protocol"}
    assert (told["status"], told["server"], told["protocol"]) == ("ok", "avatar", 1)


def test_who_has_the_token_learns_how_it_is(client: Client) -> None:
    told = client("GET", "/health").json()
    assert told["engine"] == "paint"
    assert told["engines"] == ["paint"]
    assert told["queue"] == {"running": 0, "waiting": 0, "limit": 8}
    assert set(told["limits"]) == {"image_bytes", "audio_bytes", "body_bytes", "audio_seconds"}
    assert told["weights"] == {"present": True, "missing": []}
    assert (told["ready"], told["problem"], told["advice"]) == (True, None, None)


def test_the_engines_tell_their_options_as_a_schema(client: Client) -> None:
    (engine,) = client("GET", "/engines").json()["engines"]
    assert {"name", "title", "licence", "vram_mb", "options", "ready", "missing"} == set(engine)
    assert "enhancer" in engine["options"]["properties"]


@pytest.mark.parametrize("scheme", ["bearer", "basic", "address"])
def test_the_token_comes_in_three_ways(running: Running, scheme: str) -> None:
    url = running.client.url
    if scheme == "bearer":
        answer = Client(url)("GET", "/engines")
    elif scheme == "basic":
        answer = Client(url, token=None)("GET", "/engines", auth=("anybody", TOKEN))
    else:
        answer = Client(url.replace("://", f"://avatar:{TOKEN}@"), token=None)("GET", "/engines")
    assert answer.status_code == 200


def test_a_job_goes_from_order_to_video(client: Client) -> None:
    answer = client.submit("a job")
    assert answer.status_code == 202
    job = answer.json()
    assert job["state"] in ("queued", "running", "done")
    assert len(bytes.fromhex(job["id"])) == 16
    done = client.ended(job["id"])
    assert (done["state"], done["percent"], done["error"]) == ("done", 100.0, None)
    assert done["created_at"] <= done["started_at"] <= done["finished_at"]
    video = client("GET", f"/v1/jobs/{job['id']}/video")
    assert video.headers["Content-Type"] == "video/mp4"
    assert hashlib.sha256(video.content).hexdigest() == done["video"]["sha256"]
    assert len(video.content) == done["video"]["bytes"]


def test_the_engine_gets_files_under_our_names_and_its_own_options(
    running: Running, client: Client
) -> None:
    job = client.submit(None, enhancer="gfpgan", still=False).json()["id"]
    client.ended(job)
    task = running.painter.tasks[-1]
    assert (task.image.name, task.audio.name) == ("image.png", "audio.wav")
    assert task.options == PAINT.Options(enhancer="gfpgan", still=False)


@pytest.mark.parametrize("first, last", [(0, 9), (100, 4000), (5, None), (None, 7)])
def test_a_video_is_fetched_in_parts(client: Client, first: int | None, last: int | None) -> None:
    job = client.ended(client.submit("in parts").json()["id"])["id"]
    whole = client("GET", f"/v1/jobs/{job}/video").content
    asked = {"Range": f"bytes={'' if first is None else first}-{'' if last is None else last}"}
    part = client("GET", f"/v1/jobs/{job}/video", headers=asked)
    wanted = whole[-(last or 0) :] if first is None else whole[first : last and last + 1]
    assert (part.status_code, part.content) == (206, wanted)


def test_a_part_of_another_video_is_not_sent(client: Client) -> None:
    job = client.ended(client.submit("in parts").json()["id"])["id"]
    path = f"/v1/jobs/{job}/video"
    tag = client("GET", path).headers["ETag"]
    part = {"Range": "bytes=0-9"}
    assert client("GET", path, headers={**part, "If-Range": tag}).status_code == 206
    assert client("GET", path, headers={**part, "If-Range": '"another"'}).status_code == 200
    assert client("GET", path, headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("asked, status", [
    ("bytes=9999999-", 416), ("bytes=-0", 416),
    # What is not understood is left unheard: the whole video comes.
    ("bytes=0-1,5-6", 200), ("bytes=5-2", 200), ("bytes=abc", 200), ("bytes=", 200),
    ("bytes=--1", 200), ("seconds=0-1", 200), ("bytes=-99999999", 200),
    ("bytes=0-" + "9" * 50, 200),
    ("bytes=0-99999999", 206), ("Bytes=-99999", 200), ("bytes=\u0661-2", 200),
])  # fmt: skip
def test_only_one_part_within_the_video_is_a_part(client: Client, asked: str, status: int) -> None:
    job = client.ended(client.submit("in parts").json()["id"])
    length = job["video"]["bytes"]
    answer = client("GET", f"/v1/jobs/{job['id']}/video", headers={"Range": asked.encode()})
    assert answer.status_code == status
    if status == 416:
        assert (code(answer), answer.headers["Content-Range"]) == ("bad_range", f"bytes */{length}")
    else:
        assert len(answer.content) == length


def test_a_long_poll_ends_when_the_stage_changes(held: Running) -> None:
    job = held.client.submit().json()["id"]
    held.painter.begun.acquire()
    while (now := held.client.job(job))["stage"] != "load":
        pass
    assert (now["state"], now["percent"], now["message"]) == ("running", 10, "Loading the networks")
    told: list[str] = []
    waiting = threading.Thread(target=lambda: told.append(held.client.job(job, 25)["state"]))
    waiting.start()
    assert waiting.is_alive()
    let_go(held)
    waiting.join()
    assert told[0] in ("running", "done")
    assert held.client.ended(job)["state"] == "done"


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "0"])
def test_a_wait_that_means_nothing_is_no_wait(held: Running, wait: str) -> None:
    job = held.client.submit().json()["id"]
    assert held.client("GET", f"/v1/jobs/{job}?wait={wait}").status_code == 200
    assert code(held.client("GET", f"/v1/jobs/{job}?wait=long")) == "bad_request"


def test_two_jobs_at_once_are_made_one_after_the_other_each_with_its_own_video(
    held: Running,
) -> None:
    first, second = held.client.submit("a").json(), held.client.submit("b").json()
    held.painter.begun.acquire()
    assert held.client.job(second["id"])["position"] == 1
    assert held.client("GET", "/health").json()["queue"] == {"running": 1, "waiting": 1, "limit": 2}
    let_go(held)
    videos = [held.client.ended(job["id"])["video"]["sha256"] for job in (first, second)]
    assert videos[0] != videos[1]
    one, two = held.painter.tasks
    assert one.folder != two.folder


def test_a_full_queue_says_when_to_come_again(held: Running) -> None:
    for _ in range(3):
        assert held.client.submit().status_code == 202
        if not held.painter.tasks:
            held.painter.begun.acquire()
    refused = held.client.submit()
    assert (refused.status_code, code(refused)) == (429, "queue_full")
    assert int(refused.headers["Retry-After"]) >= 1


def test_the_same_key_is_the_same_job_while_it_lives(held: Running) -> None:
    answers = [held.client.submit("once") for _ in range(4)]
    assert [a.status_code for a in answers] == [202, 200, 200, 200]
    assert len({a.json()["id"] for a in answers}) == 1
    assert (
        held.client("GET", "/v1/jobs", params={"key": "once"}).json()["jobs"][0]["id"]
        == (answers[0].json()["id"])
    )
    assert held.client("GET", "/v1/jobs", params={"key": "other"}).json() == {"jobs": []}


def test_many_orders_with_one_key_at_the_same_time_are_one_job(held: Running) -> None:
    ids: list[str] = []
    threads = [
        threading.Thread(target=lambda: ids.append(
            Client(held.client.url).submit("together").json()["id"]))
        for _ in range(8)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1


def test_a_key_is_not_kept_as_it_came(held: Running, tmp_path: Path) -> None:
    held.client.submit("a-key-that-says-who-i-am")
    kept = "".join(p.read_text() for p in tmp_path.rglob("job.json"))
    assert '"key":"' in kept
    assert "who-i-am" not in kept


def test_a_key_for_something_else_is_refused(client: Client) -> None:
    client.submit("mine")
    assert code(client.submit("mine", enhancer="gfpgan")) == "key_reused"


@pytest.mark.parametrize("ending", ["failed", "cancelled", "deleted"])
def test_a_job_that_has_no_video_gives_its_key_away(client: Client, ending: str) -> None:
    options = {"fail": "no_face"} if ending == "failed" else {}
    first = client.submit(f"again-{ending}", **options).json()["id"]
    if ending == "cancelled":
        client("DELETE", f"/v1/jobs/{first}")
    assert client.ended(first)["state"] in ("failed", "cancelled", "done")
    if ending == "deleted":
        client("DELETE", f"/v1/jobs/{first}")
    second = client.submit(f"again-{ending}", **options)
    assert second.status_code == 202
    assert second.json()["id"] != first


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "bell\x07", "ünï"])
def test_a_key_must_be_printable_and_short(client: Client, key: str) -> None:
    answer = client("GET", "/v1/jobs", params={"key": key})
    assert (answer.status_code, code(answer)) == (400, "bad_key")


def test_a_running_job_is_stopped(held: Running, tmp_path: Path) -> None:
    job = held.client.submit().json()["id"]
    held.painter.begun.acquire()
    assert held.client("DELETE", f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert code(held.client("GET", f"/v1/jobs/{job}/video")) == "not_done"
    following = held.client.submit().json()["id"]
    held.painter.begun.acquire()
    assert not list((tmp_path / "jobs" / "jobs" / job).glob("*.png"))
    held.client("DELETE", f"/v1/jobs/{following}")


def test_a_waiting_job_that_is_stopped_never_begins(held: Running) -> None:
    first, second = (held.client.submit().json()["id"] for _ in range(2))
    held.painter.begun.acquire()
    told = held.client("DELETE", f"/v1/jobs/{second}").json()
    assert (told["state"], told["position"]) == ("cancelled", None)
    let_go(held)
    held.client.ended(first)
    assert len(held.painter.tasks) == 1


def test_a_finished_job_loses_its_files_when_it_is_deleted(
    client: Client, running: Running
) -> None:
    job = client.ended(client.submit().json()["id"])["id"]
    assert running.service.shelf.video(job).exists()
    assert client("DELETE", f"/v1/jobs/{job}").json()["video"] is None
    assert not running.service.shelf.video(job).exists()
    gone = client("GET", f"/v1/jobs/{job}/video")
    assert (gone.status_code, code(gone)) == (410, "video_gone")


def test_a_video_that_somebody_deleted_is_gone_and_made_anew(
    client: Client, running: Running
) -> None:
    job = client.ended(client.submit("swept").json()["id"])["id"]
    running.service.shelf.video(job).unlink()
    assert code(client("GET", f"/v1/jobs/{job}/video")) == "video_gone"
    assert client.submit("swept").status_code == 202


def test_a_job_s_folder_that_somebody_removed_is_told_as_gone(
    client: Client, running: Running
) -> None:
    job = client.ended(client.submit("removed").json()["id"])["id"]
    shutil.rmtree(running.service.shelf.video(job).parent)
    for _ in range(2):
        assert code(client("GET", f"/v1/jobs/{job}/video")) == "video_gone"
        assert client("DELETE", f"/v1/jobs/{job}").status_code == 200
    assert client.submit("removed").status_code == 202


def test_faces_and_voices_are_deleted_when_the_job_ends(client: Client, running: Running) -> None:
    ids = [client.submit(None, **o).json()["id"] for o in ({}, {"fail": "no_face"})]
    for job in ids:
        client.ended(job)
    # The next job begins when the last one is put away.
    client.ended(client.submit().json()["id"])
    left = {p.name for job in ids for p in running.service.shelf.video(job).parent.iterdir()}
    assert left == {"job.json", "video.mp4"}


@pytest.mark.parametrize("failure, category, retryable", [
    ("no_face", "invalid_input", False), ("enhancer_crashed", "server", True),
])  # fmt: skip
def test_a_failure_is_told_with_code_category_advice_and_log(
    client: Client, running: Running, failure: str, category: str, retryable: bool
) -> None:
    home = Path.home() / "secret-plans"
    running.painter.printed = ("line one", f"File {home}/x.py", f"token={TOKEN}")
    error = client.ended(client.submit(None, fail=failure).json()["id"])["error"]
    assert error["code"] == failure
    assert (error["category"], error["retryable"]) == (category, retryable)
    assert error["advice"] == "Use another."
    assert error["log_tail"][0] == "line one"
    assert TOKEN not in str(error)
    assert str(Path.home()) not in str(error)


def test_a_fault_in_an_engine_ends_its_job_and_nothing_else(client: Client) -> None:
    error = client.ended(client.submit(None, fail="bug").json()["id"])["error"]
    assert (error["code"], error["category"]) == ("internal_error", "backend_bug")
    assert client.ended(client.submit().json()["id"])["state"] == "done"


def test_what_is_not_installed_is_told_before_and_after_an_order(tmp_path: Path) -> None:
    painter = Painter(tmp_path, lacks=(f"the brush is missing in {tmp_path / 'brushes'}.",))
    with serving(tmp_path, painter) as running:
        told = running.client("GET", "/health").json()
        assert (told["ready"], told["weights"]["present"]) == (False, False)
        assert told["problem"].endswith(": the brush is missing in <engine>/brushes.")
        refused = running.client.submit()
        assert (refused.status_code, code(refused)) == (503, "engine_not_ready")


@pytest.mark.parametrize("gpus, without, status", [
    ((), False, 503), ((), True, 202), ((Gpu("Tesla T4", 15360, 15000),), False, 202),
])  # fmt: skip
def test_an_engine_that_wants_a_gpu_is_told_where_there_is_none(
    tmp_path: Path, gpus: tuple[Gpu, ...], without: bool, status: int
) -> None:
    from dataclasses import replace

    from backends.colab.server.gpu import Gpus

    painter = Painter(tmp_path, engine=replace(PAINT, vram_mb=4000))
    with serving(tmp_path, painter, gpus=Gpus(lambda: gpus), without_gpu=without) as running:
        assert running.client.submit().status_code == status
        told = running.client("GET", "/health").json()
        assert told["ready"] is (status == 202)
        assert (told["gpu"] or {}).get("name") == (gpus[0].name if gpus else None)


@pytest.mark.parametrize("method, path, wanted", [
    ("GET", "/nothing", "no_such_page"),
    ("POST", "/health", "method_not_allowed"),
    ("PUT", "/v1/jobs", "method_not_allowed"),
    ("GET", "/v1/jobs/" + "0" * 32, "no_such_job"),
    ("GET", "/v1/jobs/%2e%2e%2f%2e%2e", "no_such_page"),
    ("DELETE", "/v1/jobs/$(reboot)", "no_such_job"),
    ("GET", "/v1/jobs/'; drop/video", "no_such_job"),
])  # fmt: skip
def test_everything_else_is_refused_in_the_same_form(
    client: Client, method: str, path: str, wanted: str
) -> None:
    answer = client(method, path)
    told = answer.json()["error"]
    kind = KINDS[wanted]
    assert (told["code"], answer.status_code) == (wanted, kind.status)
    assert told["category"] in {str(category) for category in Category}
    assert told["message"] and told["advice"]
    assert ("Allow" in answer.headers) is (kind.status == 405)


@pytest.mark.parametrize("sent, data, wanted", [
    ({}, {}, "image_missing"),
    ({"image": ("a.png", picture_bytes())}, {}, "audio_missing"),
    (files(), {"engine": "other"}, "unknown_engine"),
    (files(), {"options": "{"}, "bad_options"),
    (files(), {"options": "[1]"}, "bad_options"),
    (files(), {"options": "[" * 30000}, "bad_options"),
    (files(), {"options": json.dumps({"size": 4})}, "bad_options"),
    (files(), {"options": json.dumps({"enhancer": "$(reboot)"})}, "bad_options"),
])  # fmt: skip
def test_a_form_that_is_wrong_is_told_what_is_wrong(
    client: Client, sent: dict[str, object], data: dict[str, str], wanted: str
) -> None:
    answer = client("POST", "/v1/jobs", files=sent or None, data=data or {"engine": "paint"})
    assert code(answer) == wanted
    assert "$(" not in answer.text


def test_an_old_client_gets_its_video_in_one_request(client: Client, tmp_path: Path) -> None:
    form = {"preprocess": "crop", "still_mode": "true", "enhancer": "none"}
    address = client.url.replace("://", f"://avatar:{TOKEN}@")
    answer = Client(address, token=None)("POST", "/generate", files=files(), data=form)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "video/mp4")
    (tmp_path / "video.mp4").write_bytes(answer.content)
    assert probe_video(tmp_path / "video.mp4").frames > 5


def test_an_old_client_reads_what_went_wrong(client: Client, running: Running) -> None:
    running.painter.printed = ("GFPGAN: exit status 1",)
    form = {"enhancer": "gfpgan", "options": json.dumps({"fail": "enhancer_crashed"})}
    answer = client("POST", "/generate", files=files(), data=form)
    assert answer.status_code == 500
    told = answer.json()
    assert "GFPGAN: exit status 1" in told["error"]
    assert set(told) == {"error", "stdout", "command"}
    wrong = client("POST", "/generate", files=files(), data={"preprocess": "; rm -rf /"})
    assert wrong.status_code == 400
    assert isinstance(wrong.json()["error"], str)


def test_an_old_client_that_was_cut_off_gets_the_video_that_was_begun(tmp_path: Path) -> None:
    gate = threading.Event()
    painter = Painter(tmp_path, go=gate.is_set)
    with serving(tmp_path, painter, Limits(generate_seconds=0.05)) as running:
        late = running.client("POST", "/generate", files=files())
        assert (late.status_code, "timeout" in late.json()["error"]) == (500, True)
        gate.set()
        (job,) = running.service.table._jobs
        running.client.ended(job)
        assert running.client("POST", "/generate", files=files()).status_code == 200
        assert len(painter.tasks) == 1
        other = files(audio=("b.wav", sound_bytes(0.7)))
        running.client("POST", "/generate", files=other)
        running.client.ended(list(running.service.table._jobs)[-1])
        assert len(painter.tasks) == 2


def test_waiters_leave_threads_for_the_others(tmp_path: Path) -> None:
    gate = threading.Event()
    painter = Painter(tmp_path, go=gate.is_set)
    with serving(tmp_path, painter, Limits(threads=6)) as running:
        job = running.client.submit().json()["id"]
        painter.begun.acquire()
        while running.client.job(job)["stage"] is None:
            pass
        url = running.client.url
        threads = [threading.Thread(target=Client(url).job, args=(job, 25)) for _ in range(12)]
        for thread in threads:
            thread.start()
        assert running.client("GET", "/health").status_code == 200
        gate.set()
        for thread in threads:
            thread.join()
