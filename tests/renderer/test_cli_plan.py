"""`avatar plan` and `avatar estimate` as people and programs use them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

import pytest

from support_cli import CONTROLS, Here, avatar, environment, install_plugin
from support_films import draw_portrait, write_tone
from support_house import ROOT

PLUGIN = """
    from decimal import Decimal
    from pydantic import BaseModel, ConfigDict, SecretStr
    from avatar_core import AvatarBackend, Capabilities, Cost, hookimpl

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        api_key: SecretStr | None = None

    class Cloud(AvatarBackend):
        name = "cloud"
        Options = Options
        capabilities = Capabilities(
            costs_money=True, uploads=True, needs_network=True, max_seconds=1, pace=6.5
        )

        def check(self):
            raise SystemError("a plan checks nobody")

        def generate(self, request, job):
            raise SystemError("a plan makes nothing")

        def estimate(self, request):
            return Cost(Decimal("0.20"))

    class Riddle(Cloud):
        name = "riddle"

        def estimate(self, request):
            return None

    class Leaky(Cloud):
        name = "leaky"

        def __init__(self, options=None):
            raise ValueError(f"cannot use {options.api_key.get_secret_value()}")

    @hookimpl
    def register_avatar_backends(register):
        register("cloud", Cloud)
        register("riddle", Riddle)
        register("leaky", Leaky)
        register("absent", "no_such_module:Backend")
"""
SCRIPT = """\
version: "1"
title: "Trà sữa oolong"
speakers: {lan: {portrait: lan.png, avatar: {layout: full}}}
scenes:
  - {id: opening, speaker: lan, audio: short.wav, text: "Xin chào!"}
  - {id: price, speaker: lan, audio: short2.wav, text: "39.000đ"}
  - {id: long, speaker: lan, audio: long.wav, text: "Một câu dài."}
  - {id: end, duration: 1.5}
"""
SECRET = "sk-this-is-very-secret"
KEYS = {
    "AVATAR_BACKENDS__CLOUD__API_KEY": SECRET,
    "AVATAR_BACKENDS__LEAKY__API_KEY": SECRET,
}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capfd)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    draw_portrait(tmp_path / "lan.png")
    for name, seconds, pitch in (("short", 0.4, 200), ("short2", 0.4, 300), ("long", 1.6, 250)):
        write_tone(tmp_path / f"{name}.wav", seconds, pitch)
    path = tmp_path / "film.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What makes the paid backends visible."""
    return {**install_plugin(tmp_path_factory.mktemp("site"), "paid", PLUGIN), **KEYS}


TOTALS = (
    "title seconds exact presenters to_make degraded costs unpriced fetched most budget counted "
    "time untimed declared workers"
).split()
RUNG = "backend state chosen reason advice price paid time uploads needs_network".split()
SCENE = (
    "id line seconds narration exact voice speaks presenter backend degraded remade costs unpriced "
    "failure rungs"
).split()


