"""The colab backend against our own server, with an engine that needs no GPU."""

from __future__ import annotations

import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image
from pydantic import BaseModel

from avatar_core.backend import AvatarBackend, Job, Size
from avatar_core.chain import FallbackChain, Rung
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.state import Policy
from avatar_core.testing import media
from backends.colab.backend import ColabBackend
from backends.sadtalker.engine import Engine, EngineFailure, EngineNews, EngineResult, EngineTask
from backends.sadtalker.options import SadTalkerOptions
from backends.static.backend import StaticBackend
from support_colab import NOWHERE, address, backend_at
from support_contract import PatientContract
from support_serve import TOKEN, Program, Running, serving

TINY = Engine(
    name="sadtalker",
    title="A stand-in",
    licence="Apache-2.0",
    licence_class="permissive",
    vram_mb=0,
    Options=SadTalkerOptions,
    command=lambda paths, options: [],
)


@dataclass
class Tiny:
    """Draws a small clip as long as the sound; its face enhancer crashes."""

    root: Path
    engine: Engine = TINY
    asked: list[SadTalkerOptions] = field(default_factory=list)

    def missing(self, options: BaseModel | None = None) -> tuple[str, ...]:
        del options
        return ()

    def run(self, task: EngineTask, tell: object, cancel: threading.Event) -> EngineResult:
        assert isinstance(task.options, SadTalkerOptions) and callable(tell)
        self.asked.append(task.options)
        tell(EngineNews("render", 0.5, "Drawing the frames"))
        if task.options.enhancer == "gfpgan":
            raise EngineFailure("enhancer_crashed", Category.SERVER, "The enhancer crashed.")
        with wave.open(str(task.audio)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        video = media.clip(task.folder / "out.mp4", seconds, Size(64, 64), 10)
        return EngineResult(video, Size(64, 64), 10.0, seconds)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "server", runners={"sadtalker": Tiny(tmp_path)}) as server:
        yield server


def backend_of(running: Running, **options: object) -> ColabBackend:
    return backend_at(address(running.client.url, TOKEN), **{"wait": 5, **options})


