"""`avatar doctor` and `avatar backends`: what is tried, and what is said when it does not work."""

from __future__ import annotations

import json
import re
import sys
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Health, Job
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.ffmpeg import ffmpeg_exe
from avatar_core.plugins import Plugins, load_plugins
from avatar_core.settings import load_settings
from renderer import ffmpeg_trials as trials
from renderer.health import Probe, probe_backends
from support_cli import avatar, install_plugin

GATE = threading.Event()


class Scripted(AvatarBackend):
    """A backend whose check is all that matters."""

    name = "scripted"

    def check(self) -> Health:
        return Health(True, "Ready.", details={"version": "7"})

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise NotImplementedError


class Hanging(Scripted):
    name = "hanging"

    def check(self) -> Health:
        GATE.wait(600)
        return Health(True, "Too late.")


class Exploding(Scripted):
    name = "exploding"

    def check(self) -> Health:
        raise ZeroDivisionError("wires crossed")


class Refused(Scripted):
    name = "refused"

    def check(self) -> Health:
        raise AvatarError(Category.AUTH, "The key was not accepted.", advice="Make a new key.")


class Exiting(Scripted):
    name = "exiting"

    def check(self) -> Health:
        sys.exit(3)


def probes_of(
    *classes: type[AvatarBackend], seconds: float = 100.0, **settings: Any
) -> dict[str, Probe]:
    plugins: Plugins = load_plugins(entry_points=list[EntryPoint])
    for cls in classes:
        plugins.backends.register(cls.name, cls, "A test's own.")
    loaded = load_settings(settings, env={}, cwd=Path("nowhere"))
    return {probe.name: probe for probe in probe_backends(plugins, loaded, seconds)}


def test_a_healthy_backend_is_shown_with_its_owner_and_details() -> None:
    probe = probes_of(Scripted)["scripted"]
    assert (probe.ok, probe.message, probe.owner) == (True, "Ready.", "this program")
    assert probe.to_json()["details"] == {"version": "7"}


def test_a_check_that_says_in_a_category_why_not_is_no_bug_of_its_author() -> None:
    probe = probes_of(Refused)["refused"]
    told = (probe.ok, probe.message, probe.advice)
    assert told == (False, "The key was not accepted.", "Make a new key.")


def test_a_backend_that_hangs_does_not_hold_up_the_others() -> None:
    probes = probes_of(Hanging, Scripted, seconds=2.0)
    GATE.set()
    assert not probes["hanging"].ok
    assert "did not answer within 2 s" in probes["hanging"].message
    assert probes["scripted"].ok


@pytest.mark.parametrize(("cls", "said"), [(Exploding, "wires crossed"), (Exiting, "SystemExit")])
def test_a_backend_whose_check_fails_is_listed_with_the_reason(
    cls: type[AvatarBackend], said: str
) -> None:
    probe = probes_of(cls)[cls.name]
    assert not probe.ok
    assert said in probe.message


def test_wrong_options_are_told_as_the_backends_state() -> None:
    probe = probes_of(Scripted, backends={"scripted": {"colour": "red"}})["scripted"]
    assert not probe.ok
    assert "colour" in probe.message


def test_ffmpeg_passes_every_trial_of_the_doctor() -> None:
    assert "H.264" in trials.encoders()
    assert "VP9" in trials.cut_outs()
    assert str(len(trials.FILTERS)) in trials.filters()
    assert trials.VIETNAMESE in trials.vietnamese_captions()


def test_the_doctor_asks_for_no_filter_that_films_do_not_use() -> None:
    folder = Path(trials.__file__).parent
    sources = [path for path in folder.rglob("*.py") if path.name != Path(trials.__file__).name]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    unused = [name for name in trials.FILTERS if not re.search(rf"[\"'\],;]{name}\b", code)]
    assert unused == []


def test_a_letter_that_no_font_has_is_found_in_the_burnt_caption() -> None:
    picture, log = trials._burn("\ue123")
    assert "e123" in trials._missing_letters(log)
    assert len(picture) == 320 * 120


def test_a_caption_that_is_empty_leaves_the_picture_black() -> None:
    picture, log = trials._burn(" ")
    assert trials._missing_letters(log) == []
    assert max(picture) < 30


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for ffmpeg")
@pytest.mark.parametrize("status", [0, 1])
def test_an_ffmpeg_that_can_do_nothing_is_broken_and_says_so(tmp_path: Path, status: int) -> None:
    poor = tmp_path / "poor-ffmpeg"
    poor.write_text(f"#!/bin/sh\necho 'ffmpeg version 0.1-poor'\nexit {status}\n")
    poor.chmod(0o755)
    done = avatar("doctor", "--json", cwd=tmp_path, env={"AVATAR_FFMPEG": str(poor)})
    assert done.returncode == 1
    found = [f for f in json.loads(done.stdout)["findings"] if f["group"] == "ffmpeg"]
    states = {f["name"]: f["state"] for f in found[1:] or found}
    # Cut-outs are for those who ask for them.
    assert states.pop("cut-outs", "warning") == "warning"
    assert set(states.values()) == {"broken"}
    assert all("AVATAR_FFMPEG" in f["advice"] for f in found if f["state"] == "broken")


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for ffmpeg")
def test_an_ffmpeg_without_libvpx_makes_films_and_the_doctor_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    lesser = tmp_path / "ffmpeg-without-libvpx"
    lesser.write_text(
        "#!/bin/sh\n"
        'case "$*" in *libvpx*) echo "Unknown encoder \'libvpx-vp9\'" >&2; exit 1;; esac\n'
        f"exec '{ffmpeg_exe()}' \"$@\"\n"
    )
    lesser.chmod(0o755)
    done = avatar("doctor", "--json", cwd=tmp_path, env={"AVATAR_FFMPEG": str(lesser)})
    found = {f["name"]: f for f in json.loads(done.stdout)["findings"] if f["group"] == "ffmpeg"}
    assert {name for name, f in found.items() if f["state"] != "ok"} == {"cut-outs"}
    assert found["cut-outs"]["state"] == "warning"
    assert "libvpx-vp9" in found["cut-outs"]["message"] and found["cut-outs"]["advice"]


