"""Online voices: what goes wrong with a service becomes one of the ten categories."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.speech import SpeechEngine, SpeechRequest, Voice
from renderer.speech.edge import EdgeEngine
from renderer.speech.gtts import LANGUAGES, GttsEngine
from renderer.speech.online import as_avatar_error
from support_speech import job, tones

HELLO = SpeechRequest("Xin chào các bạn", Voice(language="vi-VN"))


@contextmanager
def service(status: int, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A service (and proxy) on loopback that answers everything with ``status``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_CONNECT = answer  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            del arguments

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def failure_of(address: str, timeout: float = 20.0) -> AvatarError:
    try:
        requests.get(address, timeout=timeout).raise_for_status()
    except requests.RequestException as failure:
        return as_avatar_error("gtts", failure)
    raise AssertionError("the request was to fail")


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (401, Category.AUTH),
        (402, Category.QUOTA),
        (403, Category.AUTH),
        (404, Category.SERVER),
        (408, Category.TIMEOUT),
        (429, Category.RATE_LIMIT),
        (500, Category.SERVER),
        (503, Category.SERVER),
        (504, Category.TIMEOUT),
    ],
)
def test_every_status_has_its_category(status: int, category: Category) -> None:
    with service(status) as address:
        failure = failure_of(address)
    assert (failure.category, failure.status) == (category, status)
    assert failure.advice


def test_a_service_that_asks_for_a_pause_is_heard() -> None:
    with service(429, {"Retry-After": "17"}) as address:
        assert failure_of(address).retry_after == 17.0


def test_a_pause_that_is_no_number_of_seconds_is_left_open() -> None:
    with service(429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) as address:
        assert failure_of(address).retry_after is None


def test_a_closed_port_is_a_matter_of_the_network_and_told_at_once() -> None:
    begin = time.monotonic()
    assert failure_of(closed_port()).category is Category.CONNECTIVITY
    assert time.monotonic() - begin < 60


def test_a_service_that_never_answers_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        assert failure_of(address, timeout=0.05).category is Category.TIMEOUT


def test_an_error_of_the_library_itself_is_its_bug() -> None:
    failure = as_avatar_error("gtts", KeyError("token"))
    assert failure.category is Category.BACKEND_BUG
    assert "token" in failure.message


class ScriptedEdge(EdgeEngine):
    """The engine with a script in place of the service's messages."""

    def __init__(self, *script: dict[str, Any] | Exception | None) -> None:
        super().__init__()
        self._script = script

    async def _play(self) -> AsyncIterator[dict[str, Any]]:
        for step in self._script:
            if step is None:
                await asyncio.sleep(600)
            elif isinstance(step, Exception):
                raise step
            else:
                yield step

    def _messages(self, request: SpeechRequest) -> AsyncIterator[dict[str, Any]]:
        del request
        return self._play()


def mp3(folder: Path) -> bytes:
    target = folder / "sound.mp3"
    run_ffmpeg(["-i", str(tones(folder / "tone.wav", [(1.0, 0.0)])), str(target)])
    return target.read_bytes()


def test_edge_gives_sound_and_timed_words(tmp_path: Path) -> None:
    sound = mp3(tmp_path)
    engine = ScriptedEdge(
        {"type": "audio", "data": sound[:500]},
        {"type": "WordBoundary", "text": "Xin", "offset": 1_000_000, "duration": 2_500_000},
        {"type": "audio", "data": sound[500:]},
        {"type": "WordBoundary", "text": "chào", "offset": 4_000_000, "duration": 3_000_000},
    )
    speech = engine.speak(HELLO, job(tmp_path))
    assert speech.duration == pytest.approx(1.0, abs=0.1)
    assert [(w.text, w.start, round(w.end, 3)) for w in speech.words] == [
        ("Xin", 0.1, 0.35),
        ("chào", 0.4, 0.7),
    ]


