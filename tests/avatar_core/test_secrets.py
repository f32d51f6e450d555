"""Secrets: what is one, and that it is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from avatar_core.attempt import contained
from avatar_core.backend import Health, Job
from avatar_core.errors import AvatarError, Category, EnvironmentFault, InputError
from avatar_core.health import HealthChecks
from avatar_core.secrets import MASK, is_secret, mask, remember, scrub
from avatar_core.settings import load_settings
from avatar_core.testing import ScriptedBackend

KEY = "k3y-of-the-service"
SAID = f"403 for https://api.example.com/?key={KEY}"


@pytest.fixture(autouse=True)
def known_key(tmp_path: Path) -> None:
    load_settings({"backends.leaky.api_key": KEY}, env={}, cwd=tmp_path)


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError(SAID),
        InputError(SAID),
        AvatarError(Category.AUTH, SAID, advice=SAID),
        EnvironmentFault(SAID, advice=SAID),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_what_a_backend_raises_is_told_without_its_key(failure: Exception) -> None:
    with pytest.raises((AvatarError, EnvironmentFault)) as caught, contained("leaky"):
        raise failure
    told = f"{caught.value} {caught.value.message} {caught.value.advice}"
    assert KEY not in told
    assert MASK in told


def test_what_a_check_says_is_told_without_its_key() -> None:
    ill = ScriptedBackend("leaky", health=Health(False, SAID, SAID))
    with pytest.raises(AvatarError) as caught:
        HealthChecks().require("leaky", ill)
    assert KEY not in f"{caught.value.message} {caught.value.advice}"


def test_progress_is_told_without_the_key(tmp_path: Path) -> None:
    heard: list[str] = []
    Job(tmp_path, on_progress=lambda fraction, message: heard.append(message)).progress(0.5, SAID)
    assert heard == [f"403 for https://api.example.com/?key={MASK}"]


def test_the_parts_of_a_secret_address_are_secret_one_by_one(tmp_path: Path) -> None:
    address = "https://someone:passw0rd@tunnel.example/?token=t0ken-value&room=lobby-one"
    load_settings(env={"COLAB_API_URL": address}, cwd=tmp_path)
    said = "tunnel.example refused /?token=t0ken-value&room=lobby-one to someone:passw0rd"
    assert scrub(said) == f"tunnel.example refused /?{MASK} to someone:{MASK}"


@pytest.mark.parametrize(
    "pasted",
    [
        "avatar:pasted-token-1@tunnel.example",
        "COLAB_API_URL=https://avatar:pasted-token-1@tunnel.example",
        'NgrokTunnel: "https://avatar:pasted-token-1@tunnel.example" -> "http://localhost:5000"',
        "https://pasted-token-1@tunnel.example",
        "https://avatar:pasted-token-1@tunnel.example:no-port",
        "https//avatar:pasted-token-1@tunnel.example",
        "https:/avatar:pasted-token-1@tunnel.example",
        "https://avatar:pasted-token-1 @tunnel.example",
        "https://https://avatar:pasted-token-1@tunnel.example",
        "pasted-token-1",
    ],
)
def test_an_address_that_was_pasted_with_things_around_it_is_secret_too(
    pasted: str, tmp_path: Path
) -> None:
    loaded = load_settings(env={"COLAB_API_URL": pasted}, cwd=tmp_path)
    assert "pasted-token-1" not in f"{loaded.settings!r} {loaded.settings.masked()}"
    assert "pasted-token-1" not in scrub("it refused pasted-token-1")


@pytest.mark.parametrize("plain", ["me@example.com", "C:/a@2x.png", "10:30", "a/b:c/d@e", "x: y@z"])
def test_what_only_looks_a_little_like_it_is_not_secret(plain: str) -> None:
    assert not is_secret("picture", plain)


@pytest.mark.parametrize("word", ["s3cret-token", "avatar:s3cret-token"])
def test_a_word_in_place_of_an_address_may_be_the_token(word: str) -> None:
    assert mask({"url": word, "api_url": word}) == {"url": MASK, "api_url": MASK}
    plain = {"url": "localhost:5000", "api_url": "gpubox:5000", "name": word}
    assert mask(plain) == plain


def test_secrets_inside_options_are_known() -> None:
    class Options(BaseModel):
        tokens: dict[str, list[SecretStr]]

    remember(Options(tokens={"all": [SecretStr("deep-inside")]}))
    assert scrub("it is deep-inside here") == f"it is {MASK} here"


def test_short_values_and_plain_text_stay_readable() -> None:
    remember(SecretStr("a"))
    remember(SecretStr(""))
    assert scrub("a banana") == "a banana"


def test_a_secret_is_known_as_it_looks_in_an_address() -> None:
    remember(SecretStr("s3cret+with/signs=="))
    assert scrub("GET /files?key=s3cret%2Bwith%2Fsigns%3D%3D") == f"GET /files?key={MASK}"