def test_a_plan_for_programs_is_one_object_whose_names_do_not_change(
    here: Here, tmp_path: Path, film: Path
) -> None:
    done = here("plan", film.name, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    plan = json.loads(done.stdout)
    assert list(plan) == ["event", *TOTALS, "scenes", "sends", "settings", "warnings"]
    assert plan["event"] == "planned"
    assert list(plan["scenes"][0]) == SCENE
    assert list(plan["scenes"][0]["rungs"][0]) == RUNG
    assert list(plan["settings"][0]) == ["key", "value", "origin", "scenes"]
    assert list(plan["time"]) == ["usual", "least", "most"]
    assert plan["counted"] == {"amount": 0.0, "currency": "USD"}
    assert [scene["id"] for scene in plan["scenes"]] == ["opening", "price", "long", "end"]


def test_an_estimate_for_programs_is_one_object_too(here: Here, tmp_path: Path, film: Path) -> None:
    done = here("estimate", film.name, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    estimate = json.loads(done.stdout)
    assert list(estimate) == ["event", *TOTALS, "scenes", "backends", "warnings"]
    static = next(one for one in estimate["backends"] if one["backend"] == "static")
    assert list(static) == ("backend alone makes costs time uploads needs_network reason".split())
    assert (static["alone"], static["makes"], static["costs"]) == (True, 3, [])


def test_the_whole_story_of_a_paid_chain_is_told(
    paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    done = avatar(
        *("plan", film.name, "--backend", "absent,cloud,riddle"),
        *("--set", "budget.max_cost=0.30"),
        cwd=tmp_path,
        env=paid,
    )
    assert done.returncode == 0, done.stderr
    for told in (
        "needs the package 'no_such_module'",
        "cloud: it would cost 0.20 USD, and of the film's budget 0.10 USD of 0.30 USD is left "
        "(budget.max_cost, or limits.max_cost in the script)",
        "riddle: its price is not known beforehand",
        "The narration lasts 1.6 s; this backend takes 1 s.",
        "Film: 'Trà sữa oolong', ",
        "Presenters: 3 to make, 0 made already.",
        "Expected to fall back: opening, price and long.",
        "Expected price: 0.20 USD.",
        "At most: 0.30 USD (the budget is 0.30 USD).",
        "Sent out: the face and voice of opening, to cloud.",
        "AVATAR_BACKENDS__CLOUD__API_KEY",
    ):
        assert told in done.stdout, told
    assert done.stdout.count("no_such_module'") == 2, "a reason is told once (and its advice)"
    assert "**********" in done.stdout and SECRET not in done.stdout + done.stderr
    assert not set(CONTROLS) & set(done.stdout)


def test_every_loaded_backend_is_compared(
    paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    done = avatar("estimate", film.name, "--json", cwd=tmp_path, env=paid)
    assert done.returncode == 0, done.stderr
    found = {one["backend"]: one for one in json.loads(done.stdout)["backends"]}
    assert {"absent", "cloud", "leaky", "puppet", "riddle", "static"} <= set(found)
    assert list(found) == sorted(found)
    assert (found["cloud"]["makes"], found["cloud"]["alone"]) == (2, False)
    assert found["cloud"]["costs"] == [{"amount": 0.4, "currency": "USD"}]
    assert found["cloud"]["uploads"] and found["cloud"]["needs_network"]
    assert found["cloud"]["time"]["usual"] > 2
    assert "1.6 s" in found["cloud"]["reason"]
    assert found["riddle"]["costs"] is None
    assert (found["absent"]["makes"], found["absent"]["uploads"]) == (0, None)
    assert "no_such_module" in found["absent"]["reason"]
    scenes = json.loads(done.stdout)["scenes"]
    assert [one["costs"] for one in scenes] == [[]] * 4
    table = avatar("estimate", film.name, cwd=tmp_path, env=paid).stdout
    assert "What each scene costs" not in table, "nothing costs anything"
    assert "With one backend alone (--backend NAME):" in table
    assert all(name in table for name in found)


def test_an_estimate_tells_the_price_of_each_scene_that_has_one(
    paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    asked = ("estimate", film.name, "--backend", "cloud,riddle")
    done = avatar(*asked, "--json", cwd=tmp_path, env=paid)
    scenes = json.loads(done.stdout)["scenes"]
    told = {one["id"]: (one["backend"], one["costs"], one["unpriced"]) for one in scenes}
    price = [{"amount": 0.2, "currency": "USD"}]
    assert told == {
        "opening": ("cloud", price, False),
        "price": ("cloud", price, False),
        "long": ("static", [], False),
        "end": (None, [], False),
    }
    _, _, table = avatar(*asked, cwd=tmp_path, env=paid).stdout.partition("What each scene costs:")
    rows = [line for line in table.partition("With one")[0].splitlines() if "cloud" in line]
    assert [row.split()[1] for row in rows] == ["opening", "price"]
    assert all("0.20 USD" in row for row in rows)


@pytest.mark.parametrize("command", ["plan", "estimate"])
def test_no_secret_is_printed_wherever_it_stands(
    command: str, paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    done = avatar(command, film.name, "--backend", "leaky,cloud", "--json", cwd=tmp_path, env=paid)
    assert done.returncode == 0, done.stderr
    assert "cannot use **********" in done.stdout
    assert SECRET not in done.stdout + done.stderr


OFFLINE = """
import sys
FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn",
             "os.fork", "os.exec", "os.system")
def watch(event, arguments):
    if event in FORBIDDEN:
        print("TOUCHED", event, arguments, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from renderer.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["plan", "estimate"])
def test_no_network_is_touched_and_no_process_started(
    command: str, paid: Mapping[str, str], tmp_path: Path
) -> None:
    script = ROOT / "examples" / "demo.yaml"
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, command, str(script), "--backend", "cloud,riddle"],
        cwd=tmp_path,
        env=environment(tmp_path, {**paid, "PYTHONPATH": f"{paid['PYTHONPATH']}:{ROOT}"}),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "TOUCHED" not in done.stderr
    assert not list(tmp_path.rglob("*.mp4")) and not list(tmp_path.rglob("*.wav"))


def test_where_each_setting_came_from_is_told(here: Here, tmp_path: Path, film: Path) -> None:
    (tmp_path / "avatar.toml").write_text(
        'fallback = ["static"]\n[retry]\nattempts = 3\n[budget]\nmax_cost = 2\n', encoding="utf-8"
    )
    script = SCRIPT.replace("avatar: {layout: full}", "avatar: {layout: full, backend: static}")
    film.write_text(f"{script}limits: {{max_cost: 1}}\n", encoding="utf-8")
    done = here("plan", film.name, "--set", "affinity=film", "--json", cwd=tmp_path)
    found = {
        one["key"]: (one["value"], one["origin"]) for one in json.loads(done.stdout)["settings"]
    }
    assert found == {
        "backend": ("static", "film.yaml"),
        "fallback": ("none", "avatar.toml:1"),
        "limits.max_cost": ("1.0", "film.yaml"),
        "retry.attempts": ("3", "avatar.toml:3"),
        "budget.max_cost": ("2", "avatar.toml:5"),
        "affinity": ("film", "argument"),
        "cache_dir": (str(tmp_path / "cache"), "environment AVATAR_CACHE_DIR"),
    }


def test_scenes_with_other_backends_are_told_apart(
    paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    own = SCRIPT.replace('"39.000đ"}', '"39.000đ", avatar: {backend: cloud}}')
    film.write_text(own, encoding="utf-8")
    done = avatar("plan", film.name, "--json", cwd=tmp_path, env=paid)
    chains = [one for one in json.loads(done.stdout)["settings"] if one["key"] == "backend"]
    assert [(one["value"], one["origin"], one["scenes"]) for one in chains] == [
        ("puppet", "default", ["opening", "long"]),
        ("cloud", "film.yaml", ["price"]),
    ]


@pytest.mark.parametrize("command", ["plan", "estimate"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["film.yaml", "--backend", "statik"], "Did you mean 'static'?"),
        (["film.yaml", "--backend", ","], "No name is given"),
        (["film.yaml", "--set", "bugdet.max_cost=1"], "budget.max_cost"),
        (["film.yaml", "--config", "none.toml"], "none.toml"),
        (["fim.yaml"], "fim.yaml"),
        (["broken.yaml"], "broken.yaml:2"),
        (["deaf.yaml"], "noise.wav"),
    ],
)
def test_a_mistake_is_told_with_exit_code_2(
    command: str, arguments: list[str], told: str, here: Here, tmp_path: Path, film: Path
) -> None:
    (tmp_path / "broken.yaml").write_text('version: "1"\nscens: []\n', encoding="utf-8")
    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    (tmp_path / "deaf.yaml").write_text("scenes: [{audio: noise.wav}]\n", encoding="utf-8")
    done = here(command, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""
    failed = json.loads(here(command, *arguments, "--json", cwd=tmp_path).stdout)
    assert (failed["event"], failed["kind"], failed["exit_code"]) == ("failed", "input", 2)


@pytest.mark.parametrize("columns", [36, 70])
@pytest.mark.parametrize("command", ["plan", "estimate"])
def test_a_narrow_terminal_folds_the_tables_and_loses_nothing(
    command: str, columns: int, paid: Mapping[str, str], tmp_path: Path, film: Path
) -> None:
    narrow = {**paid, "COLUMNS": str(columns)}
    done = avatar(command, film.name, "--backend", "cloud", cwd=tmp_path, env=narrow)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line[:1] in "┏┃┡│├└"]
    assert max(map(len, rows)) <= columns
    # Read down its column, each name is still whole.
    cells = [[cell.strip() for cell in line.split("│")] for line in rows if line[0] == "│"]
    down = ["".join(column) for column in zip_longest(*cells, fillvalue="")]
    assert any("static" in column for column in down)
    assert any("cloud" in column for column in down)


def test_what_was_rendered_is_made_already_and_the_film_as_long_as_planned(
    here: Here, tmp_path: Path, film: Path
) -> None:
    still = ("--backend", "static")
    planned = json.loads(here("plan", film.name, "--json", *still, cwd=tmp_path).stdout)
    draft = ("--set", "video.quality=draft")
    done = here("render", film.name, "--json", *still, *draft, cwd=tmp_path)
    finished = json.loads(done.stdout.splitlines()[-1])
    assert finished["seconds"] == planned["seconds"]
    again = here("plan", film.name, *still, cwd=tmp_path).stdout
    assert again.count("made already") == 4
    assert "Presenters: 0 to make, 3 made already." in again
    paces = json.loads((tmp_path / "cache" / "v1" / "paces.json").read_text(encoding="utf-8"))
    assert len(paces["static"]) == 3


def test_a_film_of_silence_needs_nobody(here: Here, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text("scenes: [{duration: 2}]\n", encoding="utf-8")
    done = here("plan", "film.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "Film: 2.0 s, 1 scene." in done.stdout and "Presenters: none." in done.stdout
    short = here("estimate", "film.yaml", cwd=tmp_path)
    assert short.returncode == 0 and "--backend NAME" not in short.stdout
