"""What strangers and broken clients send: refused without harm, whatever it is."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends.colab.server.access import Token
from backends.colab.server.app import create_app
from backends.colab.server.limits import Limits
from backends.colab.server.refusals import Refusal
from backends.colab.server.table import Order
from support_media import write_sound
from support_serve import (
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

SMALL = Limits(image_bytes=200_000, audio_bytes=200_000, audio_seconds=2.0)
HASTY = Limits(head_seconds=0.4, body_seconds=0.8, idle_seconds=0.4, connections=200)
BEARER = f"Authorization: Bearer {TOKEN}\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("server"), limits=SMALL) as running:
        yield running


def talk(running: Running, *parts: bytes) -> bytes:
    """Send ``parts`` and return all that comes back until the server hangs up."""
    with running.raw() as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
        return listen(connection)


def listen(connection: socket.socket) -> bytes:
    told = b""
    try:
        while chunk := connection.recv(65536):
            told += chunk
    except ConnectionError:
        pass
    return told


def refused(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"X-Avatar-Server: " in head
    assert b"X-Avatar-Protocol: 1" in head
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def incoming(running: Running) -> list[str]:
    """What is left of uploads that were not taken."""
    return [str(path) for path in (running.service.shelf.folder / "incoming").iterdir()]


def alive(running: Running) -> bool:
    return Client(running.client.url)("GET", "/health").json()["ready"] is True


def reached(running: Running) -> bool:
    """The same where the server is so hasty that a busy machine may have its clients cut off."""
    for _ in range(50):
        try:
            return alive(running)
        except requests.ConnectionError:
            continue
    return False


@pytest.mark.parametrize("token, wanted", [
    (None, "token_missing"), ("", "token_missing"), ("wrong-token-of-some-length", "token_wrong"),
    (TOKEN[:-1], "token_wrong"), (TOKEN + "x", "token_wrong"), (TOKEN.upper(), "token_wrong"),
    ("\u00e9" * 16, "token_wrong"),
])  # fmt: skip
@pytest.mark.parametrize("method, path", [
    ("GET", "/engines"), ("GET", "/v1/jobs?key=a"), ("GET", "/v1/jobs/x"), ("DELETE", "/v1/jobs/x"),
    ("POST", "/v1/jobs"), ("POST", "/generate"), ("GET", "/nothing"), ("GET", "//health"),
])  # fmt: skip
def test_nothing_but_health_is_done_without_the_token(
    running: Running, token: str | None, wanted: str, method: str, path: str
) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    answer = Client(running.client.url, token=None)(method, path, headers=headers)
    assert (answer.status_code, code(answer)) == (401, wanted)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", [
    "Basic", "Basic !!!", "Basic YTpi", "Basic " + "A" * 5000, f"Digest {TOKEN}", TOKEN, "Bearer",
    f"Bearer {TOKEN}, Bearer {TOKEN}",
])  # fmt: skip
def test_an_odd_way_to_bring_a_token_is_no_way(running: Running, header: str) -> None:
    answer = Client(running.client.url, token=None)(
        "GET", "/engines", headers={"Authorization": header}
    )
    assert answer.status_code == 401


@given(st.text(max_size=60))
def test_no_other_text_opens(text: str) -> None:
    token = Token(TOKEN)
    assert token.opens(f"Bearer {text}") is (text.strip() == TOKEN)
    assert token.opens(text) is (text.strip() == f"Bearer {TOKEN}")


def test_a_stranger_s_upload_is_refused_before_it_is_sent(running: Running) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    assert refused(talk(running, head)) == (401, "token_missing")
    expecting = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    assert refused(talk(running, expecting)) == (401, "token_missing")


@pytest.mark.parametrize("length", [2 << 30, 1 << 62, 10**30])
@pytest.mark.parametrize("path", ["/v1/jobs", "/generate", "/health", "/engines"])
def test_two_gigabytes_are_refused_by_what_the_head_says(
    running: Running, length: int, path: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\n{BEARER}Content-Length: {length}\r\n\r\n"
    assert refused(talk(running, head.encode(), b"x" * 1000)) == (413, "body_too_large")


def test_a_body_without_end_is_cut_off_at_the_limit(running: Running) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\n{BEARER}Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with running.raw() as connection:
        connection.sendall(head.encode())
        try:
            while sent < 50 * SMALL.body_bytes:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    # Beyond the limit there is only what the system's own buffers hold.
    assert sent < 20 * SMALL.body_bytes
    assert alive(running)


@pytest.mark.parametrize("opening", [b"5;", b"0\r\nX-A: "])
def test_a_chunk_s_line_without_end_is_cut_off(running: Running, opening: bytes) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\n{BEARER}Transfer-Encoding: chunked\r\n\r\n"
    assert refused(talk(running, head.encode() + opening + b"a" * 17_000)) == (400, "bad_request")
    assert alive(running)


@pytest.mark.parametrize("head", [
    "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 1e9\r\n\r\n",
    "GET /health HTTP/1.1\r\nHost a\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 without an end of line",
    "get /health HTTP/1.1\r\n\r\n",
    "GET /health HTTP/1.1\r\nX: " + "x" * 40_000 + "\r\n\r\n",
    "GET /health HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST /v1/jobs HTTP/1.1\r\n" + BEARER + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
])  # fmt: skip
def test_what_is_no_http_is_refused_in_our_form(running: Running, head: str) -> None:
    status, _ = refused(talk(running, head.encode("latin-1")))
    assert 400 <= status <= 501
    assert alive(running)


@pytest.mark.parametrize("path", [
    "/v1/jobs/../../etc/passwd", "/v1/jobs/..%2f..%2fetc%2fpasswd/video", "/../../etc/passwd",
    "/v1/jobs/%00/video", "/static/x", "/v1/jobs/%2e%2e/video", "//etc/passwd",
    "http://elsewhere/v1/jobs/x",
])  # fmt: skip
def test_no_path_leads_out(running: Running, path: str) -> None:
    head = f"GET {path} HTTP/1.0\r\n{BEARER}\r\n"
    status, told = refused(talk(running, head.encode()))
    assert (status, told) in [(404, "no_such_page"), (404, "no_such_job")]


def test_a_page_of_another_site_cannot_use_a_browser_that_knows_the_token(
    running: Running,
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = running.client("POST", "/v1/jobs", files=files(), headers=headers)
    assert (answer.status_code, code(answer)) == (403, "cross_site")


def bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that says to be ``side`` pixels wide and high."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(
            ">I", zlib.crc32(name + body))  # fmt: skip

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(
        b"IDAT", zlib.compress(b"\0" * 2_000_000)) + chunk(b"IEND", b"")  # fmt: skip


def profile_bomb() -> bytes:
    """A small PNG whose colour profile unpacks to 200 MB."""
    packer, body = zlib.compressobj(9), b""
    for _ in range(200):
        body += packer.compress(b"\0" * 1_000_000)
    body = b"icc\0\0" + body + packer.flush()
    whole = picture_bytes()
    return whole[:33] + struct.pack(">I", len(body)) + b"iCCP" + body + struct.pack(
        ">I", zlib.crc32(b"iCCP" + body)) + whole[33:]  # fmt: skip


def cut_picture() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(stream, "PNG")
    return stream.getvalue()[:1500]


PICTURES = {
    "a zip bomb": lambda: bomb(60_000),
    "a bomb at the limit of 32 bits": lambda: bomb(2**31 - 1),
    "a script": lambda: b"#!/bin/sh\nrm -rf /\n",
    "a web page": lambda: b"<html><script>alert(1)</script></html>",
    "a drawing that runs code": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n",
    "an SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///x"/></svg>',
    "nothing": lambda: b"",
    "half a picture": cut_picture,
    "a sound": sound_bytes,
}


@pytest.mark.parametrize("what", PICTURES)
def test_only_pictures_are_taken_for_pictures(running: Running, what: str) -> None:
    sent = files(image=("lan.png", PICTURES[what](), "image/png"))
    answer = running.client("POST", "/v1/jobs", files=sent)
    assert (answer.status_code, code(answer)) == (415, "not_a_picture")
    assert "/" not in answer.json()["error"]["message"].replace("and/or", "")
    assert incoming(running) == []


def test_a_colour_profile_that_unpacks_without_end_does_no_harm(running: Running) -> None:
    sent = files(image=("lan.png", profile_bomb(), "image/png"))
    assert running.client("POST", "/v1/jobs", files=sent).status_code in (202, 415)
    assert alive(running)


SOUNDS = {
    "a playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n",
    "a list of files": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "a script": b"#!/bin/sh\nreboot\n",
    "an empty WAV": b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
    b"data\0\0\0\0",
    "half a head": b"RIFF\xff\xff\xff\xffWAVE",
    "nothing": b"",
    "an empty film": b"\0\0\0\x18ftypisom\0\0\0\0isomiso2",
    "a picture": picture_bytes(),
}  # fmt: skip


@pytest.mark.parametrize("what", SOUNDS)
def test_only_sounds_are_taken_for_sounds(running: Running, what: str) -> None:
    sent = files(audio=("say.wav", SOUNDS[what]))
    answer = running.client("POST", "/v1/jobs", files=sent)
    assert (answer.status_code, code(answer)) == (415, "not_a_sound")
    assert "passwd" not in answer.text
    assert incoming(running) == []


def test_days_of_silence_in_a_small_file_are_not_decoded(running: Running, tmp_path: Path) -> None:
    silence = write_sound(tmp_path / "long.flac", "flac", 40.0, 8000).read_bytes()
    sent = files(audio=("long.flac", silence))
    assert len(silence) < SMALL.audio_bytes
    answer = running.client("POST", "/v1/jobs", files=sent)
    assert (answer.status_code, code(answer)) == (422, "audio_too_long")


@pytest.mark.parametrize("codec, name", [("flac", "a.flac"), ("libmp3lame", "a.mp3"),
                                         ("aac", "a.m4a"), ("libopus", "a.ogg")])  # fmt: skip
def test_sounds_of_every_common_kind_are_taken(
    running: Running, tmp_path: Path, codec: str, name: str
) -> None:
    sound = write_sound(tmp_path / name, codec, 0.5).read_bytes()
    answer = running.client("POST", "/v1/jobs", files=files(audio=("x", sound)))
    assert answer.status_code == 202, answer.text
    assert running.client.ended(answer.json()["id"])["state"] == "done"
    assert running.painter.tasks[-1].audio.suffix == Path(name).suffix


@pytest.mark.parametrize("name, size, wanted", [
    ("image", 200_001, "image_too_large"), ("audio", 200_001, "audio_too_large"),
    ("image", 700_000, "body_too_large"),
])  # fmt: skip
def test_each_file_has_its_limit(running: Running, name: str, size: int, wanted: str) -> None:
    answer = running.client("POST", "/v1/jobs", files=files(**{name: ("x", b"x" * size)}))
    assert (answer.status_code, code(answer)) == (413, wanted)


@pytest.mark.parametrize("name", [
    "../../x", "/etc/passwd", "..\\..\\x", "$(reboot).png", "`reboot`", "a'b\"c.png", "x;y|z&.png",
    "\u202egnp.exe", "a" * 5000, ".", "..", "con.png", "-rf",
])  # fmt: skip
def test_no_name_of_a_client_reaches_the_disk(running: Running, name: str) -> None:
    sent = {"image": (name, picture_bytes()), "audio": (name, sound_bytes())}
    answer = running.client("POST", "/v1/jobs", files=sent)
    assert answer.status_code == 202
    running.client.ended(answer.json()["id"])
    task = running.painter.tasks[-1]
    assert (task.image.name, task.audio.name) == ("image.png", "audio.wav")
    assert task.image.parent.parent == running.service.shelf.folder / "jobs"


def test_a_form_of_many_parts_is_refused(running: Running) -> None:
    sent = {f"field{n}": "x" for n in range(100)}
    answer = running.client("POST", "/v1/jobs", data=sent, files=files())
    assert answer.status_code == 413
    long = running.client("POST", "/v1/jobs", data={"options": "x" * 100_000}, files=files())
    assert long.status_code == 413


@pytest.mark.skipif(os.name != "posix", reason="files are limited as systems like Unix do it")
@pytest.mark.parametrize("size", [650_000, 3_000_000])
def test_an_upload_that_the_disk_has_no_room_for_is_told_so(tmp_path: Path, size: int) -> None:
    """Small ones fail while the form is read, large ones while they come in."""
    import resource

    with serving(tmp_path) as running:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, before[1]))
        try:
            sent = files(image=("lan.png", b"x" * size))
            answer = running.client("POST", "/v1/jobs", files=sent)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (answer.status_code, code(answer)) == (503, "no_room")
        assert incoming(running) == []
        assert running.client.submit().status_code == 202


def test_ten_thousand_orders_leave_a_bounded_queue(tmp_path: Path) -> None:
    painter = Painter(tmp_path, go=lambda: False)
    with serving(tmp_path, painter, Limits(waiting=5)) as running:
        client = create_app(running.service).test_client()
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        statuses = {202: 0, 429: 0}
        while statuses[202] < 6:
            answer = running.client.submit()
            statuses[answer.status_code] += 1
            if not painter.tasks:
                painter.begun.acquire()
        for number in range(500):
            headers = {**bearer, "Idempotency-Key": str(number)}
            statuses[client.post("/v1/jobs", data=b"x", headers=headers).status_code] += 1
        # What HTTP adds to the others is only time.
        order = Order(tmp_path, "image.png", "audio.wav", 1.0, "paint", {}, "content")
        for _ in range(9_500):
            with pytest.raises(Refusal):
                running.service.table.submit(order)
        assert statuses[202] == 6
        assert len(list((running.service.shelf.folder / "jobs").iterdir())) == 6
        assert running.client.submit().status_code == 429


@pytest.mark.parametrize("drops", ["head", "body", "silence"])
def test_who_sends_drop_by_drop_is_cut_off(tmp_path: Path, drops: str) -> None:
    with serving(tmp_path, limits=HASTY) as running:
        heads = {
            "head": b"GET /health HTTP/1.1\r\nX-A: ",
            "body": f"POST /v1/jobs HTTP/1.1\r\n{BEARER}Content-Length: 9999\r\n\r\n".encode(),
            "silence": b"",
        }
        with running.raw() as connection:
            connection.sendall(heads[drops])
            ended = threading.Event()

            def drip() -> None:
                while drops != "silence" and not ended.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

            thread = threading.Thread(target=drip)
            thread.start()
            assert listen(connection) == b""
            ended.set()
            thread.join()
        assert reached(running)


def test_many_who_drip_do_not_keep_others_out(tmp_path: Path) -> None:
    from dataclasses import replace

    with serving(tmp_path, limits=replace(HASTY, connections=40)) as running:
        crowd = [running.raw() for _ in range(60)]
        for one in crowd:
            one.sendall(b"GET /health HTTP/1.1\r\nX-A: ")
        assert reached(running)
        for one in crowd:
            one.close()


def test_who_does_not_read_is_hung_up_on(tmp_path: Path) -> None:
    with serving(tmp_path, limits=HASTY) as running:
        job = running.client.ended(running.client.submit().json()["id"])["id"]
        running.service.shelf.video(job).write_bytes(b"\0" * 30_000_000)
        with running.raw() as connection:
            head = f"GET /v1/jobs/{job}/video HTTP/1.1\r\n{BEARER}\r\n"
            connection.sendall(head.encode())
            channels = running.http._server.active_channels
            while any(channel.total_outbufs_len for channel in list(channels.values())):
                assert reached(running)
