"""The scripted server, asked with the standard library's client: it does what it says."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, IncompleteRead, RemoteDisconnected

import pytest

from avatar_core.testing import (
    Answer,
    Cut,
    Raw,
    Recorded,
    ScriptedServer,
    Silence,
    redirect,
)
from avatar_core.testing.http_steps import ServerStep


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def ask(server: ScriptedServer, method: str = "GET", path: str = "/", body: bytes | None = None
        ) -> HTTPResponse:  # fmt: skip
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body)
    return connection.getresponse()


def test_a_route_plays_its_steps_in_turn_and_stays_at_the_last(server: ScriptedServer) -> None:
    server.on("GET", "/a", Answer(503), Answer(200, "ok"))
    assert [ask(server, "GET", "/a?x=1").status for _ in range(4)] == [503, 200, 200, 200]
    assert server.count("GET", "/a") == 4


def test_what_is_said_for_the_next_requests_comes_before_all_routes(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/a", Answer(200)).then(Answer(429), Answer(500))
    assert [ask(server, "GET", path).status for path in ("/a", "/b", "/a")] == [429, 500, 200]


def test_a_route_may_be_given_a_new_script(server: ScriptedServer) -> None:
    server.on("GET", "/a", Answer(200)).on("GET", "/a", Answer(404))
    assert ask(server, "GET", "/a").status == 404


def test_what_no_script_foresees_is_answered_so_that_it_is_noticed(server: ScriptedServer) -> None:
    answer = ask(server, "PURGE", "/x")
    assert answer.status == 501
    assert b"no answer to PURGE /x" in answer.read()


def test_a_double_with_a_memory_answers_what_no_script_foresees() -> None:
    asked: list[str] = []

    def remember(request: Recorded) -> Answer:
        asked.append(f"{request.method} {request.path}")
        return Answer(200, {"asked": len(asked)})

    with ScriptedServer(otherwise=remember) as server:
        server.on("GET", "/broken", Answer(500))
        answers = [ask(server, "GET", path) for path in ("/a/1", "/broken", "/a/2")]
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert asked == ["GET /a/1", "GET /a/2"]


def test_a_request_is_kept_as_it_came(server: ScriptedServer) -> None:
    server.on("PUT", "/a", Answer())
    ask(server, "PUT", "/a?x=1&y=%20&x=2", b'{"n": 1}')
    (asked,) = server.requests
    assert (asked.method, asked.path, asked.query) == ("PUT", "/a", {"x": "2"} | {"y": " "})
    assert (asked.json(), asked.complete) == ({"n": 1}, True)
    assert asked.headers["content-length"] == "8"


def test_a_step_may_be_a_function_with_a_memory(server: ScriptedServer) -> None:
    jobs: list[bytes] = []

    def create(asked: Recorded) -> ServerStep:
        jobs.append(asked.body)
        return Answer(201, {"id": len(jobs)})

    server.on("POST", "/jobs", create)
    assert [ask(server, "POST", "/jobs", b"x").read() for _ in range(2)] == [
        b'{"id": 1}', b'{"id": 2}']  # fmt: skip


def test_an_error_in_such_a_function_is_not_swallowed() -> None:
    def broken(asked: Recorded) -> ServerStep:
        raise KeyError(asked.path)

    with pytest.raises(KeyError, match="/a"), ScriptedServer() as server:
        server.on("GET", "/a", broken)
        assert ask(server, "GET", "/a").status == 500


def test_silence_ends_when_the_server_stops() -> None:
    ended = threading.Event()

    def wait(server: ScriptedServer) -> None:
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            ask(server)
        ended.set()

    with ScriptedServer() as server:
        server.then(Silence())
        threading.Thread(target=wait, args=(server,)).start()
        while not server.requests:
            threading.Event().wait(0.001)
        assert not ended.is_set()
    assert ended.wait(60)


def test_each_way_to_end_a_connection_looks_like_it(server: ScriptedServer) -> None:
    server.then(Cut(), Cut(reset=False))
    with pytest.raises(ConnectionResetError):
        ask(server)
    with pytest.raises(RemoteDisconnected):
        ask(server)


def test_a_body_that_breaks_off_keeps_its_promised_length(server: ScriptedServer) -> None:
    server.then(Answer(200, b"x" * 10, only=4), Answer(200, b"x" * 10, length=99))
    for length, sent in ((10, 4), (99, 10)):
        answer = ask(server)
        assert answer.headers["content-length"] == str(length)
        with pytest.raises(IncompleteRead) as caught:
            answer.read()
        assert caught.value.partial == b"x" * sent


def test_an_upload_may_be_cut_or_answered_halfway(server: ScriptedServer) -> None:
    server.then(Cut(upload_bytes=3), Answer(413, upload_bytes=3))
    with pytest.raises((ConnectionResetError, BrokenPipeError, RemoteDisconnected)):
        ask(server, "POST", "/", b"x" * 10_000_000)
    # Whether the answer outruns the reset is the system's choice.
    with contextlib.suppress(OSError):
        assert ask(server, "POST", "/", b"x" * 10).status == 413
    assert [(asked.body, asked.complete) for asked in server.requests] == [(b"xxx", False)] * 2


def test_bodies_are_sent_with_a_fitting_type(server: ScriptedServer) -> None:
    server.then(*(Answer(200, body) for body in ({"a": 1}, "<p>", "text", b"\0")))
    types = [ask(server).headers["content-type"].partition(";")[0] for _ in range(4)]
    assert types == ["application/json", "text/html", "text/plain", "application/octet-stream"]


def test_a_body_may_come_in_drops_in_chunks_and_bare(server: ScriptedServer) -> None:
    server.then(*(Answer(200, b"abc", drip=0.001, **how)  # type: ignore[arg-type]
                  for how in ({}, {"chunked": True}, {"bare": True})))  # fmt: skip
    assert [ask(server).read() for _ in range(3)] == [b"abc"] * 3


def test_a_raw_answer_and_a_redirect_go_out_as_they_are(server: ScriptedServer) -> None:
    server.then(Raw(b"HTTP/1.1 299 Odd\r\n\r\n"), redirect("/there", 307))
    assert ask(server).reason == "Odd"
    answer = ask(server)
    assert (answer.status, answer.headers["location"]) == (307, "/there")


def test_the_answer_to_head_has_no_body(server: ScriptedServer) -> None:
    server.then(Answer(200, b"abc"))
    answer = ask(server, "HEAD")
    assert (answer.headers["content-length"], answer.read()) == ("3", b"")


def test_a_server_may_be_closed_twice_and_before_it_started() -> None:
    server = ScriptedServer()
    server.close()
    server.close()


def test_a_route_without_a_step_is_a_mistake(server: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="at least one step"):
        server.on("GET", "/")
