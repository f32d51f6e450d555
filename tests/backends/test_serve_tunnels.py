"""Tunnels: real programs that stand in for ngrok's and cloudflared's, reached as those are."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

import support_tunnels
from avatar_core.errors import AvatarError, Category, InputError
from backends.colab.server.access import Token
from backends.colab.server.cloudflared import CloudflaredTunnel
from backends.colab.server.ngrok import NgrokTunnel
from backends.colab.server.ngrok_errors import COMPLAINTS, ngrok_error
from backends.colab.server.tunnels import NoTunnel, address_with
from support_serve import TOKEN

posix = pytest.mark.skipif(os.name != "posix", reason="the stand-ins start by their first line")
SECRET = "2ab-an-ngrok-token-for-tests"


def ngrok_of(folder: Path, **more: str) -> NgrokTunnel:
    config = folder / "ngrok.yml"
    config.write_text("version: 3\n")
    program = support_tunnels.ngrok(folder, **more)
    return NgrokTunnel(SecretStr(SECRET), program=program, config=config)


@posix
def test_ngrok_gives_its_public_address_and_takes_it_away(tmp_path: Path) -> None:
    tunnel = ngrok_of(tmp_path)
    try:
        assert tunnel.open(4321) == "https://a-name.ngrok-free.dev"
        assert tunnel.alive()
        asked = json.loads((tmp_path / "asked.json").read_text())
        assert asked["upstream"]["url"] == "http://127.0.0.1:4321"
        options = json.loads((tmp_path / "argv.json").read_text())
        # Options are seen by all users of the machine, the file by its owner alone.
        assert not any(SECRET in option for option in options)
        given = Path(options[options.index("--config") + 1])
        assert SECRET in given.read_text()
        assert given.parent.stat().st_mode & 0o077 == 0
    finally:
        tunnel.close()
    assert not tunnel.alive()
    assert not given.parent.exists()
    tunnel.close()


@posix
def test_ngrok_is_asked_for_an_address_of_one_s_own(tmp_path: Path) -> None:
    config = tmp_path / "ngrok.yml"
    config.write_text("version: 3\n")
    program = support_tunnels.ngrok(tmp_path)
    tunnel = NgrokTunnel(None, url="https://mine.ngrok.app", program=program, config=config)
    try:
        assert tunnel.open(1) == "https://mine.ngrok.app"
    finally:
        tunnel.close()


@posix
@pytest.mark.parametrize("where", ["error", "refusal"])
def test_ngrok_s_complaint_becomes_advice(tmp_path: Path, where: str) -> None:
    text = "authentication failed: your account must be verified.\\r\\nERR_NGROK_4018"
    tunnel = ngrok_of(tmp_path, **{where: text})
    with pytest.raises(AvatarError) as caught:
        tunnel.open(1)
    assert caught.value.category is Category.AUTH
    assert "ERR_NGROK_4018" in caught.value.message
    assert "NGROK_AUTHTOKEN" in caught.value.advice
    assert SECRET not in caught.value.message
    assert not tunnel.alive()


@pytest.mark.parametrize("code", COMPLAINTS)
def test_every_known_code_has_its_sentence_and_next_step(code: int) -> None:
    failure = ngrok_error(f"The ngrok process errored on start: x ERR_NGROK_{code}.")
    assert failure.message == f"ngrok {COMPLAINTS[code].says} (ERR_NGROK_{code})."
    assert len(failure.advice) > 20


@pytest.mark.parametrize("printed, wanted", [
    ("", "ngrok could not open the tunnel."),
    ("dial tcp: no such host", "ngrok could not open the tunnel: dial tcp: no such host."),
    ("x ERR_NGROK_99999", "ngrok could not open the tunnel (ERR_NGROK_99999): x ERR_NGROK_99999."),
])  # fmt: skip
def test_what_is_not_known_is_shown(printed: str, wanted: str) -> None:
    failure = ngrok_error(printed)
    assert (failure.message, failure.category) == (wanted, Category.CONNECTIVITY)


@posix
@pytest.mark.parametrize("does", ["work", "flood"])
def test_cloudflared_tells_its_address_among_all_it_prints(tmp_path: Path, does: str) -> None:
    tunnel = CloudflaredTunnel(support_tunnels.cloudflared(tmp_path, does))
    try:
        assert tunnel.open(4321) == "https://four-quick-brown-words.trycloudflare.com"
        assert tunnel.alive()
        told = json.loads((tmp_path / "argv.json").read_text())
        assert told == ["tunnel", "--no-autoupdate", "--url", "http://127.0.0.1:4321"]
        while does == "flood" and not (tmp_path / "flooded").exists():
            assert tunnel.alive()
    finally:
        tunnel.close()
    assert not tunnel.alive()


@posix
@pytest.mark.parametrize("does, wanted", [
    ("refuse", "cloudflared ended: failed to request quick Tunnel"),
    ("silence", "cloudflared told no address within 0.7 s"),
])  # fmt: skip
def test_a_cloudflared_without_address_is_told_and_ended(
    tmp_path: Path, does: str, wanted: str
) -> None:
    tunnel = CloudflaredTunnel(support_tunnels.cloudflared(tmp_path, does),
                               seconds=60 if does == "refuse" else 0.7)  # fmt: skip
    with pytest.raises(AvatarError, match=wanted) as caught:
        tunnel.open(1)
    assert caught.value.category is Category.CONNECTIVITY
    assert not tunnel.alive()


@posix
def test_a_cloudflared_that_broke_is_opened_again_at_its_new_address(tmp_path: Path) -> None:
    tunnel = CloudflaredTunnel(support_tunnels.cloudflared(tmp_path, "break"))
    try:
        first = tunnel.open(1)
        ended = threading.Event()
        while tunnel.alive():
            ended.wait(0.01)
        assert tunnel.open(1) != first
    finally:
        tunnel.close()


@posix
def test_what_is_left_of_an_earlier_cloudflared_is_not_taken_for_the_end_of_the_next(
    tmp_path: Path,
) -> None:
    # A child of the first program keeps its pipe open, and ends while the second one starts.
    tunnel = CloudflaredTunnel(support_tunnels.cloudflared(tmp_path, "leave a child"))
    try:
        first = tunnel.open(1)
        while tunnel.alive():
            threading.Event().wait(0.01)
        assert tunnel.open(1) != first
    finally:
        tunnel.close()


@pytest.mark.parametrize("kind", ["absent", "not a program"])
def test_a_cloudflared_that_cannot_be_run_is_told_where_to_get_it(
    tmp_path: Path, kind: str
) -> None:
    program = tmp_path / "cloudflared"
    if kind == "not a program":
        program.write_text("x")
    with pytest.raises(InputError, match="--tunnel ngrok"):
        CloudflaredTunnel(program).open(1)


@pytest.mark.parametrize("host, public", [
    ("127.0.0.1", "http://127.0.0.1:5000"), ("::1", "http://[::1]:5000"),
    ("gpu.example", "http://gpu.example:5000"),
])  # fmt: skip
def test_without_a_tunnel_the_address_is_the_machine_s_own(host: str, public: str) -> None:
    assert NoTunnel(host).open(5000) == public
    parts = urlsplit(address_with(Token(TOKEN), public + "/"))
    assert (parts.username, parts.password, parts.path) == ("avatar", TOKEN, "")
    assert parts.port == 5000
