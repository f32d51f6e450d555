"""`avatar serve` and the notebook's server cell: everything put together, kept alive, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Literal

import platformdirs
from pydantic import SecretStr

from avatar_core.errors import AvatarError, EnvironmentFault, InputError
from avatar_core.extras import install_advice
from avatar_core.pages import see
from backends.colab.server.access import Token, forget_token, kept_token
from backends.colab.server.limits import Limits
from backends.colab.server.records import JobRecord
from backends.colab.server.service import Service, assemble
from backends.colab.server.tunnels import NoTunnel, Tunnel, address_with
from backends.sadtalker.engine import engine_named
from backends.sadtalker.runner import EngineRunner

TunnelName = Literal["ngrok", "cloudflared", "none"]
VARIABLE = "AVATAR_SERVE_TOKEN"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_WATCH_SECONDS = 1.0
# How long after a tunnel broke it is opened again (s); the last one again and again.
_REOPEN_SECONDS = (1.0, 5.0, 15.0, 60.0)
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `avatar serve` can be told; docs/serve.md has a line on each.

    ``root`` is the engine's folder, ``python`` the interpreter of its environment. ``port`` 0 is
    any free one. ``token`` None: ``AVATAR_SERVE_TOKEN``, else the one kept in ``folder``.
    """

    engine: str = "sadtalker"
    root: Path = Path("SadTalker")
    python: Path | None = None
    host: str = "127.0.0.1"
    port: int = 5000
    token: str | None = None
    new_token: bool = False
    tunnel: TunnelName = "none"
    ngrok_url: str | None = None
    folder: Path | None = None
    without_gpu: bool = False
    limits: Limits = field(default_factory=Limits)


class Serving:
    """A server with its tunnel. ``tell`` gets sentences for the person who watches.

    Raises `InputError` and `AvatarError`, from the constructor or `start`, for what is wrong with
    the options, the folder, the port or the tunnel.
    """

    def __init__(self, options: ServeOptions, tell: Tell, tunnel: Tunnel | None = None) -> None:
        self._options = options
        self._tell = unbroken(tell)
        self._tunnel = tunnel or chosen_tunnel(options)
        folder = options.folder or default_folder()
        engine = engine_named(options.engine)
        root = options.root.expanduser().absolute()
        if not root.is_dir():
            raise InputError(
                f"The folder of {engine.title} does not exist: {root}.",
                advice="Install it there, or name its folder with --root.",
            )
        runner = EngineRunner(engine, root, str(options.python) if options.python else None)
        self.token = _token(options, folder)
        self.service: Service = assemble(
            folder,
            {engine.name: runner},
            self.token,
            limits=options.limits,
            without_gpu=options.without_gpu,
            listen=self._job,
        )
        self.address = ""
        self.port = 0

    def start(self) -> str:
        """Begin to serve; returns the address for ``COLAB_API_URL``, token included."""
        try:
            from backends.colab.server.app import create_app
            from backends.colab.server.wsgi import HttpServer

            self._http = HttpServer(
                create_app(self.service), self.service, self._options.host, self._options.port
            )
        except ModuleNotFoundError as failure:
            self.service.shelf.close()
            raise InputError(
                f"The server needs a package that is not installed: {failure.name}.",
                advice=install_advice(failure.name or "flask"),
            ) from failure
        except BaseException:
            self.service.shelf.close()
            raise
        self.port = self._http.port
        self.service.start()
        self._http.start()
        try:
            self.address = address_with(self.token, self._tunnel.open(self.port))
        except BaseException:
            self.stop()
            raise
        return self.address

    def watch(self, stop: threading.Event, announce: Tell, pause: float = _WATCH_SECONDS) -> None:
        """Until ``stop`` is set, open the tunnel again whenever it breaks; ``announce`` gets the
        address when it is another one. Raises `EnvironmentFault` when the server itself ended."""
        failures, announce = 0, unbroken(announce)
        while not stop.wait(pause):
            if not self._http.alive:
                raise EnvironmentFault(
                    "The server ended by itself.",
                    advice="Start it again: finished videos and waiting jobs are kept.",
                )
            if self._tunnel.alive():
                failures = 0
                continue
            wait = _REOPEN_SECONDS[min(failures, len(_REOPEN_SECONDS) - 1)]
            self._tell(f"The tunnel broke; it is opened again in {wait:g} s.")
            if stop.wait(wait):
                return
            failures += 1
            self._reopen(announce)

    def stop(self) -> None:
        """Close the tunnel and every connection, and stop the job that runs: the next start
        begins it again."""
        self._tunnel.close()
        self.service.table.close()
        self._http.stop()
        self.service.stop()

    def _reopen(self, announce: Tell) -> None:
        try:
            address = address_with(self.token, self._tunnel.open(self.port))
        except (AvatarError, InputError) as failure:
            self._tell(f"{failure.message} {failure.advice or ''}".rstrip())
            return
        if address != self.address:
            self.address = address
            self._tell("The tunnel is open again at another address: copy the new line.")
            announce(address)
        else:
            self._tell("The tunnel is open again, at the same address.")

    def _job(self, record: JobRecord) -> None:
        told = {"running": "begun", "queued": "put back for the next start"}
        self._tell(f"Job {record.id[:8]}: {told.get(record.state, record.state)}."
                   + (f" {record.error.message}" if record.error else ""))  # fmt: skip