def test_an_ffmpeg_that_is_no_program_is_broken(tmp_path: Path) -> None:
    done = avatar("doctor", cwd=tmp_path, env={"AVATAR_FFMPEG": "no-such-ffmpeg"})
    assert done.returncode == 1
    assert "BROKEN" in done.stdout
    assert "no-such-ffmpeg" in done.stdout


def test_the_doctor_shows_settings_with_their_origins_and_masks_secrets(tmp_path: Path) -> None:
    (tmp_path / "avatar.toml").write_text('workers = 3\n[backends.did]\napi_key = "s3cr3t-a"\n')
    env = {"DID_API_KEY": "s3cr3t-b", "AVATAR_ON_DEGRADED": "fail"}
    seen = json.loads(avatar("doctor", "--json", cwd=tmp_path, env=env).stdout)
    assert seen["origins"]["workers"] == "avatar.toml:1"
    assert seen["origins"]["on_degraded"] == "environment AVATAR_ON_DEGRADED"
    assert seen["settings"]["workers"] == 3
    shown = avatar("doctor", cwd=tmp_path, env=env).stdout
    assert "api_key" in shown
    assert "s3cr3t" not in shown + json.dumps(seen)


def test_a_wrong_setting_is_a_finding_not_the_end_of_the_examination(tmp_path: Path) -> None:
    (tmp_path / "avatar.toml").write_text("wrokers = 3\n")
    done = avatar("doctor", "--json", cwd=tmp_path)
    findings = json.loads(done.stdout)["findings"]
    (wrong,) = [f for f in findings if f["group"] == "settings"]
    assert done.returncode == 1
    assert "wrokers" in wrong["message"] and "workers" in wrong["message"]
    assert any(f["group"] == "ffmpeg" and f["state"] == "ok" for f in findings)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('backend = "statik"', "There is no avatar backend 'statik'. Did you mean 'static'?"),
        ('[speech]\nengine = "espek"', "avatar.toml:2: speech.engine: There is no speech engine"),
        ('[speech]\nfallback = ["espek"]', "avatar.toml:2: speech.fallback: There is no speech"),
    ],
)
def test_a_name_that_would_end_every_render_is_broken(tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "avatar.toml").write_text(toml + "\n")
    done = avatar("doctor", "--json", cwd=tmp_path)
    (wrong,) = [f for f in json.loads(done.stdout)["findings"] if f["group"] == "settings"]
    assert (done.returncode, wrong["state"]) == (1, "broken")
    assert said in wrong["message"]


def test_a_cache_folder_that_cannot_be_used_is_broken(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    env = {"AVATAR_CACHE_DIR": str(tmp_path / "taken")}
    done = avatar("doctor", "--json", cwd=tmp_path, env=env)
    (cache,) = [f for f in json.loads(done.stdout)["findings"] if f["group"] == "cache"]
    assert done.returncode == 1
    assert cache["state"] == "broken"
    assert "AVATAR_CACHE_DIR" in cache["advice"]


def test_failed_plugins_are_listed_with_their_reasons(tmp_path: Path) -> None:
    env = install_plugin(tmp_path / "site", "faulty", "raise ImportError('no such wheel')")
    listed = json.loads(avatar("backends", "--json", cwd=tmp_path, env=env).stdout)
    reasons = {failed["plugin"]: failed["reason"] for failed in listed["failed"]}
    assert "no such wheel" in reasons["faulty"]
    for command in ("backends", "doctor"):
        assert "no such wheel" in avatar(command, cwd=tmp_path, env=env).stdout


def test_noise_of_a_plugin_stays_out_of_the_json(tmp_path: Path) -> None:
    code = "print('noise')\nfrom avatar_core import hookimpl\n@hookimpl\ndef on_event(event): ..."
    env = install_plugin(tmp_path / "site", "noisy", code)
    done = avatar("backends", "--json", cwd=tmp_path, env=env)
    assert done.returncode == 0
    assert "backends" in json.loads(done.stdout)


def test_the_trials_name_what_to_do_when_ffmpeg_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avatar_core.ffmpeg import ffmpeg_exe

    monkeypatch.setenv("AVATAR_FFMPEG", str(tmp_path / "none"))
    ffmpeg_exe.cache_clear()
    try:
        with pytest.raises(EnvironmentFault, match="AVATAR_FFMPEG"):
            trials.version()
    finally:
        ffmpeg_exe.cache_clear()