class TestColabWithOurServer(PatientContract):
    @pytest.fixture(autouse=True)
    def _served(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        # Not below the test's own folder: what appears there must be the backend's.
        folder = tmp_path_factory.mktemp("server")
        with serving(folder, runners={"sadtalker": Tiny(folder)}) as self.running:
            yield

    running: Running

    def make_backend(self) -> AvatarBackend:
        return backend_of(self.running)

    def unreachable_backend(self) -> AvatarBackend:
        return backend_at(address(NOWHERE))


def test_the_server_says_who_it_is_and_what_it_can(running: Running) -> None:
    health = backend_of(running).check()
    assert (health.ok, health.message) == (True, "ready: 0 running, 0 waiting")
    assert health.details["engine"] == "sadtalker"


@pytest.mark.parametrize(
    ("token", "words"),
    [("another-token-entirely", "token is not this server's"), (None, "the address has none")],
)
def test_a_wrong_or_missing_token_is_told_as_such(
    running: Running, token: str | None, words: str
) -> None:
    backend = backend_at(address(running.client.url, token))
    try:
        health = backend.check()
        said, category, advice = health.message, health.category, health.advice or ""
    except AvatarError as failure:
        said, category, advice = failure.message, failure.category, failure.advice
    assert category is Category.AUTH
    assert words in said or "did not accept the token" in said
    assert "avatar docs colab#wrong-token" in advice


def test_https_to_a_server_without_it_is_told_at_once(running: Running) -> None:
    with pytest.raises(AvatarError) as told:
        backend_at(address(running.client.url, TOKEN).replace("http://", "https://")).check()
    assert told.value.category is Category.CONNECTIVITY
    assert told.value.advice.startswith("Write http:// instead of https://")
    assert told.value.advice.endswith("avatar docs colab#not-our-server")


def test_an_address_with_a_path_too_many_is_told_to_lose_it(running: Running) -> None:
    url = address(running.client.url, TOKEN) + "/some/page"
    with pytest.raises(AvatarError) as told:
        backend_at(url).check()
    assert "not at the path that the address ends with" in told.value.message
    assert told.value.advice.startswith("Leave out what follows host and port.")


def test_where_nothing_listens_the_advice_is_to_start_the_server() -> None:
    with pytest.raises(AvatarError) as told:
        backend_at(address(NOWHERE)).check()
    assert told.value.category is Category.CONNECTIVITY
    assert told.value.advice.startswith("Start the server there (cell 5 of the notebook")
    assert told.value.advice.endswith("avatar docs colab#server-not-running")


def test_the_address_that_a_server_listens_on_is_told_to_be_no_machine_s() -> None:
    with pytest.raises(AvatarError) as told:
        backend_at(address("http://0.0.0.0:9")).check()
    assert told.value.advice.startswith("Put the name or number of the server's machine there.")


def test_an_address_that_cannot_be_one_is_told_with_where_to_copy_the_right_one() -> None:
    with pytest.raises(AvatarError) as told:
        backend_at("https://a..b.example").check()
    assert "has no valid web address" in told.value.message
    assert told.value.advice.startswith("Run the server's cell again and copy")
    assert told.value.advice.endswith("avatar docs colab#wrong-address")


def test_a_crash_of_the_enhancer_is_stepped_down_from(running: Running, tmp_path: Path) -> None:
    backend = backend_of(running, preprocess="full", enhancer="gfpgan")
    chain = FallbackChain([Rung.of(backend), Rung.of(StaticBackend())], policy=Policy())
    outcome = chain.run(media.request(tmp_path, 1.0), tmp_path)
    assert outcome.clip.backend == "colab"
    assert "enhancer=RestoreFormer" in outcome.clip.warnings[0]


def test_a_portrait_as_large_as_a_camera_s_is_taken(running: Running, tmp_path: Path) -> None:
    noise = Image.effect_noise((1200, 1600), 90).convert("RGB")
    noise.save(tmp_path / "camera.png")
    request = replace(media.request(tmp_path, 1.0), portrait=tmp_path / "camera.png")
    (tmp_path / "job").mkdir()
    clip = backend_of(running).generate(request, Job(tmp_path / "job", reference="av-one-1"))
    assert clip.duration == 1.0


def test_options_that_the_engine_does_not_have_are_told_by_name(
    running: Running, tmp_path: Path
) -> None:
    backend = backend_of(running, engine_options={"warmth": 3})
    request = media.request(tmp_path, 1.0)
    with pytest.raises(AvatarError) as told:
        backend.generate(request, Job(tmp_path, reference="av-one-1"))
    assert told.value.category is Category.INVALID_INPUT
    assert "warmth" in told.value.message


def test_a_server_killed_in_the_middle_goes_on_with_the_job_at_its_new_address(
    tmp_path: Path,
) -> None:
    named: list[str | None] = []
    request = media.request(tmp_path, 1.0)
    (tmp_path / "server").mkdir()
    (tmp_path / "job").mkdir()
    options = {"engine": "paint", "wait": 1}
    with Program(tmp_path / "server") as program:
        first = backend_at(address(program.start().url, TOKEN), **options)
        job = Job(tmp_path / "job", reference="av-one-1", on_remote_id=named.append)
        killer = threading.Thread(target=lambda: (_wait_for(named), program.kill()))
        killer.start()
        with pytest.raises(AvatarError) as told:
            first.generate(request, job)
        killer.join()
        assert told.value.category is Category.CONNECTIVITY
        again = backend_at(address(program.start().url, TOKEN), **options)
        program.release()
        job = Job(tmp_path / "job", remote_id=named[0], on_remote_id=named.append)
        assert again.generate(request, job).duration == pytest.approx(1.0, abs=0.25)
    assert len(named) == 1


def _wait_for(named: list[str | None]) -> None:
    ticks = threading.Event()
    while not named:
        ticks.wait(0.01)
