"""Options of the D-ID backend: strict before anything is sent; and what a talk costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from avatar_core.backend import AvatarRequest, Cost, Size
from avatar_core.backend_options import backend_options
from avatar_core.errors import InputError
from avatar_core.plugins import load_plugins
from avatar_core.rung import Rung
from avatar_core.settings import load_settings
from avatar_core.testing import media
from backends.did.backend import DidBackend, talk_body
from backends.did.config import DidOptions
from backends.did.cost import cost_of, credits_for
from backends.did.uploads import Upload
from support_did_schema import request_faults
from support_house import table_keys

IMAGE = Upload("image", "c", "s3://d-id-images-prod/auth0|64aa/img_1/face.jpg", "img_1", 0.0)
AUDIO = Upload("audio", "c", "s3://d-id-audios-prod/auth0|64aa/A1/voice.wav", "A1", 0.0)

EXPRESSIONS = st.fixed_dictionaries(
    {
        "expressions": st.lists(
            st.fixed_dictionaries(
                {"start_frame": st.integers(0, 9000),
                 "expression": st.sampled_from(["neutral", "happy", "serious", "surprise"])},
                optional={"intensity": st.floats(0, 1)},
            ), min_size=1, max_size=4)},
    optional={"transition_frames": st.integers(0, 100)},
)  # fmt: skip
LOGOS = st.fixed_dictionaries(
    {"url": st.sampled_from(["https://a.example/logo.png", "s3://bucket/logo.png"]),
     "position": st.tuples(st.integers(-2000, 2000), st.integers(-2000, 2000))}
)  # fmt: skip
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "stitch": st.booleans(),
        "fluent": st.booleans(),
        "pad_audio": st.floats(0, 60),
        "result_format": st.sampled_from(["mp4", "mov"]),
        "driver_expressions": EXPRESSIONS,
        "logo": LOGOS,
    },
)


@given(GIVEN)
def test_whatever_options_are_accepted_the_order_is_one_that_the_service_describes(
    given_options: dict[str, Any],
) -> None:
    body = talk_body(DidOptions(**given_options), IMAGE, AUDIO, "av-0123456789abcdef-00000000")
    assert request_faults("POST /talks", body) == {}
    assert (body["source_url"], body["script"]["audio_url"]) == (IMAGE.url, AUDIO.url)
    assert body["name"] == body["user_data"] == "av-0123456789abcdef-00000000"


REFUSED: dict[str, dict[str, Any]] = {
    "an unknown one": {"sharpen": True},
    "a withdrawn format": {"result_format": "gif"},
    "too much silence": {"pad_audio": 60.1},
    "negative silence": {"pad_audio": -1},
    "silence without end": {"pad_audio": float("nan")},
    "an expression that does not exist": {
        "driver_expressions": {"expressions": [{"start_frame": 0, "expression": "angry"}]}},
    "an intensity above one": {"driver_expressions": {
        "expressions": [{"start_frame": 0, "expression": "happy", "intensity": 1.1}]}},
    "no expression": {"driver_expressions": {"expressions": []}},
    "a misspelled part": {"driver_expressions": {"expresions": []}},
    "a logo at home": {"logo": {"url": "logo.png", "position": [0, 0]}},
    "a logo over plain HTTP": {"logo": {"url": "http://a.example/l.png", "position": [0, 0]}},
    "a logo nowhere": {"logo": {"url": "https://a.example/l.png", "position": [0]}},
    "a logo as a switch": {"logo": True},
    "an address that is none": {"api_url": "api.d-id.com"},
    "an address that shows the key": {"api_url": "http://api.d-id.com"},
    "an address without a host": {"api_url": "https://"},
    "a negative price": {"credit_price": -1},
    "a price without end": {"credit_price": float("inf")},
    "a currency that is none": {"currency": "dollars"},
    "looks without a pause": {"poll_seconds": 0},
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_option_is_refused_before_anything_is_sent(case: str) -> None:
    with pytest.raises(ValidationError):
        DidOptions(**REFUSED[case])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/", "http://localhost:1", "http://[::1]:1"])
def test_a_double_on_this_computer_may_speak_plainly(url: str) -> None:
    assert DidOptions(api_url=url).api_url == url.rstrip("/")


def test_every_option_is_in_the_documentation() -> None:
    listed = {name for key in table_keys("docs/did.md") for name in [key]}
    pairs = {"currency"}
    assert set(DidOptions.model_fields) - listed - pairs == set()


def test_key_and_address_are_read_as_d_id_tells_its_users_to_set_them(tmp_path: Path) -> None:
    env = {"DID_API_KEY": "user:password", "DID_API_URL": "https://eu.example.com/",
           "AVATAR_BACKENDS__DID__CREDIT_PRICE": "0.15"}  # fmt: skip
    loaded = load_settings(env=env, cwd=tmp_path)
    plugins = load_plugins()
    options = backend_options(plugins.backends, "did", loaded.settings, places=loaded.places)
    assert isinstance(options, DidOptions)
    assert options.api_key.get_secret_value() == "user:password"
    assert (options.api_url, options.credit_price) == ("https://eu.example.com", Decimal("0.15"))
    assert "password" not in f"{options!r} {loaded.settings.masked()}"


def test_a_wrong_address_names_the_variable(tmp_path: Path) -> None:
    loaded = load_settings(env={"DID_API_URL": "http://api.d-id.com"}, cwd=tmp_path)
    with pytest.raises(InputError) as caught:
        backend_options(load_plugins().backends, "did", loaded.settings, places=loaded.places)
    assert "DID_API_URL" in str(caught.value) and "https://" in str(caught.value)


SAME_PICTURE = {
    "api_key": "a:b", "api_url": "https://eu.example.com", "credit_price": 1, "currency": "EUR",
    "delete_uploads": True, "poll_seconds": 9, "batch_short_scenes": True,
}  # fmt: skip
OTHER_PICTURE = {
    "stitch": False, "fluent": True, "pad_audio": 1, "result_format": "mov",
    "logo": {"url": "https://a.example/l.png", "position": (0, 0)},
    "driver_expressions": {"expressions": [{"start_frame": 0, "expression": "happy"}]},
}  # fmt: skip


def test_only_what_changes_the_picture_makes_a_clip_anew(tmp_path: Path) -> None:
    def key(**options: Any) -> str | None:
        rung = Rung.of(DidBackend(DidOptions(**options)))
        return rung.key(replace(asked, options=rung.options))

    asked, usual = media.request(tmp_path), {"api_key": "c:d"}
    keys = {name: key(**{**usual, name: value}) for name, value in SAME_PICTURE.items()}
    assert {name for name, one in keys.items() if one != key(**usual)} == set()
    keys = {name: key(**usual, **{name: value}) for name, value in OTHER_PICTURE.items()}
    assert {name for name, one in keys.items() if one == key(**usual)} == set()
    assert {*SAME_PICTURE, *OTHER_PICTURE} == set(DidOptions.model_fields)


PRICES = [(0.0, 1), (0.1, 1), (14.99, 1), (15.0, 1), (15.000000001, 1), (15.01, 2), (30.0, 2),
          (30.1, 3), (44.9, 3), (45.0, 3), (46.0, 4), (600.0, 40)]  # fmt: skip


@pytest.mark.parametrize(("seconds", "credits"), PRICES)
def test_a_credit_is_fifteen_seconds_that_have_begun(seconds: float, credits: int) -> None:
    assert credits_for(seconds) == credits
    priced = DidOptions(credit_price=Decimal("0.15"), currency="EUR")
    assert cost_of(seconds, priced) == Cost(credits * Decimal("0.15"), "EUR")
    assert cost_of(seconds, DidOptions()) == Cost(Decimal(credits), "CRD")


@given(st.floats(0, 600), st.floats(0, 60))
def test_silence_that_is_added_costs_what_speech_does(seconds: float, padding: float) -> None:
    backend = DidBackend(DidOptions(credit_price=1))
    asked = AvatarRequest(
        None, Path("not-there-yet.wav"), seconds, Size(64, 80), 10,
        options=DidOptions(credit_price=2, pad_audio=padding),
    )  # fmt: skip
    assert backend.estimate(asked) == Cost(2 * Decimal(credits_for(seconds + padding)), "USD")


def test_what_the_backend_means_is_declared() -> None:
    can = DidBackend.capabilities
    assert can.uploads and can.costs_money and can.needs_network
    assert can.max_seconds == 600
    assert can.concurrency and can.pace
