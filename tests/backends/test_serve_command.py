"""`avatar serve` as people start it: the real program, SadTalker's stand-in behind it."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest

import support_tunnels
from avatar_core.testing import media
from support_cli import environment
from support_sadtalker import argument, calls, install
from support_serve import PATIENCE, Client

posix = pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")


class Served:
    """The program; ``lines`` are what it prints on standard output, ``said`` the rest."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self._readers = [
            threading.Thread(target=_read, args=pair, daemon=True)
            for pair in ((process.stdout, self.lines.put), (process.stderr, self.said.append))
        ]
        for reader in self._readers:
            reader.start()

    def address(self) -> str:
        line = self.lines.get(timeout=PATIENCE)
        assert line.startswith("COLAB_API_URL="), (line, self.said)
        return line.strip().removeprefix("COLAB_API_URL=")

    def stopped(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        """The exit code; all that was printed is there."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status


def _read(stream: IO[str], take: Callable[[str], None]) -> None:
    for line in stream:
        take(line)


@contextmanager
def served(cwd: Path, *arguments: str, module: str = "backends.colab.server",
           env: dict[str, str] | None = None) -> Iterator[Served]:  # fmt: skip
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(
        [*command, *arguments, "--port", "0", "--folder", str(cwd / "served"), "--without-gpu"],
        cwd=cwd,
        env=environment(cwd, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.wait()


@posix
def test_a_clip_is_made_through_the_real_program_and_outlives_it(tmp_path: Path) -> None:
    root = install(tmp_path / "SadTalker")
    files = {
        "image": media.portrait(tmp_path / "lan.png").read_bytes(),
        "audio": media.speech(tmp_path / "say.wav", 1.0).read_bytes(),
    }
    with served(tmp_path, "--root", str(root)) as server:
        address = server.address()
        client = Client(address, token=None)
        job = client("POST", "/v1/jobs", files=files, data={"options": '{"preprocess": "full"}'})
        done = client.ended(job.json()["id"])
        assert done["error"] is None, done
        assert done["video"]["duration"] == pytest.approx(1.0, abs=0.1)
        assert argument(calls(root)[-1], "preprocess") == "full"
        assert server.stopped() == 0
    assert any("Stopped." in line for line in server.said)
    token = urlsplit(address).password
    assert token is not None
    assert token not in "".join(server.said)
    with served(tmp_path, "--root", str(root)) as server:
        again = server.address()
        assert urlsplit(again).password == token
        video = Client(again, token=None)("GET", f"/v1/jobs/{done['id']}/video")
        assert len(video.content) == done["video"]["bytes"]
    kept = tmp_path / "served" / "token"
    assert kept.stat().st_mode & 0o077 == 0


@posix
def test_the_command_line_opens_a_tunnel_and_opens_it_again(tmp_path: Path) -> None:
    install(tmp_path / "SadTalker")
    programs = tmp_path / "bin"
    programs.mkdir()
    support_tunnels.cloudflared(programs, "break")
    env = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "AVATAR_SERVE_TOKEN": "a-token-of-the-environment",
    }
    with served(tmp_path, "serve", "--tunnel", "cloudflared", module="renderer", env=env) as server:
        first, second = urlsplit(server.address()), urlsplit(server.address())
        assert first.hostname == "four-quick-brown-words.trycloudflare.com"
        assert second.hostname == "second-words.trycloudflare.com"
        assert first.password == second.password == "a-token-of-the-environment"
        assert server.stopped() == 0
    assert any("at another address: copy the new line" in line for line in server.said)
    assert not (tmp_path / "served" / "token").exists()
    (last,) = programs.glob("start-1")
    assert not Path(f"/proc/{last.read_text()}").exists()


@pytest.mark.parametrize("arguments, code, wanted", [
    (("--root", "nowhere"), 2, r"The folder of SadTalker does not exist"),
    (("--engine", "sadtalkr"), 2, r"no engine 'sadtalkr'.*sadtalker"),
    (("--token", "short"), 2, r"The token must be 16 to 200"),
    (("--host", "203.0.113.1"), 2, r"Port 0 of 203.0.113.1 cannot be used"),
    (("--tunnel", "cloudflared"), 2, r"no program cloudflared"),
])  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: int, wanted: str
) -> None:
    (tmp_path / "SadTalker").mkdir()
    env = {"PATH": str(tmp_path)}
    with served(tmp_path, *arguments, env=env) as server:
        assert server.ended() == code
    assert re.search(wanted, " ".join(server.said), flags=re.DOTALL), server.said
    assert "Traceback" not in "".join(server.said)
