"""The server as the notebook runs it: in threads beside the cells, with what it says kept."""

from __future__ import annotations

import atexit
import os
import platform
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import InputError
from avatar_core.nearest import did_you_mean
from backends.colab.server.serving import ServeOptions, Serving, TunnelName
from backends.colab.setup.download import Fetcher, Source
from backends.colab.setup.ngrok_token import find_token

Tell = Callable[[str], None]

CLOUDFLARED = (
    "https://github.com/cloudflare/cloudflared/releases/latest/download/cloudflared-linux-amd64"
)
_KEPT_LINES = 200
_LOOK_SECONDS = 2.0
_LAST_PORT = 65_535
_FIELDS = {
    "--tunnel cloudflared": "the tunnel cloudflared in cell 5",
    "--port": "PORT in cell 5",
    "--root": "SADTALKER in cell 1",
    "start the server with --without-gpu": "tick WITHOUT_GPU in cell 1",
}


class _Log:
    """The last lines that a server said, numbered."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT_LINES)
        self.count = 0

    def keep(self, line: str) -> None:
        self.count += 1
        self._lines.append((self.count, line))

    def tell_since(self, seen: int, tell: Tell) -> int:
        """Say what came after number ``seen``; returns the number of the last."""
        for number, line in [pair for pair in self._lines if pair[0] > seen]:
            tell(line)
            seen = number
        return seen


@dataclass(frozen=True, slots=True)
class _Running:
    serving: Serving
    ending: threading.Event
    log: _Log

    def stop(self) -> None:
        self.ending.set()
        self.serving.stop()


# By the folder of their jobs: cells may make new objects, and the server of the old one runs on.
_RUNNING: dict[Path, _Running] = {}


class Hosting:
    """At most one server for a folder of jobs; starting it again stops the one before.
    ``options`` say everything but the tunnel, ``tell`` prints."""

    def __init__(
        self, options: ServeOptions, folder: Path, tell: Tell, clock: Clock | None = None
    ) -> None:
        self._options = replace(options, folder=folder)
        self._folder = folder.absolute()
        self._tell = tell
        self._clock = clock or SystemClock()

    def start(self, tunnel: str, *, port: int, without_gpu: bool) -> str:
        """Returns the address with the token. Raises `InputError` and `AvatarError`, with what to
        do about it."""
        name = _tunnel_name(tunnel)
        if not 0 <= port <= _LAST_PORT:
            raise InputError(f"{port} is no port.", advice="PORT is a number from 0 to 65535.")
        self.stop()
        options = replace(self._options, tunnel=name, port=port, without_gpu=without_gpu)
        log, ending = _Log(), threading.Event()
        serving = Serving(options, log.keep)
        address = serving.start()
        _RUNNING[self._folder] = _Running(serving, ending, log)
        threading.Thread(
            target=serving.watch, args=(ending, self._announce), name="tunnel", daemon=True
        ).start()
        return address

    def stop(self) -> None:
        """Nothing happens when nothing runs; finished clips are kept for the next start."""
        if running := _RUNNING.pop(self._folder, None):
            running.stop()

    @property
    def problem(self) -> str:
        """Why the server that runs cannot make clips, and what to do; "" where it can."""
        running = _RUNNING.get(self._folder)
        health = running.serving.service.health(full=True) if running else {"problem": None}
        return _told_problem(health)

    def report(self) -> None:
        """Say what the server is and what it has said."""
        running = _RUNNING.get(self._folder)
        if running is None:
            self._tell("The server is not running. Run cell 5.")
            return
        health = running.serving.service.health(full=True)
        queue, gpu = health["queue"], health["gpu"]
        memory = f"{gpu['memory_free_mb']} MB of GPU memory free" if gpu else "no GPU"
        self._tell(f"Running: {queue['running']}, waiting: {queue['waiting']}; {memory}.")
        if problem := _told_problem(health):
            self._tell(f"Not ready: {problem}")
        running.log.tell_since(0, self._tell)

    def follow(self) -> None:
        """Go on saying what the server says, until the cell is stopped."""
        running = _RUNNING.get(self._folder)
        if running is None:
            return
        seen = running.log.count
        while not running.ending.is_set():
            self._clock.sleep(_LOOK_SECONDS)
            seen = running.log.tell_since(seen, self._tell)

    def _announce(self, address: str) -> None:
        # Nobody would look for it among the other lines.
        self._tell("The tunnel has another address. Copy this line again:")
        self._tell(f"COLAB_API_URL={address}")


@atexit.register
def _stop_all() -> None:
    while _RUNNING:
        _RUNNING.popitem()[1].stop()


def require_ngrok_token() -> None:
    """Raise `InputError`, with how to get one, where there is no token for ngrok."""
    found = find_token()
    if found.token is None:
        raise InputError(
            found.says,
            advice=f"{found.advice} Then run cell 6 and this cell again, or choose the tunnel "
            "cloudflared, which needs no token.",
        )


def provide_cloudflared(
    folder: Path, tell: Tell, *, url: str = CLOUDFLARED, fetcher: Fetcher | None = None
) -> None:
    """Fetch cloudflared into ``folder`` where the machine has none; elsewhere than on Linux its
    absence is told when the tunnel is opened."""
    if shutil.which("cloudflared") or (platform.system(), platform.machine()) != (
        "Linux",
        "x86_64",
    ):
        return
    program = folder / "cloudflared"
    if not program.is_file():
        tell("Downloading cloudflared ...")
        (fetcher or Fetcher()).fetch(Source(url), program)
        program.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), str(folder)))


def in_cells(advice: str) -> str:
    """Options of the command line, as the notebook calls them."""
    for option, field in _FIELDS.items():
        advice = advice.replace(option, field)
    return advice


def _told_problem(health: Mapping[str, Any]) -> str:
    told = f"{health['problem']} {health['advice'] or ''}".rstrip() if health["problem"] else ""
    return in_cells(told)


def _tunnel_name(tunnel: str) -> TunnelName:
    for name in get_args(TunnelName):
        if name == tunnel:
            return name  # type: ignore[no-any-return]
    advice = did_you_mean(tunnel, list(get_args(TunnelName)))
    raise InputError(f"There is no tunnel {tunnel!r}.", advice=advice)
