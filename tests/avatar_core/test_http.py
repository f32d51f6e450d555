"""The HTTP client against a real server that does everything wrong, in short real time."""

from __future__ import annotations

import math
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from avatar_core.cancel import CancelToken
from avatar_core.clock import SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.http import HttpClient
from avatar_core.http_tables import Hint
from avatar_core.testing.clock import VirtualClock
from avatar_core.testing.http_server import ScriptedServer
from avatar_core.testing.http_steps import (
    Answer,
    Cut,
    Raw,
    Recorded,
    Reply,
    ServerStep,
    Silence,
    Wire,
    redirect,
)
from support_policy import LeapingClock

C = Category
SHORT = 0.15
# For what does not depend on time, however busy the machine is.
AMPLE = 600.0
LARGE = b"x" * 20_000_000


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


class FromArrival(SystemClock):
    """Its seconds begin when the server has a request: a busy machine may send it late."""

    def __init__(self, server: ScriptedServer) -> None:
        # A clock that is patient with what is cancelled: only the client itself ends it at once.
        super().__init__(grace=AMPLE)
        self._server = server
        self._start: float | None = None

    def __call__(self) -> float:
        if self._start is None and self._server.requests:
            self._start = super().__call__()
        return 0.0 if self._start is None else super().__call__() - self._start


def client_of(server: ScriptedServer) -> HttpClient:
    return HttpClient(
        server.url, name="D-ID", auth=("user", "password-1"), clock=FromArrival(server)
    )


def limit_for(category: Category) -> float:
    return SHORT if category is C.TIMEOUT else AMPLE


def failure(client: HttpClient, method: str = "POST", path: str = "/talks", **options: object
            ) -> AvatarError:  # fmt: skip
    with pytest.raises(AvatarError) as caught:
        client.request(method, path, **options)  # type: ignore[arg-type]
    return caught.value


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def http_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name in ("timed-call", "http-cancel")]


# --- what goes right -----------------------------------------------------------------------


def test_a_request_goes_out_and_its_answer_comes_back(server: ScriptedServer) -> None:
    server.on("POST", "/talks", Answer(201, {"id": "tlk_1"}, {"Retry-After": "5"}))
    with client_of(server) as client:
        answer = client.request("post", "/talks", json={"name": "job-1"}, params={"a": "b c"})
    assert (answer.status, answer.fields(), answer.retry_after) == (201, {"id": "tlk_1"}, 5.0)
    assert answer.headers["content-TYPE"] == "application/json"
    (asked,) = server.requests
    assert (asked.json(), asked.query) == ({"name": "job-1"}, {"a": "b c"})
    assert asked.headers["authorization"] == "Basic dXNlcjpwYXNzd29yZC0x"
    assert asked.headers["user-agent"].startswith("avatar-core/")
    assert asked.headers["accept-encoding"] == "identity"


def test_a_form_with_files_arrives_with_its_names_and_types(server: ScriptedServer) -> None:
    server.on("POST", "/generate", Answer())
    client_of(server).request(
        "POST", "/generate", data={"enhancer": "none"},
        files={"image": ("face.png", b"\x89PNG", "image/png")},
    )  # fmt: skip
    form = server.requests[0].form()
    assert form["enhancer"].content == b"none"
    image = form["image"]
    assert (image.content, image.filename, image.content_type) == (
        b"\x89PNG", "face.png", "image/png")  # fmt: skip


def test_a_time_without_end_is_a_time_too(server: ScriptedServer) -> None:
    server.then(Answer(200, b"ok"))
    assert client_of(server).request("GET", "/", seconds=math.inf).body == b"ok"


@pytest.mark.parametrize("path", ["talks/1", "/talks/1"])
def test_a_path_is_put_after_the_base_address(server: ScriptedServer, path: str) -> None:
    server.on("GET", "/api/talks/1", Answer())
    HttpClient(f" {server.url}/api/ ").request("GET", path)
    assert server.count("GET", "/api/talks/1") == 1


def test_a_status_that_is_expected_is_no_error(server: ScriptedServer) -> None:
    server.on("GET", "/talks/1", Answer(404, {"kind": "NotFoundError"}))
    answer = client_of(server).request("GET", "/talks/1", accept=(404,))
    assert (answer.status, answer.fields()["kind"]) == (404, "NotFoundError")


def test_an_answer_does_not_show_its_content_where_it_is_printed(server: ScriptedServer) -> None:
    server.then(Answer(200, {"user": {"email": "me@example.com"}}))
    assert "example.com" not in repr(client_of(server).request("GET", "/"))


