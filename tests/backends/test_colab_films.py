"""Films that a Colab server presents: whole renders, through the policy, over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from avatar_core.chain import FallbackChain, Outcome, Rung
from avatar_core.clock import Clock
from avatar_core.errors import Category
from avatar_core.events import Event
from avatar_core.plugins import load_plugins
from avatar_core.policy.settings import PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.settings import load_settings
from avatar_core.testing import Answer, Cut, ScriptedServer, VirtualClock, media
from avatar_core.trail import TrailEntry
from backends.static.backend import StaticBackend
from renderer.health import probe_backends
from renderer.renderer import SmartVideoRenderer
from renderer.result import RenderResult, SceneResult
from support_cli import avatar
from support_colab import (
    ENHANCER,
    NO_FACE,
    STAMP,
    TOKEN,
    Service,
    address,
    backend_at,
    clip,
    failed,
    ngrok,
    serving,
)
from support_films import film_of_tones

C = Category
AMBITIOUS = {"preprocess": "full", "enhancer": "gfpgan"}
MARKER = "marker-of-a-token-5d41402abc4b"


@pytest.fixture
def service() -> Service:
    return Service(polls=0)


@pytest.fixture
def server(service: Service) -> Iterator[ScriptedServer]:
    with serving(service) as running:
        yield running


def render(
    url: str, folder: Path, scenes: int = 1, options: dict[str, Any] | None = None, **more: Any
) -> RenderResult:
    """As a user would, with the chain colab -> static."""
    given = {"url": url, "wait": 0, "patience": 0, **(options or {})}
    overrides = {
        "backends.colab": given, "cache_dir": str(folder / "cache"), "retry.delay": 0,
        "report": False, "second_try": False, **more,
    }  # fmt: skip
    film = film_of_tones(folder, scenes)
    with SmartVideoRenderer(avatar_backend="colab", overrides=overrides, workers=1) as renderer:
        return renderer.render(film, folder / "out" / "film.mp4")


def scenes(
    url: str, folder: Path, count: int = 1, options: dict[str, Any] | None = None,
    clock: Clock | None = None, **policy: Any,
) -> list[Outcome]:  # fmt: skip
    """The presenters alone of so many scenes, as a film would ask for them one after another."""
    backend = backend_at(url, clock, **(options or {}))
    settings = PolicySettings.model_validate({"retry": {"delay": 0}, **policy})
    rungs = [Rung.of(backend), Rung.of(StaticBackend())]
    chain = FallbackChain(rungs, policy=Policy(settings, clock=clock))
    request = replace(media.request(folder, 0.5), options=backend.options)
    return [chain.run(replace(request, key=f"scene-{number}"), folder) for number in range(count)]


def of_colab(scene: SceneResult | Outcome) -> list[TrailEntry]:
    return [entry for entry in scene.trail if entry.backend == "colab"]


def made_by(outcomes: list[Outcome]) -> list[str]:
    return [outcome.clip.backend for outcome in outcomes]


def test_every_scene_is_presented_and_said_to_be(
    server: ScriptedServer, service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    result = render(address(server.url), tmp_path, 2)
    assert [scene.backend for scene in result.scenes] == ["colab", "colab"]
    assert service.seen() == {"done": 2}
    said = [record.getMessage() for record in caplog.records]
    for scene in ("s1", "s2"):
        assert f"Using AI avatar video for scene {scene}" in said
    assert said.count("Uploading to Colab...") == 2
    # One health check for all; an order, a look and a fetch for each.
    assert len(server.requests) <= 2 + 3 * 2


def test_rendered_again_nobody_is_asked(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    render(address(server.url), tmp_path)
    before = len(server.requests)
    again = render("https://avatar:new@another.ngrok-free.app", tmp_path)
    assert (again.scenes[0].backend, again.scenes[0].cached) == ("colab", True)
    assert len(server.requests) == before


def test_a_film_by_a_server_of_another_version_says_once_what_to_do(tmp_path: Path) -> None:
    with serving(Service(polls=0, health={"version": "0.9.3"})) as server:
        result = render(address(server.url), tmp_path, 2)
    told = [text for scene in result.scenes for text in scene.warnings if "0.9.3" in text]
    assert len(told) == 1
    assert told[0].endswith("See: avatar docs colab#versions-differ")


def test_a_crash_of_gfpgan_costs_one_step_down_and_later_scenes_start_there(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    service.outcomes = [ENHANCER]
    made = scenes(address(server.url), tmp_path, 3, AMBITIOUS)
    assert made_by(made) == ["colab"] * 3
    assert not any(outcome.degraded for outcome in made)
    enhancers = [options["enhancer"] for options in service.asked]
    assert enhancers == ["gfpgan", "RestoreFormer", "RestoreFormer", "RestoreFormer"]
    assert {options["preprocess"] for options in service.asked} == {"full"}
    assert "with enhancer=RestoreFormer: The enhancer crashed." in made[0].clip.warnings[0]
    assert [len(of_colab(scene)) for scene in made] == [2, 1, 1]


def test_both_enhancers_crash_and_the_face_alone_is_made(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    service.outcomes = [ENHANCER, ENHANCER]
    assert made_by(scenes(address(server.url), tmp_path, 2, AMBITIOUS)) == ["colab"] * 2
    assert [(o["preprocess"], o["enhancer"]) for o in service.asked] == [
        ("full", "gfpgan"), ("full", "RestoreFormer"), ("crop", "none"), ("crop", "none"),
    ]  # fmt: skip


def test_an_old_server_s_crash_is_stepped_down_from_as_well(tmp_path: Path) -> None:
    crash = "Command 'inference.py --enhancer gfpgan' returned non-zero exit status 1."
    service = Service(first=True, outcomes=[Answer(500, {"error": crash})])
    with serving(service) as server:
        made = scenes(server.url, tmp_path, 2, AMBITIOUS)
    assert made_by(made) == ["colab"] * 2
    assert [form["enhancer"] for form in service.forms] == ["gfpgan"] + ["RestoreFormer"] * 2


def test_no_face_is_the_next_rung_s_turn_at_once(
    server: ScriptedServer, service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.outcomes = [NO_FACE]
    result = render(address(server.url), tmp_path, 1, AMBITIOUS)
    (scene,) = result.scenes
    assert (scene.backend, scene.degraded) == ("static", True)
    (entry,) = of_colab(scene)
    assert (entry.category, entry.message) == (C.INVALID_INPUT, "No face was found in the picture.")
    assert "avatar docs colab#no-face" in (entry.advice or "")
    assert len(service.jobs) == 1
    assert "Avatar failed, using static scene s1" in caplog.messages


def test_the_video_of_an_earlier_job_is_asked_for_again(tmp_path: Path) -> None:
    service = Service(first=True, outcomes=[clip(2.0)])
    with serving(service) as server:
        (made,) = scenes(server.url, tmp_path)
    assert [entry.category for entry in of_colab(made)] == [C.BAD_OUTPUT, None]


def test_a_lost_answer_orders_nothing_twice(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    def cut_after(request: Any) -> Any:
        service(request)
        return Cut()

    server.on("POST", "/v1/jobs", cut_after, service)
    result = render(address(server.url), tmp_path)
    assert result.scenes[0].backend == "colab"
    assert (len(service.jobs), server.count("POST", "/v1/jobs")) == (1, 1)


def test_a_job_that_nobody_waits_for_any_more_is_cancelled_there(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    service.polls = 10**9
    short = {"colab": {"attempt_seconds": 30}}
    (made,) = scenes(address(server.url), tmp_path, clock=VirtualClock(), policies=short)
    (entry,) = of_colab(made)
    assert entry.category is C.TIMEOUT
    assert "policies.colab.attempt_seconds" in (entry.advice or "")
    assert len(service.jobs) == 1
    assert service.cancelled == list(service.jobs)


def test_a_full_queue_is_left_alone_for_as_long_as_it_says(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    full = Answer(429, {"error": failed("queue_full", "rate_limit")}, {**STAMP, "Retry-After": "1"})
    server.on("POST", "/v1/jobs", full, service)
    (made,) = scenes(address(server.url), tmp_path)
    assert [entry.category for entry in of_colab(made)] == [C.RATE_LIMIT, None]
    assert server.count("POST", "/v1/jobs") == 2


@pytest.mark.parametrize(
    ("step", "category"),
    [(ngrok(727, 429), C.QUOTA),
     (Answer(401, {"error": failed("token_wrong", "auth")}, STAMP), C.AUTH)],
)  # fmt: skip
def test_what_no_scene_can_get_past_is_asked_once_in_the_film(
    server: ScriptedServer, step: Any, category: Category, tmp_path: Path
) -> None:
    server.on("GET", "/health", step)
    made = scenes(address(server.url), tmp_path, 3)
    assert made_by(made) == ["static"] * 3
    assert of_colab(made[0])[0].category is category
    assert len(server.requests) == 1


def test_the_time_of_one_call_is_colab_s_own(tmp_path: Path) -> None:
    with SmartVideoRenderer("colab", overrides={"cache_dir": str(tmp_path)}) as renderer:
        policy = renderer.settings.policy
        assert policy.attempt_seconds("colab", 300.0) == 300


def test_settings_of_a_file_and_the_environment_are_enough(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    script = tmp_path / "film.json"
    film = film_of_tones(tmp_path, 1)
    script.write_text(film.model_dump_json(exclude_none=True), encoding="utf-8")
    (tmp_path / "avatar.toml").write_text(
        '[backends.colab]\npreprocess = "full"\nenhancer = "RestoreFormer"\nwait = 0\n'
    )
    env = {"AVATAR_BACKEND": "colab", "COLAB_API_URL": f"COLAB_API_URL={address(server.url)}",
           "AVATAR_BACKENDS__COLAB__POSE_STYLE": "3"}  # fmt: skip
    done = avatar("render", "film.json", "-o", "film.mp4", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert '"backend": "colab"' in done.stdout
    (options,) = service.asked
    picked = {name: options[name] for name in ("preprocess", "enhancer", "pose_style", "still")}
    assert picked == {
        "preprocess": "full", "enhancer": "RestoreFormer", "pose_style": 3, "still": True
    }  # fmt: skip


def test_a_scene_of_the_script_has_options_of_its_own(
    server: ScriptedServer, service: Service, tmp_path: Path
) -> None:
    film = film_of_tones(tmp_path, 1).model_dump(exclude_none=True)
    film["speakers"]["lan"]["avatar"]["options"] = {"colab": {"expression_scale": 1.5}}
    overrides = {"backends.colab.url": address(server.url), "cache_dir": str(tmp_path / "cache")}
    with SmartVideoRenderer(avatar_backend="colab", overrides=overrides) as renderer:
        renderer.render(film, tmp_path / "out" / "film.mp4")
    assert service.asked[0]["expression_scale"] == 1.5


# --- the doctor ----------------------------------------------------------------------------


def test_the_doctor_says_in_a_sentence_what_is_wrong_with_an_address(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.then(ngrok(3200, 404))
    env = {"COLAB_API_URL": address(server.url), "AVATAR_PLUGINS": "colab,static"}
    done = avatar("doctor", "--json", cwd=tmp_path, env=env)
    (found,) = [one for one in json.loads(done.stdout)["findings"] if one["name"] == "colab"]
    assert found["state"] == "warning"
    assert "is a tunnel that is offline" in found["message"]
    assert found["advice"].endswith("See: avatar docs colab#tunnel-offline")
    assert TOKEN not in done.stdout + done.stderr


def test_the_doctor_tells_an_old_server_in_sentences(tmp_path: Path) -> None:
    with serving(Service(first=True)) as server:
        env = {"COLAB_API_URL": server.url, "AVATAR_PLUGINS": "colab,static", "COLUMNS": "400"}
        printed = avatar("doctor", cwd=tmp_path, env=env).stdout
    assert "without token, queue or progress. A new notebook has all of them" in printed


@pytest.mark.parametrize(
    ("url", "words"),
    [(None, "COLAB_API_URL is not set."), ("https://host:port", "cannot be read"), ("", "ready")],
)
def test_the_doctor_knows_addresses_that_lead_nowhere(
    server: ScriptedServer, url: str | None, words: str, tmp_path: Path
) -> None:
    env = {} if url is None else {"COLAB_API_URL": url or address(server.url)}
    plugins = load_plugins(only="colab")
    (probe,) = probe_backends(plugins, load_settings(env=env, cwd=tmp_path))
    assert words in probe.message
    assert probe.ok is (words == "ready")


# --- the token -----------------------------------------------------------------------------


def test_the_token_is_nowhere_but_in_the_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that repeats it in everything it says, and a render that writes all it can."""
    caplog.set_level("DEBUG")
    events: list[Event] = []
    service = Service(token=MARKER, polls=0)
    service.outcomes = [
        failed("enhancer_crashed", "server", f"Bearer {MARKER} crashed", f"Use {MARKER}.")
    ]
    with serving(service) as server:
        echo = {"error": failed("queue_full", "server", f"no room for {MARKER}", f"{MARKER}!")}
        server.on("POST", "/v1/jobs", Answer(500, echo, STAMP), service)
        film = film_of_tones(tmp_path, 2)
        overrides = {
            "backends.colab.url": address(server.url, MARKER), "backends.colab.wait": 0,
            "backends.colab.enhancer": "gfpgan",
            "cache_dir": str(tmp_path / "cache"), "retry.delay": 0,
        }  # fmt: skip
        with SmartVideoRenderer("colab", overrides=overrides, on_event=events.append) as renderer:
            result = renderer.render(film, tmp_path / "out" / "film.mp4")
            shown = f"{renderer.settings!r} {renderer.settings.masked()}"
        headers = [one.headers.get("authorization") for one in server.requests]
        paths = [one.path for one in server.requests]
    assert set(headers) == {f"Bearer {MARKER}"}
    assert not any(MARKER in path for path in paths)
    assert [scene.backend for scene in result.scenes] == ["colab", "colab"]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".html" for path in written)
    for path in written:
        assert MARKER.encode() not in path.read_bytes(), path
    told = [repr(result), shown, caplog.text, *map(repr, events)]
    assert not any(MARKER in text for text in told)