def serve(options: ServeOptions, announce: Tell, tell: Tell) -> None:
    """Serve until Ctrl-C or SIGTERM. ``announce`` gets the address, token included, at once and
    whenever it changes; ``tell`` everything else."""
    stop = threading.Event()
    announce, tell = unbroken(announce), unbroken(tell)
    serving = Serving(options, tell)
    with _stopping(stop):
        address = serving.start()
        try:
            for line in _greeting(serving, options):
                tell(line)
            announce(address)
            serving.watch(stop, announce)
            tell("Stopping ...")
        finally:
            serving.stop()
    tell("Stopped. Finished videos and waiting jobs are kept for the next start.")


def unbroken(tell: Tell) -> Tell:
    """``tell``, where what it prints to may be gone: a terminal that was closed, a pipe whose
    reader has ended. The server is for others, and goes on."""

    def told(line: str) -> None:
        # A closed file is a ValueError.
        with contextlib.suppress(OSError, ValueError):
            tell(line)

    return told


def default_folder() -> Path:
    """Where jobs are kept when nobody says where."""
    return Path(platformdirs.user_data_dir("avatar", appauthor=False)) / "server"


def chosen_tunnel(options: ServeOptions) -> Tunnel:
    if options.tunnel == "ngrok":
        from backends.colab.server.ngrok import NgrokTunnel

        return NgrokTunnel(_ngrok_token(), url=options.ngrok_url)
    if options.tunnel == "cloudflared":
        from backends.colab.server.cloudflared import CloudflaredTunnel

        return CloudflaredTunnel()
    return NoTunnel(options.host)


def limits_from(wishes: Mapping[str, float | int | None]) -> Limits:
    """The default limits with those of ``wishes`` that are not None."""
    return replace(Limits(), **{k: v for k, v in wishes.items() if v is not None})  # type: ignore[arg-type]


def _ngrok_token() -> SecretStr | None:
    from backends.colab.setup.ngrok_token import find_token

    return find_token().token


def _token(options: ServeOptions, folder: Path) -> Token:
    given = options.token or os.environ.get(VARIABLE)
    if given:
        return Token(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if options.new_token:
            forget_token(folder)
        return kept_token(folder)
    except OSError as failure:
        raise EnvironmentFault(
            f"The folder {folder} cannot be used: {failure.strerror}.",
            advice="Name another one with --folder.",
        ) from failure


def _greeting(serving: Serving, options: ServeOptions) -> Iterator[str]:
    health = serving.service.health(full=True)
    gpu = health["gpu"]
    yield f"Serving {health['engine']} on port {serving.port}, " + (
        f"{gpu['name']} with {gpu['memory_free_mb']} MB free." if gpu else "without a GPU."
    )
    if health["problem"]:
        yield f"Not ready: {health['problem']} {health['advice'] or ''}".rstrip()
    if options.tunnel == "none" and options.host not in _LOOPBACK:
        yield (
            "This address is not encrypted: whoever can listen on the network can read the token. "
            f"{see('serve#security-of-a-public-tunnel')}"
        )
    yield "Copy this line to where you render. It holds the token: do not publish it."
    if options.tunnel == "none" and _is_everywhere(options.host):
        yield f"On another machine, write this one's name or number in place of {options.host}."
    yield "Ctrl-C stops the server."


def _is_everywhere(host: str) -> bool:
    """Whether it is listened on, and reached by nobody under this name."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


@contextlib.contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Signals set ``stop`` meanwhile, where this thread may listen to them."""

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stop.is_set():
            # The second time somebody is out of patience.
            raise KeyboardInterrupt
        stop.set()

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in _SIGNALS):
            # What the caller chose to ignore (nohup) stays ignored.
            if number and signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