@pytest.mark.parametrize(
    ("failure", "category"),
    [
        (ConnectionRefusedError("refused"), Category.CONNECTIVITY),
        (TimeoutError(), Category.TIMEOUT),
        (type("NoAudioReceived", (Exception,), {})("nothing"), Category.BAD_OUTPUT),
        (type("WebSocketError", (Exception,), {})("closed"), Category.CONNECTIVITY),
        (ValueError("odd"), Category.BACKEND_BUG),
    ],
)
def test_what_breaks_while_edge_speaks_has_its_category(
    tmp_path: Path, failure: Exception, category: Category
) -> None:
    with pytest.raises(AvatarError) as caught:
        ScriptedEdge({"type": "audio", "data": b"x"}, failure).speak(HELLO, job(tmp_path))
    assert caught.value.category is category


def test_an_answer_without_sound_is_bad_output(tmp_path: Path) -> None:
    with pytest.raises(AvatarError) as caught:
        ScriptedEdge({"type": "audio", "data": b"no sound"}).speak(HELLO, job(tmp_path))
    assert caught.value.category is Category.BAD_OUTPUT


def test_a_silent_service_is_left_when_the_work_is_cancelled(tmp_path: Path) -> None:
    running = job(tmp_path, on_progress=lambda fraction, message: running.cancel.cancel())
    with pytest.raises(Cancelled):
        ScriptedEdge({"type": "audio", "data": b"x"}, None).speak(HELLO, running)


def test_a_silent_service_is_left_at_the_deadline(tmp_path: Path) -> None:
    late = job(tmp_path, deadline=0.0, clock=lambda: 1.0)
    with pytest.raises(AvatarError) as caught:
        ScriptedEdge(None).speak(HELLO, late)
    assert caught.value.category is Category.TIMEOUT


@pytest.mark.parametrize(("engine", "module"), [(GttsEngine(), "gtts"), (EdgeEngine(), "edge_tts")])
def test_without_the_extra_the_command_to_install_it_is_named(
    engine: SpeechEngine, module: str, tmp_path: Path
) -> None:
    health = engine.check()
    assert engine.needs_network
    if health.ok:
        pytest.skip(f"{module} is installed here")
    assert health.advice is not None
    assert 'pip install "avatar-core[online-voices]"' in health.advice
    with pytest.raises(AvatarError) as caught:
        engine.speak(HELLO, job(tmp_path))
    assert caught.value.category is Category.UNSUPPORTED


def proxied(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_gtts_without_a_network_says_so_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gtts")
    proxied(monkeypatch, closed_port())
    with pytest.raises(AvatarError) as caught:
        GttsEngine().speak(HELLO, job(tmp_path))
    assert caught.value.category is Category.CONNECTIVITY


def test_gtts_knows_every_language_that_is_promised() -> None:
    from renderer.speech.gtts import _code

    lang = pytest.importorskip("gtts.lang")
    assert {_code(one) for one in LANGUAGES} <= set(lang.tts_langs())


def test_edge_without_a_network_says_so_quickly(tmp_path: Path) -> None:
    pytest.importorskip("edge_tts")
    with pytest.raises(AvatarError) as caught:
        EdgeEngine(proxy=closed_port()).speak(HELLO, job(tmp_path))
    assert caught.value.category is Category.CONNECTIVITY


def test_edge_refused_with_too_many_requests_is_a_rate_limit(tmp_path: Path) -> None:
    pytest.importorskip("edge_tts")
    with service(429, {"Retry-After": "5"}) as address, pytest.raises(AvatarError) as caught:
        EdgeEngine(proxy=address).speak(HELLO, job(tmp_path))
    assert caught.value.category is Category.RATE_LIMIT


def test_edge_refuses_a_voice_that_is_no_name(tmp_path: Path) -> None:
    pytest.importorskip("edge_tts")
    with pytest.raises(AvatarError) as caught:
        EdgeEngine().speak(SpeechRequest("Hello", Voice(id="bogus")), job(tmp_path))
    assert caught.value.category is Category.UNSUPPORTED
