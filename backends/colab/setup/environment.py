"""The engine's own Python environment, made with uv; a second time it is only looked at."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from avatar_core.errors import DiskFull, EnvironmentFault
from backends.colab.setup.recipe import RECIPE, Recipe

Tell = Callable[[str], None]

_KEPT_LINES = 12
_AGAIN = "Run this cell again: what is done is kept."
# In what uv and the system print: what it means, what to do.
_KNOWN = (
    (("dns error", "failed to fetch", "error sending request", "timed out", "connection"),
     "The package index could not be reached.", f"Check the network, then: {_AGAIN}"),
    (("no interpreter found", "no download found"),
     "Python 3.10 was not found and could not be fetched.",
     "On Ubuntu: apt install python3.10 python3.10-venv. " + _AGAIN),
)  # fmt: skip


class Environment:
    """``folder`` is where it will be; ``uv`` is the command that starts uv, else it is found or
    fetched."""

    def __init__(
        self, folder: Path, recipe: Recipe = RECIPE, uv: Sequence[str] | None = None
    ) -> None:
        self.folder = folder
        self._recipe = recipe
        self._uv = tuple(uv) if uv else None

    @property
    def python(self) -> Path:
        inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        return self.folder / inside

    @property
    def ready(self) -> bool:
        """Whether everything of this recipe was installed."""
        return self._stamp.is_file() and self.python.exists()

    def create(self, tell: Tell) -> None:
        """Install what is not there. Raises `EnvironmentFault`, with the last lines of uv."""
        if self.ready:
            tell(f"The engine's Python environment is there: {self.folder}")
            return
        uv = self._uv or find_uv(tell)
        # Not where we are: uv would obey the project that it finds there.
        away = self.folder.parent
        away.mkdir(parents=True, exist_ok=True)
        if not self.python.exists():
            tell(f"Making an environment with Python {self._recipe.python} ...")
            run([*uv, "venv", "--python", self._recipe.python, str(self.folder)], away, tell)
        install = [*uv, "pip", "install", "--python", str(self.python)]
        tell("Installing PyTorch and the packages of SadTalker: 2.5 GB, some minutes ...")
        run([*install, *self._recipe.packages], away, tell)
        run([*install, "--no-deps", "--no-build-isolation", *self._recipe.alone], away, tell)
        self._stamp.write_text("\n".join(self._recipe.packages), encoding="utf-8")
        tell("The engine's Python environment is complete.")

    @property
    def _stamp(self) -> Path:
        return self.folder / f"complete-{self._recipe.mark}"


def find_uv(tell: Tell) -> tuple[str, ...]:
    """The command that starts uv; Colab has it, elsewhere pip fetches it."""
    found = shutil.which("uv")
    if found:
        return (found,)
    if importlib.util.find_spec("uv") is None:
        tell("Installing uv, which makes Python environments ...")
        run([sys.executable, "-m", "pip", "install", "--quiet", "uv"], Path.cwd(), tell)
    return (sys.executable, "-m", "uv")


def run(command: Sequence[str], folder: Path, tell: Tell) -> None:
    """Run an installer in ``folder`` and pass on what it says.

    Raises `EnvironmentFault` and `DiskFull`.
    """
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", cwd=folder,
        ) as process:  # fmt: skip
            try:
                for line in _lines(process):
                    last.append(line)
                    if not line.startswith((" +", " -")):
                        tell(f"  {line}")
            except BaseException:
                process.kill()
                raise
    except OSError as failure:
        raise EnvironmentFault(f"{command[0]} could not be started: {failure}.") from failure
    if process.returncode:
        raise _failure(process.returncode, "\n".join(last))


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101
    for line in process.stdout:
        if line.strip():
            yield line.rstrip()


def _failure(status: int, said: str) -> EnvironmentFault:
    lower = said.lower()
    if "no space left" in lower:
        return DiskFull()
    for signs, message, advice in _KNOWN:
        if any(sign in lower for sign in signs):
            return EnvironmentFault(f"{message} It said:\n{said}\n", advice=advice)
    return EnvironmentFault(
        f"The installation failed with exit status {status}. It said:\n{said}\n",
        advice=f"{_AGAIN} If it fails in the same way: Runtime > Disconnect and delete runtime.",
    )
