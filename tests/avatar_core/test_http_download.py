"""Files over HTTP: complete or not there at all, and never a web page that is called a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Cancelled, Category, DiskFull, EnvironmentFault
from avatar_core.http import HttpClient
from avatar_core.testing.http_server import ScriptedServer
from avatar_core.testing.http_steps import (
    Answer,
    Cut,
    Recorded,
    Reply,
    ServerStep,
    Silence,
    redirect,
)

C = Category
SHORT = 0.15
VIDEO = b"\x00\x00\x00\x20ftypisom" + bytes(range(256)) * 900
MP4 = {"Content-Type": "video/mp4"}
OFFLINE = "<!DOCTYPE html><html><body>ERR_NGROK_3200</body></html>"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clip.mp4"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def client_of(server: ScriptedServer) -> HttpClient:
    return HttpClient(server.url, name="Colab", auth="Bearer abcdefgh")


@pytest.mark.parametrize(
    "step",
    [
        Answer(200, VIDEO, MP4),
        Answer(200, VIDEO, MP4, chunked=True),
        Answer(200, VIDEO, MP4, bare=True),
        Answer(201, VIDEO, {"Content-Type": "application/octet-stream"}),
        Answer(200, VIDEO, {"Content-Type": "text/html"}),
        Answer(200, VIDEO[:10], MP4),
    ],
)
def test_a_file_arrives_whole(server: ScriptedServer, target: Path, step: Answer) -> None:
    server.on("GET", "/v.mp4", step)
    answer = client_of(server).download("/v.mp4", target)
    assert target.read_bytes() == step.body
    assert (answer.status, answer.body) == (step.status, b"")
    assert names(target.parent) == [target.name]


def test_a_file_may_be_the_answer_to_an_upload(server: ScriptedServer, target: Path) -> None:
    server.on("POST", "/generate", Answer(200, VIDEO, MP4))
    client_of(server).download(
        "/generate", target, method="POST", files={"image": ("f.png", b"p", "image/png")}
    )
    assert target.read_bytes() == VIDEO
    assert server.requests[0].form()["image"].filename == "f.png"


FAULTS: list[tuple[str, Reply, Category]] = [
    ("half a file", Answer(200, VIDEO, MP4, only=len(VIDEO) // 2), C.CONNECTIVITY),
    ("half a file, reset", Answer(200, VIDEO, MP4, only=99_000, reset=True), C.CONNECTIVITY),
    ("half a chunked file", Answer(200, VIDEO, MP4, only=99_000, chunked=True), C.CONNECTIVITY),
    ("headers alone", Answer(200, VIDEO, MP4, only=0), C.CONNECTIVITY),
    ("a file in drops", Answer(200, VIDEO, MP4, drip=0.01), C.TIMEOUT),
    ("silence", Silence(), C.TIMEOUT),
    ("nothing", Answer(200, b"", MP4), C.BAD_OUTPUT),
    ("no content", Answer(204), C.BAD_OUTPUT),
    ("HTML as MP4", Answer(200, "<html>Hello</html>", MP4), C.BAD_OUTPUT),
    ("HTML", Answer(200, "<html>" + "x" * 100_000), C.BAD_OUTPUT),
    ("JSON as MP4", Answer(200, b' {"error": "No video generated"}', MP4), C.BAD_OUTPUT),
    ("XML as MP4", Answer(200, b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", MP4), C.BAD_OUTPUT),
    ("words as MP4", Answer(200, b"Bad gateway", MP4), C.BAD_OUTPUT),
    ("words of another code page", Answer(200, b"Fran\xe7ais", {"Content-Type": "text/plain"}),
     C.BAD_OUTPUT),
    ("a page that breaks off", Answer(200, "<html>Hello</html>", MP4, only=8), C.CONNECTIVITY),
    ("a tunnel's page", Answer(200, OFFLINE, MP4), C.CONNECTIVITY),
    ("too much", Answer(200, VIDEO * 2, MP4), C.BAD_OUTPUT),
    ("too much, unannounced", Answer(200, VIDEO * 2, MP4, chunked=True), C.BAD_OUTPUT),
    ("an error", Answer(500, {"error": "No video generated"}), C.SERVER),
]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "category"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_fault_leaves_the_old_file_and_nothing_else(
    server: ScriptedServer, target: Path, step: Reply, category: Category
) -> None:
    target.write_bytes(b"old")
    server.on("GET", "/v.mp4", step)
    seconds = SHORT if category is C.TIMEOUT else 30
    with pytest.raises(AvatarError) as caught:
        client_of(server).download("/v.mp4", target, seconds=seconds, max_bytes=len(VIDEO))
    assert caught.value.category is category, caught.value.message
    assert target.read_bytes() == b"old"
    assert names(target.parent) == [target.name]


def test_the_service_s_own_words_in_place_of_a_video_are_told(
    server: ScriptedServer, target: Path
) -> None:
    server.then(Answer(200, {"error": "No video generated"}, MP4))
    with pytest.raises(AvatarError, match="in place of a file: No video generated"):
        client_of(server).download("/v.mp4", target)


@pytest.mark.parametrize("step", [Cut(), Answer(200, VIDEO, MP4, only=9), Answer(500)])
def test_an_order_whose_video_is_lost_is_left_open(
    server: ScriptedServer, target: Path, step: Reply
) -> None:
    server.then(step)
    with pytest.raises(AvatarError) as caught:
        client_of(server).download("/generate", target, method="POST", order=True)
    assert caught.value.unanswered


def test_a_signed_link_elsewhere_gets_no_credentials(server: ScriptedServer, target: Path) -> None:
    with ScriptedServer() as storage:
        storage.on("GET", "/v.mp4", Answer(200, VIDEO, MP4))
        server.on("GET", "/result", redirect(f"{storage.url}/v.mp4?Signature=x"))
        client_of(server).download(f"{storage.url}/v.mp4?Signature=x", target)
        client_of(server).download("/result", target)
        assert [asked.query for asked in storage.requests] == [{"Signature": "x"}] * 2
        assert not any("authorization" in asked.headers for asked in storage.requests)


def test_a_link_that_has_run_out_is_no_fault_of_the_key(
    server: ScriptedServer, target: Path
) -> None:
    server.then(Answer(403, "<Error><Code>AccessDenied</Code><Message>Expired</Message></Error>"))
    with pytest.raises(AvatarError, match="AccessDenied: Expired") as caught:
        client_of(server).download("/v.mp4", target)
    assert caught.value.category is C.CONNECTIVITY


def test_a_cancelled_download_leaves_nothing(server: ScriptedServer, target: Path) -> None:
    token = CancelToken()

    def begin(asked: Recorded) -> ServerStep:
        token.cancel()
        return Answer(200, VIDEO, MP4, drip=0.01, bare=True)

    server.then(begin)
    with pytest.raises(Cancelled):
        client_of(server).download("/v.mp4", target, seconds=30, cancel=token)
    assert names(target.parent) == []


def test_a_folder_that_is_not_there_is_no_fault_of_the_service(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.then(Answer(200, VIDEO, MP4))
    with pytest.raises(EnvironmentFault, match=r"v\.mp4 cannot be written: No such file"):
        client_of(server).download("/v.mp4", tmp_path / "missing" / "v.mp4")


def test_a_target_that_is_a_folder_is_no_fault_of_the_service(
    server: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "v.mp4").mkdir()
    server.then(Answer(200, VIDEO, MP4))
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        client_of(server).download("/v.mp4", tmp_path / "v.mp4")
    assert names(tmp_path) == ["v.mp4"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    from avatar_core.http_answer import PartFile

    with pytest.raises(DiskFull, match="full"), PartFile(tmp_path / "v.mp4") as part:
        # The file beside the target, where writing fails as on a full disk.
        part.path.symlink_to("/dev/full")
        part.write(b"x" * 100_000)
    assert names(tmp_path) == []