@pytest.mark.parametrize("body", ["<html>", "[1]", "", "[" * 50_000])
def test_an_answer_that_should_be_an_object_and_is_not(server: ScriptedServer, body: str) -> None:
    server.then(Answer(200, body))
    answer = client_of(server).request("POST", "/talks", order=True)
    with pytest.raises(AvatarError, match="is not JSON") as caught:
        answer.fields()
    assert (caught.value.category, caught.value.unanswered) == (C.SERVER, True)


def test_a_tunnel_s_page_in_place_of_json_is_known(server: ScriptedServer) -> None:
    server.then(Answer(200, "<html>ERR_NGROK_3200</html>"))
    with pytest.raises(AvatarError, match="tunnel that is closed") as caught:
        client_of(server).request("POST", "/talks", order=True).json()
    assert (caught.value.category, caught.value.unanswered) == (C.CONNECTIVITY, False)


def test_nothing_is_kept_between_requests(server: ScriptedServer) -> None:
    server.then(Answer(headers={"Set-Cookie": "session=1"}))
    server.on("GET", "/", Answer())
    client = client_of(server)
    client.request("GET", "/")
    client.request("GET", "/")
    assert "cookie" not in server.requests[1].headers
    assert server.requests[1].headers["connection"] == "close"


def test_many_threads_share_a_client(server: ScriptedServer) -> None:
    def echo(asked: Recorded) -> ServerStep:
        return Answer(200, {"n": asked.query["n"]})

    server.on("GET", "/", echo)
    client, seen = client_of(server), []

    def ask(number: int) -> None:
        seen.append(
            client.request("GET", "/", params={"n": str(number)}).fields()["n"] == str(number)
        )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 40


def test_a_closed_client_may_be_closed_again_and_used_again(server: ScriptedServer) -> None:
    server.on("GET", "/", Answer())
    client = client_of(server)
    client.request("GET", "/")
    client.close()
    client.close()
    assert client.request("GET", "/").status == 200


def test_importing_the_client_imports_no_library() -> None:
    code = (
        "import sys, avatar_core.http; print('requests' in sys.modules, 'urllib3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


# --- what goes wrong -----------------------------------------------------------------------

# What the server does, the category, whether the order may have been accepted.
FAULTS: list[tuple[str, Reply, Category, bool]] = [
    ("silence", Silence(), C.TIMEOUT, True),
    ("a body in drops", Answer(200, b"x" * 1999, drip=0.02), C.TIMEOUT, True),
    ("chunks in drops", Answer(200, b"x" * 1999, drip=0.02, chunked=True), C.TIMEOUT, True),
    ("headers in drops", Raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500, drip=0.02), C.TIMEOUT,
     True),
    ("a reset", Cut(), C.CONNECTIVITY, True),
    ("no answer", Cut(reset=False), C.CONNECTIVITY, True),
    ("half a body", Answer(200, b"x" * 100, only=50), C.CONNECTIVITY, True),
    ("a body cut by a reset", Answer(200, b"x" * 100, only=50, reset=True), C.CONNECTIVITY, True),
    ("half a chunked body", Answer(200, b"x" * 100, only=50, chunked=True), C.CONNECTIVITY, True),
    ("a length that is too long", Answer(200, b"{}", length=9), C.CONNECTIVITY, True),
    ("two lengths", Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
     C.CONNECTIVITY, True),
    ("no HTTP", Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), C.CONNECTIVITY, True),
    ("endless headers", Raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200), C.CONNECTIVITY, True),
    ("no gzip", Answer(200, b"hello", {"Content-Encoding": "gzip"}), C.BAD_OUTPUT, True),
    ("too much", Answer(200, b"x" * 3000), C.BAD_OUTPUT, True),
    ("too much, unannounced", Answer(200, b"x" * 3000, chunked=True), C.BAD_OUTPUT, True),
    ("a bad key", Answer(401, {"message": "Unauthorized"}), C.AUTH, False),
    ("a gateway's time-out", Answer(504, {"message": "Endpoint request timed out"}), C.TIMEOUT,
     True),
    ("a status 400 that breaks off", Answer(400, b"x" * 100, only=10), C.INVALID_INPUT, False),
    ("a redirect", redirect("https://elsewhere.example/x", 301), C.UNSUPPORTED, False),
    ("a redirect after the work", redirect("/jobs/1", 303), C.UNSUPPORTED, True),
    ("not modified", Answer(304), C.SERVER, True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "category", "unanswered"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_fault_is_told_once_within_the_time(
    server: ScriptedServer, step: Reply, category: Category, unanswered: bool
) -> None:
    server.on("POST", "/talks", step)
    started = time.monotonic()
    error = failure(
        client_of(server), json={}, seconds=limit_for(category), order=True, max_bytes=2000
    )
    assert (error.category, error.unanswered) == (category, unanswered), error.message
    assert error.message.startswith(f"D-ID (127.0.0.1:{server.port}) ")
    assert time.monotonic() - started < AMPLE / 2
    assert server.count("POST", "/talks") == 1


@pytest.mark.parametrize(("step", "category"), [(row[1], row[2]) for row in FAULTS])
def test_without_an_order_nothing_is_left_open(
    server: ScriptedServer, step: Reply, category: Category
) -> None:
    server.then(step)
    error = failure(client_of(server), seconds=limit_for(category), max_bytes=2000)
    assert (error.category, error.unanswered) == (category, False)


def test_a_time_out_says_that_there_was_no_answer(server: ScriptedServer) -> None:
    server.then(Silence())
    error = failure(client_of(server), seconds=1.0)
    assert "there was no answer after 1 s" in error.message


class HalfTaken:
    """Half of an answer; the clock of ``halted`` goes on once the client reads it."""

    upload_bytes = None

    def __init__(self, halted: threading.Event) -> None:
        self._halted = halted

    def play(self, request: Recorded, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(LARGE)))
        # More than the system holds back for a client that reads nothing.
        wire.send(LARGE)
        self._halted.set()
        Silence().play(request, wire)


