"""D-ID's key: both of its forms, and what is said of one that cannot be right."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from avatar_core.errors import AvatarError, Category
from avatar_core.http_address import authorization
from avatar_core.secrets import scrub
from avatar_core.testing import Answer, ScriptedServer
from backends.did.auth import credentials
from backends.did.backend import DidBackend
from support_did_jobs import KEY, options

EMAIL = "lan@marker.example"
USER, PASSWORD = KEY.split(":")
ENCODED = base64.b64encode(KEY.encode()).decode()
_LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789+/=_-.~", min_size=1, max_size=60)


@pytest.mark.parametrize(
    "written",
    [KEY, ENCODED, ENCODED.rstrip("="), f"  {KEY}\n", f"Basic {KEY}", f"basic {ENCODED}"],
)
def test_every_form_of_a_key_is_sent_as_basic_credentials(written: str) -> None:
    with ScriptedServer() as server:
        server.on("GET", "/credits", Answer(200, {"credits": [], "remaining": 3, "total": 4}))
        assert DidBackend(options(server.url, written)).check().ok
        (asked,) = server.requests
    scheme, _, value = asked.headers["authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value + "=" * (-len(value) % 4)).decode() == KEY


@given(user=_LETTERS, password=_LETTERS)
def test_a_key_with_a_colon_is_encoded_by_the_book(user: str, password: str) -> None:
    header = authorization(credentials(SecretStr(f"{user}:{password}")))["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == f"{user}:{password}"


@given(user=_LETTERS, password=_LETTERS)
def test_an_encoded_key_is_passed_on_as_it_is(user: str, password: str) -> None:
    encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert authorization(credentials(SecretStr(encoded))) == {"Authorization": f"Basic {encoded}"}


WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("", "No key for D-ID is set."),
    "blanks": ("  \n", "No key for D-ID is set."),
    "only the scheme": ("Basic ", "No key for D-ID is set."),
    "the first half": (base64.b64encode(EMAIL.encode()).decode(), "its first half"),
    "the second half": ("Tq8-password_of-the-api", "one half of it"),
    "a colon at the end": (f"{USER}:", "only one half of a key"),
    "a colon in front": (f":{PASSWORD}", "only one half of a key"),
    "a login's token": (f"Bearer {ENCODED}", "begins with Bearer"),
    "an address": ("https://api.d-id.com", "is an address"),
    "quotation marks": (f'"{KEY}"', "quotation marks"),
    "a placeholder": ("<your key>", "quotation marks or brackets"),
    "a line break within": (f"{USER}:\n{PASSWORD}", "a space, a line break"),
    "two keys": (f"{KEY} {KEY}", "a space, a line break"),
    "a letter that headers lack": (f"{USER}:pässword", "a letter that keys do not have"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_key_that_cannot_be_right_is_told_before_anything_is_sent(case: str) -> None:
    written, said = WRONG[case]
    with ScriptedServer() as server, pytest.raises(AvatarError) as caught:
        try:
            DidBackend(options(server.url, written)).check()
        finally:
            assert server.requests == []
    assert caught.value.category is Category.AUTH
    assert said in caught.value.message
    assert "DID_API_KEY" in caught.value.advice
    text = f"{caught.value.message} {caught.value.advice}"
    assert not any(part in text for part in (USER, PASSWORD, ENCODED, EMAIL))


REFUSALS: dict[str, tuple[Answer, Category, str]] = {
    "the gateway's word": (
        Answer(401, {"message": "Unauthorized"}), Category.AUTH, "did not accept the key"),
    "the service's word": (
        Answer(401, {"kind": "AuthorizationError", "description": "user unauthenticated"}),
        Category.AUTH, "AuthorizationError: user unauthenticated"),
    "an explicit deny": (
        Answer(403, {"Message": "User is not authorized to access this resource with an explicit "
                     "deny"}), Category.AUTH, "did not accept the key"),
    "a missing equal-sign": (
        Answer(403, {"message": "Invalid key=value pair (missing equal-sign) in Authorization "
                     f"header: 'Basic {ENCODED}'."}),
        Category.UNSUPPORTED, "has nothing at this address"),
    "a missing credential": (
        Answer(403, {"message": "Authorization header requires 'Credential' parameter."}),
        Category.UNSUPPORTED, "has nothing at this address"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_key_is_told_from_a_wrong_address(case: str) -> None:
    answer, category, said = REFUSALS[case]
    with ScriptedServer() as server:
        server.on("GET", "/credits", answer)
        with pytest.raises(AvatarError) as caught:
            DidBackend(options(server.url)).check()
    assert (caught.value.category, caught.value.status) == (category, answer.status)
    assert said in caught.value.message
    assert ("DID_API_URL" in caught.value.advice) == (category is Category.UNSUPPORTED)
    assert not any(part in caught.value.message for part in (USER, PASSWORD, ENCODED))


@pytest.mark.parametrize("encoded", [False, True])
def test_once_used_neither_the_key_nor_a_part_of_it_is_shown(encoded: bool) -> None:
    email = f"encoded.{encoded}@marker.example"
    user, password = base64.b64encode(email.encode()).decode(), f"of-{encoded}-0123456789"
    whole = base64.b64encode(f"{user}:{password}".encode()).decode()
    credentials(SecretStr(whole if encoded else f"{user}:{password}"))
    shown = scrub(f"{user}:{password} {user} {password} {email}")
    assert not any(part in shown for part in (user, password, email))
    assert whole not in scrub(whole) or not encoded
