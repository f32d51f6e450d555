"""`avatar check`, `init` and `schema`, and where a film goes."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from avatar_core.errors import InputError
from renderer.cli.rendering import checked_output, split_assignments
from support_cli import Here, avatar

GOOD = """\
version: "1"
title: "{{product}}"
variables: {product: Tea}
scenes:
  - {id: hook, text: "Four words of narration."}
  - {id: end, duration: 2.5}
"""
BAD = """\
version: "1"
scens: []
scenes:
  - {id: hook, text: "Hello", duration: 2}
  - {id: next, txet: "Hello"}
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capfd)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_good_script_is_summed_up_scene_by_scene(tmp_path: Path, film: Path) -> None:
    done = avatar("check", film.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "4 words" in done.stdout and "2.5 s" in done.stdout
    assert "'Tea', 2 scenes" in done.stdout


def test_variables_can_be_set_for_a_check(here: Here, tmp_path: Path, film: Path) -> None:
    done = here("check", film.name, "--set", "variables.product=Trà sen", "--json", cwd=tmp_path)
    checked = json.loads(done.stdout)
    assert (checked["event"], checked["title"]) == ("checked", "Trà sen")
    assert [(s["id"], s["line"]) for s in checked["scenes"]] == [("hook", 5), ("end", 6)]


def test_what_is_odd_but_no_mistake_is_told_before_rendering(here: Here, tmp_path: Path) -> None:
    script = "output: {size: 541x961}\nspeakers: {lan: {}}\nscenes: [{text: Hi, speaker: lan}]\n"
    (tmp_path / "film.yaml").write_text(script, encoding="utf-8")
    done = here("check", "film.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert "Warning: film.yaml:1: output.size: 541x961 is not even" in done.stderr
    assert "Warning: film.yaml:2: speakers.lan: there is no portrait" in done.stderr
    checked = json.loads(here("check", "film.yaml", "--json", cwd=tmp_path).stdout)
    assert len(checked["warnings"]) == 2


def test_all_mistakes_of_a_script_are_told_with_their_lines(here: Here, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(BAD)
    done = here("check", "film.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    for place in ("film.yaml:2", "film.yaml:4", "film.yaml:5"):
        assert place in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_gets_every_mistake_in_one_line(here: Here, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(BAD)
    done = here("check", "film.yaml", "--json", cwd=tmp_path)
    failed = json.loads(done.stdout)
    assert (done.returncode, failed["event"], failed["kind"]) == (2, "failed", "input")
    assert {mistake["line"] for mistake in failed["details"]["mistakes"]} == {2, 4, 5}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "missing.yaml"], "missing.yaml"),
        (["check", "."], "folder"),
        (["check", "film.yaml", "--config", "missing.toml"], "missing.toml"),
        (["check", "film.yaml", "--set", "wrokers=3"], "workers"),
        (["check", "film.yaml", "--set", "workers"], "name=value"),
        (["check", "film.yaml", "--set", "backend=statik"], "static"),
        (["init", "film.yaml"], "file"),
        (["init", "film.yaml/deeper"], "cannot be written"),
        (["schema", "-o", "."], "cannot be written"),
        (["render", "film.yaml", "-o", f"{'a' * 300}.mp4"], "cannot be written"),
    ],
)
def test_what_cannot_be_is_wrong_input(
    here: Here, tmp_path: Path, film: Path, arguments: list[str], said: str
) -> None:
    before = sorted(tmp_path.rglob("*.*"))
    done = here(*arguments, cwd=film.parent)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*.*")) == before


@pytest.mark.parametrize("name", ["two words.yaml", 'it\'s "it".yaml', "phim của tôi.yaml"])
def test_a_script_may_be_called_anything(here: Here, tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and '"' in name:
        pytest.skip("not a file name there")
    (tmp_path / name).write_text(GOOD, encoding="utf-8")
    assert here("check", name, cwd=tmp_path).returncode == 0


def test_a_script_may_start_with_a_dash(here: Here, tmp_path: Path) -> None:
    (tmp_path / "-film.yaml").write_text(GOOD)
    assert here("check", "--", "-film.yaml", cwd=tmp_path).returncode == 0


def test_the_schema_goes_to_standard_output_or_into_a_file(here: Here, tmp_path: Path) -> None:
    printed = here("schema", cwd=tmp_path)
    written = here("schema", "-o", "-schema.json", cwd=tmp_path)
    assert printed.returncode == written.returncode == 0
    assert written.stdout == ""
    schema = json.loads(printed.stdout)
    assert "scenes" in schema["properties"]
    assert json.loads((tmp_path / "-schema.json").read_text(encoding="utf-8")) == schema


@pytest.mark.parametrize("language", ["en-US", "vi-VN"])
def test_a_started_film_passes_its_own_check(here: Here, tmp_path: Path, language: str) -> None:
    started = here("init", "my film", "--language", language, cwd=tmp_path)
    assert started.returncode == 0, started.stderr
    folder = tmp_path / "my film"
    assert sorted(path.name for path in folder.iterdir()) == [
        "avatar.schema.json",
        "avatar.toml",
        "film.yaml",
        "presenter.png",
    ]
    first = (folder / "film.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert "avatar.schema.json" in first
    checked = here("check", "film.yaml", cwd=folder)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_started_film_has_a_presenter_who_can_speak(here: Here, tmp_path: Path) -> None:
    here("init", cwd=tmp_path)
    planned = json.loads(here("plan", "film.yaml", "--json", cwd=tmp_path).stdout)
    assert [scene["backend"] for scene in planned["scenes"]] == ["puppet"] * 3 + [None]
    assert planned["degraded"] == []


def test_starting_a_film_twice_overwrites_nothing(here: Here, tmp_path: Path) -> None:
    (tmp_path / "avatar.toml").write_text("workers = 2\n")
    done = here("init", cwd=tmp_path)
    assert done.returncode == 2
    assert "avatar.toml would be overwritten" in done.stderr
    assert not (tmp_path / "film.yaml").exists()
    assert (tmp_path / "avatar.toml").read_text() == "workers = 2\n"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that cannot be written"
)
def test_a_folder_that_cannot_be_written_is_wrong_input(here: Here, tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = here("init", "x", cwd=tmp_path)
    tmp_path.chmod(stat.S_IRWXU)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("name", ["film.mp4", "FILM.MP4", "-o.mp4", 'a "b" c.mp4', "phim Lụa.mp4"])
def test_an_output_may_be_called_anything_that_ends_in_mp4(name: str) -> None:
    assert checked_output(Path(name), "--output") == Path.cwd() / name


@pytest.mark.parametrize(
    ("name", "advice"), [("film.avi", "film.mp4"), ("film", "film.mp4"), ("film.mp4.", "film")]
)
def test_an_output_that_is_no_mp4_is_refused_with_a_name_that_would_do(
    name: str, advice: str
) -> None:
    with pytest.raises(InputError, match=advice):
        checked_output(Path(name), "--output")


def test_an_output_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        checked_output(tmp_path, "--output")


def test_assignments_are_settings_or_variables_of_the_script() -> None:
    settings, variables = split_assignments(("workers=2", "variables.product=Trà = sen"))
    assert settings == {"workers": "2"}
    assert variables == {"product": "Trà = sen"}