def test_a_time_out_says_that_an_answer_had_begun(server: ScriptedServer) -> None:
    clock = LeapingClock(2 * AMPLE)
    server.then(HalfTaken(clock.time_is_up))
    client = HttpClient(server.url, clock=clock)
    error = failure(client, seconds=AMPLE, max_bytes=3 * len(LARGE))
    assert "the answer was not complete after 600 s" in error.message


def test_what_a_time_out_leaves_behind_ends_at_once(server: ScriptedServer) -> None:
    server.then(Silence(), Raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 90, drip=0.02))
    for _ in range(2):
        failure(client_of(server), seconds=SHORT)
    deadline = time.monotonic() + 60
    while http_threads() and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    assert http_threads() == []


def test_an_upload_that_is_cut_off_was_no_order(server: ScriptedServer) -> None:
    server.on("POST", "/talks", Cut(upload_bytes=1000))
    error = failure(client_of(server), data=LARGE, order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    assert "before it had the whole request" in error.message


def test_an_upload_that_is_not_taken_in_time_was_no_order() -> None:
    # A listener that accepts (in the system's queue) and never reads.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = HttpClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        error = failure(client, data=LARGE, order=True, seconds=SHORT)
    assert (error.category, error.unanswered) == (C.TIMEOUT, False)
    assert "the request was not through" in error.message


def test_an_upload_may_take_longer_than_connecting() -> None:
    release = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                release.wait(0.25)
                left = len(LARGE)
                while left > 0 and (piece := connection.recv(1 << 20)):
                    left -= len(piece)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        client = HttpClient(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_seconds=0.1)
        assert client.request("POST", "/", data=LARGE, seconds=AMPLE).status == 200
        thread.join()


def test_an_answer_before_the_end_of_the_upload_is_heard(server: ScriptedServer) -> None:
    server.on("POST", "/talks", Answer(413, {"error": "too big"}, upload_bytes=len(LARGE) - 9))
    error = failure(client_of(server), data=LARGE, order=True)
    assert (error.category, error.unanswered) == (C.INVALID_INPUT, False)


def test_nobody_there_is_told_without_waiting() -> None:
    error = failure(HttpClient(f"http://127.0.0.1:{closed_port()}"), order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    assert "refused the connection" in error.message


def test_a_name_that_does_not_exist_is_told_so() -> None:
    error = failure(HttpClient("http://nobody.invalid"), order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    assert error.message == "nobody.invalid is not known to the network."


def test_without_time_nothing_is_sent(server: ScriptedServer) -> None:
    error = failure(client_of(server), seconds=0, order=True)
    assert (error.category, error.unanswered) == (C.TIMEOUT, False)
    assert server.requests == []


@pytest.mark.parametrize(
    "base", ["", "api.d-id.com", "ftp://host", "http://", "http://[::1", "https://a b"]
)
def test_an_address_that_is_none_is_told_at_the_first_use(base: str) -> None:
    error = failure(HttpClient(base, name="D-ID"), order=True)
    assert (error.category, error.unanswered) == (C.INVALID_INPUT, False)
    assert "D-ID" in error.message


@pytest.mark.parametrize("key", ["two\nlines-of-key", "ключ-от-сервиса"])
def test_a_key_that_no_header_can_carry_is_told_so(server: ScriptedServer, key: str) -> None:
    error = failure(HttpClient(server.url, auth=SecretStr(f"Bearer {key}")), order=True)
    assert (error.category, error.unanswered) == (C.AUTH, False)
    assert key not in error.message
    assert server.requests == []


def test_values_that_json_does_not_have_are_the_backend_s_fault(server: ScriptedServer) -> None:
    assert failure(client_of(server), json={"n": float("nan")}).category is C.BACKEND_BUG


def test_a_pause_that_is_asked_for_is_handed_on(server: ScriptedServer) -> None:
    server.then(Answer(429, headers={"Retry-After": "Thu, 01 Jan 2026 00:10:00 GMT"}))
    client = HttpClient(server.url, clock=VirtualClock())
    error = failure(client)
    assert (error.category, error.retry_after, error.status) == (C.RATE_LIMIT, 600.0, 429)


def test_a_backend_s_hints_are_asked_first(server: ScriptedServer) -> None:
    hint = Hint("face", "no face", C.INVALID_INPUT, "found no face", "Use a frontal portrait.")
    server.on("POST", "/talks", Answer(500, {"error": "no face in picture"}))
    error = failure(HttpClient(server.url, hints=[hint]))
    assert (error.category, error.advice) == (C.INVALID_INPUT, "Use a frontal portrait.")


def test_no_secret_gets_into_a_message(server: ScriptedServer) -> None:
    server.on("POST", "/talks", lambda asked: Answer(401, {"error": f"bad {dict(asked.headers)}"}))
    server.on("GET", "/v.mp4", Answer(403), Cut())
    address = server.url.replace("://", "://me:url-password@")
    client = HttpClient(SecretStr(address), headers={"x-api-key": SecretStr("key-of-another")})
    told = [failure(client)]
    told += [failure(client, "GET", "/v.mp4?Signature=s3-signature") for _ in range(2)]
    text = " ".join(f"{error} {error.advice} {error!r}" for error in told)
    for secret in ("url-password", "key-of-another", "s3-signature", "bWU6dXJs", "me:"):
        assert secret not in text


# --- cancelling ----------------------------------------------------------------------------


def cancelling(token: CancelToken, step: ServerStep) -> Reply:
    def reply(asked: Recorded) -> ServerStep:
        token.cancel()
        return step

    return reply


@pytest.mark.parametrize("step", [Silence(), Answer(200, b"x" * 5000, drip=0.01, bare=True)])
def test_a_cancelled_request_ends_at_once(server: ScriptedServer, step: ServerStep) -> None:
    token = CancelToken()
    server.then(cancelling(token, step))
    started = time.monotonic()
    with pytest.raises(Cancelled):
        client_of(server).request("GET", "/", seconds=AMPLE, cancel=token)
    assert time.monotonic() - started < AMPLE / 2


def test_what_is_cancelled_before_is_not_sent(server: ScriptedServer) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        client_of(server).request("GET", "/", cancel=token)
    assert server.requests == []


# --- credentials and redirects -------------------------------------------------------------


def test_credentials_of_an_address_are_used_and_taken_out_of_it(server: ScriptedServer) -> None:
    server.on("GET", "/x", Answer())
    HttpClient(server.url.replace("://", "://me:pass-word@")).request("GET", "/x")
    assert server.requests[0].headers["authorization"] == "Basic bWU6cGFzcy13b3Jk"


def test_another_host_is_not_told_the_credentials(
    server: ScriptedServer, other: ScriptedServer
) -> None:
    other.on("GET", "/file", Answer())
    client = HttpClient(server.url, auth="Bearer abcdefgh", headers={"X-Api-Key": "k-123456"})
    client.request("GET", f"{other.url}/file", headers={"X-Mine": "1"})
    headers = other.requests[0].headers
    assert not {"authorization", "x-api-key"} & set(headers)
    assert headers["x-mine"] == "1"


def test_a_signed_link_is_fetched_without_credentials(server: ScriptedServer) -> None:
    server.on("GET", "/file", Answer())
    client_of(server).request("GET", "/file", auth=False)
    assert "authorization" not in server.requests[0].headers


def test_a_redirect_to_another_host_takes_no_credentials_along(
    server: ScriptedServer, other: ScriptedServer
) -> None:
    server.on("GET", "/a", redirect("/b"))
    server.on("GET", "/b", redirect(f"{other.url}/c", 307))
    other.on("GET", "/c", Answer(200, b"there"))
    client = HttpClient(server.url, auth="Bearer abcdefgh", headers={"X-Api-Key": "k-123456"})
    answer = client.request("GET", "/a", params={"q": "1"}, headers={"X-Mine": "1"})
    assert answer.body == b"there"
    assert server.requests[1].headers["authorization"] == "Bearer abcdefgh"
    assert server.requests[1].query == {}
    assert not {"authorization", "x-api-key", "x-mine"} & set(other.requests[0].headers)


def test_a_failure_after_a_redirect_names_the_host_that_failed(
    server: ScriptedServer, other: ScriptedServer
) -> None:
    server.on("GET", "/a", redirect(f"{other.url}/c"))
    other.on("GET", "/c", Answer(500), Cut())
    for _ in range(2):
        assert failure(client_of(server), "GET", "/a").message.startswith(f"127.0.0.1:{other.port}")


def test_circles_are_left_after_a_few_rounds(server: ScriptedServer) -> None:
    server.on("GET", "/a", redirect("/a"))
    assert failure(client_of(server), "GET", "/a").category is C.UNSUPPORTED
    assert server.count("GET", "/a") == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[::1"])
def test_a_redirect_to_no_web_address_is_not_followed(
    server: ScriptedServer, location: str
) -> None:
    server.on("GET", "/a", redirect(location))
    assert failure(client_of(server), "GET", "/a").category is C.INVALID_INPUT


def test_an_upload_is_not_sent_elsewhere(server: ScriptedServer, other: ScriptedServer) -> None:
    server.on("POST", "/talks", redirect(f"{other.url}/talks?token=t-secret", 308))
    error = failure(client_of(server), data=b"face", order=True)
    assert (error.category, error.unanswered) == (C.UNSUPPORTED, False)
    assert f"HTTP 308 to http://127.0.0.1:{other.port}" in error.message
    assert "t-secret" not in error.message
    assert other.requests == []


def test_the_credentials_of_a_netrc_are_not_sent(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.on("GET", "/", Answer())
    HttpClient(server.url).request("GET", "/")
    assert "authorization" not in server.requests[0].headers


# --- proxies and TLS -----------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    server.on("GET", "/there", Answer(200, b"through the proxy"))
    assert HttpClient("http://nobody.invalid").request("GET", "/there").body.endswith(b"proxy")
    assert server.requests[0].headers["host"] == "nobody.invalid"


@pytest.mark.parametrize(("status", "category"), [(407, C.AUTH), (502, C.CONNECTIVITY)])
def test_a_proxy_that_lets_nobody_through_is_told_so(
    server: ScriptedServer, status: int, category: Category, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    server.on("CONNECT", "nobody.invalid:443", Answer(status))
    error = failure(HttpClient("https://nobody.invalid"), order=True)
    assert (error.category, error.unanswered) == (category, False)
    assert "proxy" in error.message


def test_a_proxy_that_is_down_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    error = failure(HttpClient("http://nobody.invalid"), order=True)
    assert "cannot be reached through the proxy" in error.message


def test_https_spoken_to_a_server_of_http_is_told_so(server: ScriptedServer) -> None:
    error = failure(HttpClient(server.url.replace("http:", "https:")), order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    assert "does not speak HTTPS" in error.message
    assert "Write http://" in error.advice


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-keyout", str(file), "-out", f"{file}.crt", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this openssl cannot make the certificate")
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedServer(context) as running:
        yield running


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server: ScriptedServer) -> None:
    error = failure(HttpClient(tls_server.url), order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    assert "not trusted: self" in error.message
    assert tls_server.requests == []


def test_a_certificate_that_the_environment_vouches_for_is_accepted(
    tls_server: ScriptedServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
    tls_server.on("GET", "/", Answer(200, b"safe"))
    assert HttpClient(tls_server.url).request("GET", "/").body == b"safe"


@pytest.mark.parametrize("step", [Cut(), Answer(200, b"x" * 9, only=3)])
def test_a_fault_under_tls_is_the_same_fault(
    tls_server: ScriptedServer, certificate: Path, step: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
    tls_server.then(step)
    error = failure(HttpClient(tls_server.url), order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, True), error.message


def test_a_cancelled_request_under_tls_ends_at_once(
    tls_server: ScriptedServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", f"{certificate}.crt")
    token = CancelToken()
    tls_server.then(cancelling(token, Silence()))
    started = time.monotonic()
    with pytest.raises(Cancelled):
        client_of(tls_server).request("GET", "/", seconds=AMPLE, cancel=token)
    assert time.monotonic() - started < AMPLE / 2
