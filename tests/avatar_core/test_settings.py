"""Settings: the order of the sources, where each value came from, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from avatar_core.errors import InputError
from avatar_core.settings import (
    DEFAULT_BACKEND,
    LoadedSettings,
    Settings,
    known_keys,
    load_settings,
    parse_assignments,
)
from avatar_core.settings_layers import OPEN_TABLES, nested, variable_for


def read(
    folder: Path,
    toml: str | None = None,
    dotenv: str | None = None,
    env: dict[str, str] | None = None,
    overrides: dict[str, Any] | None = None,
) -> LoadedSettings:
    if toml is not None:
        (folder / "avatar.toml").write_text(toml, encoding="utf-8")
    if dotenv is not None:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    return load_settings(overrides, env=env or {}, cwd=folder)


def test_without_any_source_everything_is_the_default(tmp_path: Path) -> None:
    loaded = read(tmp_path)
    assert loaded.settings == Settings()
    assert loaded.settings.backend == DEFAULT_BACKEND
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.config is None


SOURCES = ["argument", "environment", ".env", "avatar.toml"]


@pytest.mark.parametrize("highest", range(len(SOURCES)))
def test_the_higher_source_wins_and_is_named(tmp_path: Path, highest: int) -> None:
    given = {source: str(number) for number, source in enumerate(SOURCES, 1)}
    for source in SOURCES[:highest]:
        del given[source]
    loaded = read(
        tmp_path,
        toml=f"\nworkers = {given['avatar.toml']}\n",
        dotenv=f"AVATAR_WORKERS={given['.env']}\n" if ".env" in given else None,
        env={"AVATAR_WORKERS": given["environment"]} if "environment" in given else {},
        overrides={"workers": given["argument"]} if "argument" in given else {},
    )
    origins = ["argument", "environment AVATAR_WORKERS", ".env", "avatar.toml:2"]
    assert loaded.settings.workers == highest + 1
    assert loaded.origins["workers"] == origins[highest]


def test_tables_are_merged_key_by_key(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        toml='[backends.colab]\nurl = "https://old"\npreprocess = "crop"\n[video]\npreset="shorts"',
        env={"AVATAR_BACKENDS__COLAB__URL": "https://new", "AVATAR_VIDEO__QUALITY": "high"},
    )
    assert loaded.settings.backends == {"colab": {"url": "https://new", "preprocess": "crop"}}
    assert (loaded.settings.video.preset, loaded.settings.video.quality) == ("shorts", "high")
    assert loaded.origins["backends.colab.preprocess"] == "avatar.toml:3"
    assert loaded.origins["video.preset"] == "avatar.toml:5"


def test_the_services_own_variables_are_read_as_they_are(tmp_path: Path) -> None:
    loaded = read(
        tmp_path, dotenv='DID_API_KEY="s3cret"\n', env={"COLAB_API_URL": "https://x.example"}
    )
    assert loaded.settings.backends["colab"]["url"] == "https://x.example"
    assert loaded.settings.backends["did"]["api_key"].get_secret_value() == "s3cret"
    assert loaded.origins["backends.colab.url"] == "environment COLAB_API_URL"
    assert loaded.origins["backends.did.api_key"] == ".env"


def test_our_own_spelling_wins_over_the_services(tmp_path: Path) -> None:
    env = {"COLAB_API_URL": "https://theirs", "AVATAR_BACKENDS__COLAB__URL": "https://ours"}
    assert read(tmp_path, env=env).settings.backends["colab"]["url"] == "https://ours"


@pytest.mark.parametrize("value", ["a,b", " a , b ,", "a,b,"])
def test_a_list_in_a_variable_is_written_with_commas(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, env={"AVATAR_FALLBACK": value}).settings.fallback == ("a", "b")


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    env = {"AVATAR_WORKERS": "", "COLAB_API_URL": "", "AVATAR_NO_SUCH": ""}
    assert read(tmp_path, env=env).settings == Settings()


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    dotenv = "DATABASE_URL=x\nworkers=99\nAVATARS=3\n"
    env = {
        "PATH": "/bin",
        "AVATAR_PLUGINS": "static",
        "AVATAR_FFMPEG": "ffmpeg",
        "AVATAR_DEBUG": "1",
    }
    assert read(tmp_path, dotenv=dotenv, env=env).settings == Settings()


def test_files_that_begin_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "avatar.toml").write_text("workers = 3\n", encoding="utf-8-sig")
    (tmp_path / ".env").write_text("AVATAR_BACKEND=puppet\n", encoding="utf-8-sig")
    settings = load_settings(env={}, cwd=tmp_path).settings
    assert (settings.workers, settings.backend) == (3, "puppet")


def test_a_file_that_windows_wrote_in_utf_16_is_told_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COLAB_API_URL=https://t0ken@x.example\n", encoding="utf-16")
    with pytest.raises(InputError) as told:
        load_settings(env={}, cwd=tmp_path)
    assert told.value.message == "This is not a text file in UTF-8."
    assert "save it again" in (told.value.advice or "")
    assert "t0ken" not in str(told.value)


def test_a_relative_cache_folder_counts_from_the_file_that_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "my.toml").write_text('cache_dir = "cache"')
    from_file = load_settings(config=elsewhere / "my.toml", env={}, cwd=tmp_path)
    from_env = load_settings(env={"AVATAR_CACHE_DIR": "cache"}, cwd=tmp_path)
    assert from_file.settings.cache_dir == elsewhere / "cache"
    monkeypatch.chdir(tmp_path)
    relative = load_settings(config=Path("elsewhere/my.toml"), env={})
    assert relative.settings.cache_dir == elsewhere / "cache"
    assert from_env.settings.cache_dir == tmp_path / "cache"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "misspelled key": (
        {"toml": '\n\nfallbck = ["a"]'},
        "avatar.toml:3: fallbck: There is no such setting. Did you mean 'fallback'?",
    ),
    "misspelled key in a table": (
        {"toml": '[video]\npresett = "shorts"'},
        "avatar.toml:2: video.presett: There is no such setting. Did you mean 'video.preset'?",
    ),
    "misspelled table": (
        {"toml": '[vidoe]\npreset = "x"'},
        "avatar.toml:2: vidoe.preset: There is no such setting. Did you mean 'video.preset'?",
    ),
    "misspelled variable": (
        {"env": {"AVATAR_WORKRES": "2"}},
        "AVATAR_WORKRES: There is no such setting. Did you mean 'AVATAR_WORKERS'?",
    ),
    "misspelled line in .env": (
        {"dotenv": "X=1\nexport AVATAR_BACKND=static\n"},
        ".env:2: AVATAR_BACKND: There is no such setting. Did you mean 'AVATAR_BACKEND'?",
    ),
    "plugins in .env": ({"dotenv": "AVATAR_PLUGINS=static"}, "environment only"),
    "a backend's table as one variable": ({"env": {"AVATAR_BACKENDS__COLAB": "x"}}, "no such"),
    "misspelled argument": ({"overrides": {"video.preste": "x"}}, "Did you mean 'video.preset'?"),
    "a policy as one variable": (
        {"env": {"AVATAR_POLICIES__COLAB": "2"}},
        "Write it as AVATAR_POLICIES__NAME__KEY, NAME being a backend.",
    ),
    "not a number": (
        {"env": {"AVATAR_WORKERS": "many"}},
        "AVATAR_WORKERS: It should be a whole number. Leave it out for the default.",
    ),
    "half a call": (
        {"toml": "[retry]\nattempts = 1.5"},
        "avatar.toml:2: retry.attempts: It should be a whole number. "
        "Leave it out for the default, 2.",
    ),
    "too few": ({"toml": "workers = 0"}, "avatar.toml:1: workers: It should be 1 or more."),
    "too many": ({"toml": "[retry]\nattempts = 99"}, "It should be 20 or less."),
    "a time of none": ({"toml": "[deadline]\nscene = 0"}, "It should be more than 0."),
    "an endless time": ({"toml": "[breaker]\ncool_down = inf"}, "It should be a finite number."),
    "a price with a unit": (
        {"toml": '[budget]\nmax_cost = "3 dollars"'},
        "avatar.toml:2: budget.max_cost: It should be a number, without a unit.",
    ),
    "a price that is none": (
        {"toml": "[budget]\nmax_cost = true"},
        "It should be a number, without a unit.",
    ),
    "a currency's name": (
        {"env": {"AVATAR_BUDGET__CURRENCY": "euro"}},
        "It should be three capital letters, such as USD. Leave it out for the default, USD.",
    ),
    "perhaps": ({"env": {"AVATAR_REPORT": "perhaps"}}, "It should be true or false."),
    "a policy of nobody": (
        {"toml": "[policies]\ncolab = 3"},
        "avatar.toml:2: policies.colab: It should be a table, with keys of its own.",
    ),
    "a wrong policy": (
        {"toml": '[policies.colab]\nattempts = "many"'},
        "It should be a whole number. Leave it out to treat this backend as the others.",
    ),
    "not a choice": ({"toml": '[video]\nquality = "best"'}, "'draft', 'standard' or 'high'"),
    "a value instead of a table": ({"toml": "video = 3"}, "avatar.toml:1: video"),
    "a table instead of a value": ({"toml": "[backend]\nx = 1"}, "avatar.toml"),
    "value and table": (
        {"toml": "video = 3", "env": {"AVATAR_VIDEO__PRESET": "x"}},
        "both as a value and as a table",
    ),
    "not a table of options": ({"toml": "[backends]\ncolab = 3"}, "avatar.toml:2: backends.colab"),
    "not TOML": ({"toml": "a = \n"}, "avatar.toml:1: This is not valid TOML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_told_with_its_place_and_the_next_step(tmp_path: Path, case: str) -> None:
    sources, sentence = REFUSED[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path, **sources)
    assert sentence in str(caught.value)


def test_a_configuration_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml: .*cannot be read"):
        load_settings(config=tmp_path / "gone.toml", env={}, cwd=tmp_path)


@pytest.mark.parametrize("name", ["avatar.toml", ".env"])
def test_a_file_in_another_encoding_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes('backend = "é"'.encode("utf-16"))
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_settings(env={}, cwd=tmp_path)


SECRETS = {
    "DID_API_KEY": "tops3cret",
    "COLAB_API_URL": "https://user:tops3cret@x.example:8443/",
    "AVATAR_BACKENDS__ACME__AUTH_TOKEN": "tops3cret",
    "AVATAR_BACKENDS__ACME__ENDPOINT": "https://x.example/talk?k=tops3cret",
}


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    loaded = read(tmp_path, env=SECRETS)
    assert "tops3cret" not in f"{loaded.settings!r} {loaded!r} {loaded.settings}"
    masked = loaded.settings.masked()["backends"]
    assert "tops3cret" not in str(masked)
    assert masked["acme"]["endpoint"] == "https://x.example/**********"
    # Where it leads stays visible, its port too.
    assert masked["colab"]["url"] == "https://x.example:8443/**********"
    assert isinstance(loaded.settings.backends["did"]["api_key"], SecretStr)


def test_an_error_does_not_show_the_value_either(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, env={**SECRETS, "AVATAR_WORKERS": "tops3cret"})
    assert "tops3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_assignments_become_overrides() -> None:
    given = ["video.preset=shorts", "fallback=a,b", 'backends.x.list=["a"]', "backends.x.url=a=b"]
    assert parse_assignments(given) == {
        "video.preset": "shorts",
        "fallback": "a,b",
        "backends.x.list": ["a"],
        "backends.x.url": "a=b",
    }


@pytest.mark.parametrize("text", ["workers", "=4", "", "x={not json"])
def test_a_text_that_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_assignments([text])


_NUMBERS = ("retry", "deadline", "breaker", "budget")
_VALUES = {
    "workers": "3", "use_ai_avatar": "false", "on_degraded": "fail", "affinity": "film",
    "redo_earlier": "true", "second_try": "false", "allow_upload": "false", "report": "false",
    "budget.currency": "EUR", "budget.allow_unknown_price": "false",
    "budget.reorder_lost": "true", "budget.reorder_bad": "true",
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(known_keys(Settings) - OPEN_TABLES))
def test_every_setting_can_be_given_in_every_way(tmp_path: Path, key: str) -> None:
    value = _VALUES.get(key, "7" if key.partition(".")[0] in _NUMBERS else "draft")
    ways = [
        read(tmp_path, env={variable_for(key): value}),
        read(tmp_path, overrides={key: value}),
        read(tmp_path, overrides=nested({key: value})),
        read(tmp_path, dotenv=f"{variable_for(key)}={value}"),
    ]
    assert len({repr(way.settings) for way in ways}) == 1
    assert ways[0].settings != Settings()


_KEYS = st.text("abc_", min_size=1, max_size=8).filter(
    lambda k: k.strip("_") == k and "__" not in k
)


@given(st.dictionaries(_KEYS, st.one_of(st.integers(), st.text("xyz"), st.booleans())))
def test_options_of_a_backend_arrive_as_they_are_written(options: dict[str, Any]) -> None:
    loaded = load_settings({"backends": {"any": options}}, env={}, cwd=Path("/nonexistent"))
    assert loaded.settings.backends.get("any", {}) == options
