"""COLAB_API_URL as people paste it, and the options of the colab backend."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from avatar_core.backend_options import backend_options
from avatar_core.errors import InputError
from avatar_core.plugins import load_plugins
from avatar_core.secrets import scrub
from avatar_core.settings import load_settings
from backends.colab.config import ColabOptions
from backends.colab.connection import parse_connection
from support_house import read

HOST = "calm-otter-12.ngrok-free.app"
PLAIN = f"https://{HOST}"
WELL_FORMED = st.text(string.ascii_letters + string.digits + "._~-", min_size=16, max_size=60)


@pytest.mark.parametrize(
    ("pasted", "url", "token"),
    [
        (PLAIN, PLAIN, ""),
        (f"{PLAIN}/", PLAIN, ""),
        (f"  {PLAIN}\n", PLAIN, ""),
        (f'"{PLAIN}"', PLAIN, ""),
        (HOST, PLAIN, ""),
        (f"avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https://avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https://tok-1@{HOST}/", PLAIN, "tok-1"),
        (f"https://avatar:a%2Fb@{HOST}", PLAIN, "a/b"),
        (f"{PLAIN}/?token=tok-1", PLAIN, "tok-1"),
        (f"{PLAIN}/?utm=1#top", PLAIN, ""),
        (f"COLAB_API_URL=https://avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"export COLAB_API_URL='https://avatar:tok-1@{HOST}'", PLAIN, "tok-1"),
        (f"%env COLAB_API_URL={HOST}", PLAIN, ""),
        (f'NgrokTunnel: "{PLAIN}" -> "http://localhost:5000"', PLAIN, ""),
        (f"{PLAIN}/health", PLAIN, ""),
        (f"{PLAIN}/generate/", PLAIN, ""),
        (f"{PLAIN}/v1/jobs/0123", PLAIN, ""),
        (f"http://{HOST}", PLAIN, ""),
        (f"HTTPS://{HOST.upper()}", PLAIN, ""),
        ("http://some.trycloudflare.com", "https://some.trycloudflare.com", ""),
        ("localhost:5000", "http://localhost:5000", ""),
        ("avatar:tok-1@127.0.0.1:5000", "http://127.0.0.1:5000", "tok-1"),
        ("http://192.168.1.20:5000", "http://192.168.1.20:5000", ""),
        ("http://gpu.example.com/avatar/health", "http://gpu.example.com/avatar", ""),
        ("http://[::1]:5000", "http://[::1]:5000", ""),
        ("http://[::1]", "http://[::1]", ""),
        ("172.20.0.4:5000", "http://172.20.0.4:5000", ""),
        ("gpubox:5000", "http://gpubox:5000", ""),
        ("http://gpubox", "http://gpubox", ""),
        (f"https://https://avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https://http://avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https:/avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https//avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https: //avatar:tok-1@{HOST}", PLAIN, "tok-1"),
        (f"https://avatar:tok-1 @ {HOST}", PLAIN, "tok-1"),
        (f"https://avatar:tok-1@{HOST}, and then", PLAIN, "tok-1"),
        (f"{PLAIN}.", PLAIN, ""),
        (f"“https://avatar:tok-1@{HOST}”", PLAIN, "tok-1"),
        (f"[{PLAIN}]({PLAIN})", PLAIN, ""),
        (f"\ufeffhttps://avatar:tok-1@\u200b{HOST}", PLAIN, "tok-1"),
        (f"{PLAIN}/docs/index.html", PLAIN, ""),
    ],
)
def test_an_address_is_understood_however_it_was_pasted(pasted: str, url: str, token: str) -> None:
    found = parse_connection(pasted)
    assert (found.url, found.token) == (url, token)
    assert not token or token not in repr(found)


@pytest.mark.parametrize(
    "pasted",
    ["", "  ", "COLAB_API_URL=", "ftp://host", "a b", "https://", "https://host:99999",
     "https://host:port", "https://[::1", "https://avatar:secret-token@", "my notebook",
     "secret-token", "avatar:secret-token", "COLAB_API_URL=secret-token", "tcp://0.tcp.ngrok.io:1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_a_sentence(pasted: str) -> None:
    with pytest.raises(ValueError, match="It should look like") as refused:
        parse_connection(pasted)
    assert "secret-token" not in str(refused.value)


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("https://colab.research.google.com/drive/1AbC", "the address of the notebook itself"),
        ("https://dashboard.ngrok.com/endpoints", "ngrok's dashboard"),
        ("https://ngrok.com", "ngrok's own site"),
        ("https://drive.google.com/file/d/1", "Google Drive"),
    ],
)
def test_the_address_of_another_page_of_the_day_is_told_as_what_it_is(
    pasted: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        parse_connection(pasted)
    assert str(refused.value).endswith("See: avatar docs colab#wrong-address")


@given(token=WELL_FORMED)
def test_what_the_server_prints_comes_apart_into_what_it_was_made_of(token: str) -> None:
    found = parse_connection(f"COLAB_API_URL=https://avatar:{token}@{HOST}")
    assert (found.url, found.token) == (PLAIN, token)


@given(text=st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = parse_connection(text)
    except ValueError:
        return
    assert found.url.startswith(("http://", "https://"))
    assert "@" not in found.url.partition("://")[2].partition("/")[0]


def test_the_token_is_taken_out_of_the_address() -> None:
    options = ColabOptions(url=f"https://avatar:hidden-token@{HOST}")
    assert options.url == PLAIN
    assert options.token.get_secret_value() == "hidden-token"
    assert "hidden-token" not in f"{options!r} {options} {options.model_dump()}"
    assert options.model_dump(include={"url", "token"}) == {}


def test_a_token_that_is_given_apart_counts_before_the_one_in_the_address() -> None:
    options = ColabOptions(url=f"https://avatar:old@{HOST}", token=SecretStr("new-token"))
    assert options.token.get_secret_value() == "new-token"


def test_the_defaults_are_what_fails_least() -> None:
    options = ColabOptions()
    assert (options.preprocess, options.still, options.enhancer) == ("crop", True, "none")
    assert options.for_engine()["size"] == 256
    assert "url" not in options.for_engine()


def test_another_engine_gets_its_own_options_alone() -> None:
    options = ColabOptions(engine="wav2lip", engine_options={"pads": [0, 10, 0, 0]})
    assert options.for_engine() == {"pads": [0, 10, 0, 0]}


@pytest.mark.parametrize(
    "wrong",
    [{"enhancer": "codeformer"}, {"size": 300}, {"pose_style": 46}, {"preprocess": "whole"},
     {"expression_scale": 9}, {"wait": 26}, {"patience": -1}, {"engine": "../x"}, {"speed": 2},
     {"url": "no address"}],
)  # fmt: skip
def test_options_that_cannot_be_are_refused_before_anything_is_sent(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        ColabOptions.model_validate(wrong)


def test_a_mistake_in_the_address_is_told_by_its_variable_and_without_the_token() -> None:
    loaded = load_settings(env={"COLAB_API_URL": "https://avatar:very-secret@host:port"})
    registry = load_plugins().backends
    with pytest.raises(InputError) as refused:
        backend_options(registry, "colab", loaded.settings, places=loaded.places)
    assert str(refused.value).startswith("COLAB_API_URL: Its host or port cannot be read.")
    assert str(refused.value).endswith("See: avatar docs colab#wrong-address")
    assert "very-secret" not in str(refused.value)


def test_the_settings_give_the_backend_its_address_and_keep_the_token() -> None:
    loaded = load_settings(env={"COLAB_API_URL": f"https://avatar:very-secret@{HOST}"})
    registry = load_plugins().backends
    options = backend_options(
        registry, "colab", loaded.settings, {"enhancer": "gfpgan"}, places=loaded.places
    )
    assert isinstance(options, ColabOptions)
    assert (options.url, options.enhancer) == (PLAIN, "gfpgan")
    assert options.token.get_secret_value() == "very-secret"
    assert "very-secret" not in f"{loaded.settings.masked()} {options!r}"
    assert "very-secret" not in scrub("the token very-secret")


def test_every_option_is_on_the_page() -> None:
    page = read("docs/colab.md")
    assert [name for name in ColabOptions.model_fields if f"`{name}`" not in page] == []
