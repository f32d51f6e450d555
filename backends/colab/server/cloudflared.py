"""cloudflared's quick tunnels: no account, another address at every start."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections import deque
from pathlib import Path

from avatar_core.children import child_options, leash
from avatar_core.errors import AvatarError, Category, InputError
from avatar_core.http_text import shown

_ADDRESS = re.compile(r"https://(?!api\.)[a-z0-9-]+\.trycloudflare\.com")
_TAIL_LINES = 20
_GET = (
    "Install it (https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/"
    "downloads/), or use --tunnel ngrok."
)
_AGAIN = "Wait a minute and start again, or use --tunnel ngrok."


class CloudflaredTunnel:
    """``program`` is found on PATH when it is not given; its address may take ``seconds``."""

    def __init__(self, program: Path | None = None, *, seconds: float = 40.0) -> None:
        self._program = program
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def open(self, port: int) -> str:
        self.close()
        self._process = self._started(port)
        run = _Run(self._process)
        run.told.wait(self._seconds)
        if run.address is None:
            ended = self._process.poll() is not None
            self.close()
            raise self._failure(ended, run.last_line())
        return run.address

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _started(self, port: int) -> subprocess.Popen[bytes]:
        found = shutil.which(self._program or "cloudflared")
        if found is None:
            raise InputError("There is no program cloudflared that can be run.", advice=_GET)
        command = [*leash(), found, "tunnel", "--no-autoupdate"]
        try:
            return subprocess.Popen(
                [*command, "--url", f"http://127.0.0.1:{port}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                **child_options(),
            )
        except OSError as failure:
            raise InputError(
                f"The program cloudflared cannot be run: {failure.strerror}.", advice=_GET
            ) from failure

    def _failure(self, ended: bool, last: str) -> AvatarError:
        what = "ended" if ended else f"told no address within {self._seconds:g} s"
        told = f": {shown(last, 300)}" if last else ""
        return AvatarError(Category.CONNECTIVITY, f"cloudflared {what}{told}.", advice=_AGAIN)


class _Run:
    """What one run of the program prints. ``told`` is set when there is an ``address``, and when
    there will be none; each run has its own, as an earlier one may be heard to the end late."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.told = threading.Event()
        self.address: str | None = None
        self._process = process
        self._printed: deque[str] = deque(maxlen=_TAIL_LINES)
        threading.Thread(target=self._read, name="cloudflared", daemon=True).start()

    def last_line(self) -> str:
        return next((line for line in reversed(list(self._printed)) if line), "")

    def _read(self) -> None:
        """To its end: a pipe that nobody empties would stop the tunnel."""
        for line in self._process.stderr or ():
            text = line.decode("utf-8", "replace").strip()
            self._printed.append(text)
            found = _ADDRESS.search(text)
            if found and self.address is None:
                self.address = found[0]
                self.told.set()
        self._process.wait()
        self.told.set()
