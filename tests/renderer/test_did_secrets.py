"""Nobody's key, address or e-mail is left lying about, whatever D-ID echoes into its answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from avatar_core.errors import Category
from avatar_core.testing import VirtualClock
from renderer.renderer import SmartVideoRenderer
from support_cli import avatar
from support_did_films import be_a_user, files_that_hold, film, settings
from support_did_scenes import Studio, by_did, did
from support_did_service import RESULT, DidService

PACKAGES = ("avatar_core", "backends", "renderer")
# `{}` is where the service puts all that it knows about who asks.
ECHOES: dict[str, tuple[str, dict[str, Any]]] = {
    "a permission": ("POST /talks", {"status": 403, "kind": "PermissionError"}),
    "a picture": ("POST /images", {"status": 400, "kind": "BadRequestError"}),
    "a sound": ("POST /audios", {"status": 451, "kind": "AudioModerationError"}),
    "an account": ("POST /talks", {"status": 402}),
    "a login": ("POST /images", {"status": 401, "kind": "AuthorizationError"}),
    "an unknown fault": ("POST /talks", {"status": 500, "kind": "UnknownError"}),
    "a look": ("GET /talks/{id}", {"status": 400, "kind": "BadRequestError"}),
    "the credits": ("GET /credits", {"status": 500, "kind": "UnknownError"}),
    "a page": ("POST /talks", {"status": 403, "body": "<html><body>{}</body></html>"}),
    "a gateway": ("POST /talks", {"status": 403, "body": {"Message": "{} is not authorized"}}),
    "a store": (RESULT, {"status": 403, "body": "<Error><Code>AccessDenied {}</Code></Error>"}),
    "a status": ("GET /talks/{id}", {"status": 200, "body": {"id": "tlk_1", "status": "{}"}}),
    "a link": (
        "GET /talks/{id}",
        {"status": 200, "body": {"id": "tlk_1", "status": "done", "result_url": "ftp://x/{}"}},
    ),
}


@pytest.fixture
def service() -> Iterator[DidService]:
    with DidService(VirtualClock(), rendering_seconds=0) as running:
        yield running


@pytest.mark.parametrize("name", ECHOES)
def test_what_the_service_echoes_is_told_without_them(
    service: DidService, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    route, fault = ECHOES[name]
    known = " ".join(marks(service))
    service.fail(route, times=None, **filled({"description": "{}", **fault}, known))
    assert isinstance(service.clock, VirtualClock)
    outcome = Studio(service, service.clock, tmp_path).scene()
    assert not by_did(outcome)
    assert Category.BACKEND_BUG not in {entry.category for entry in did(outcome)}
    assert leaks(service, repr(outcome), logged(service, caplog)) == [], did(outcome)[0].message


def test_a_talk_that_fails_for_a_person_is_told_without_the_person(
    service: DidService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert isinstance(service.clock, VirtualClock)
    for end in ("error", "rejected"):
        service.end_talks(end, "SourceError", " ".join(marks(service)))  # type: ignore[arg-type]
        outcome = Studio(service, service.clock, tmp_path).scene()
        assert "SourceError" in did(outcome)[0].message
        assert leaks(service, repr(outcome), logged(service, caplog)) == []


def test_a_whole_render_leaves_none_of_them_in_what_it_prints_or_writes(tmp_path: Path) -> None:
    with DidService() as service:
        known = " ".join(marks(service))
        service.fail("POST /talks", status=400, kind="BadRequestError", description=known)
        service.fail("POST /talks", status=504, after_making=True, body={"message": known})
        # Not found again, so that the journal keeps the order.
        service.lifelike = False
        env, script = be_a_user(service, tmp_path, 3)
        told = {name: env[name] for name in ("DID_API_KEY", "DID_API_URL")} | {"AVATAR_DEBUG": "1"}
        command = ["render", script.name, "-o", "out/film.mp4", "--json", "--workers", "1"]
        done = avatar(*command, "--set", "report=true", cwd=tmp_path, env=told)
    assert done.returncode == 0, done.stderr
    backends = [scene["backend"] for scene in last_line(done.stdout)["scenes"]]
    assert backends == ["static", "static", "did"]
    assert list(tmp_path.glob("cache/v*/journal/*/*.json"))
    assert list(tmp_path.glob("out/*.html"))
    assert leaks(service, done.stdout, done.stderr) == []
    assert files_that_hold(tmp_path, marks(service)) == []


def test_nothing_that_is_told_while_a_film_is_made_holds_them(
    service: DidService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.fail("GET /talks/{id}", status=500, description=" ".join(marks(service)))
    events: list[Any] = []
    overrides = settings(service, tmp_path, report=True)
    renderer = SmartVideoRenderer("did", overrides=overrides, on_event=events.append)
    result = renderer.render(film(tmp_path, 1), tmp_path / "out" / "film.mp4")
    assert result.scenes[0].backend == "did"
    shown = [*map(repr, events), repr(result), repr(renderer.settings), logged(service, caplog)]
    assert leaks(service, *shown) == []
    assert leaks(service, repr(renderer.settings.masked())) == []
    assert files_that_hold(tmp_path, marks(service)) == []


def marks(service: DidService) -> list[str]:
    """The secrets, and how they look in an address."""
    plain = service.secrets
    return list(dict.fromkeys([*plain, *(quote(one, safe="") for one in plain)]))


def logged(service: DidService, caplog: pytest.LogCaptureFixture) -> str:
    """All log records; of links, which libraries tell in debug records of their own, ours alone."""
    everything = caplog.text
    for signature in service.signatures:
        everything = everything.replace(quote(signature, safe=""), "a signature")
    ours = [r.getMessage() for r in caplog.records if r.name.split(".")[0] in PACKAGES]
    return "\n".join([everything, *ours])


def leaks(service: DidService, *texts: str) -> list[str]:
    """The secrets that can be read somewhere, with what stands around them."""
    return [
        text[max(0, text.index(mark) - 60) : text.index(mark) + 80]
        for text in texts
        for mark in marks(service)
        if mark in text
    ]


def filled(value: Any, known: str) -> Any:
    if isinstance(value, dict):
        return {name: filled(one, known) for name, one in value.items()}
    return value.replace("{}", known) if isinstance(value, str) else value


def last_line(printed: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found
