"""What the cells of the notebook call: each step prints what it did, or what to do instead.

No step raises for what a user can mend: the cells after it run, and say what they miss.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from pydantic import BaseModel, ValidationError

from avatar_core.errors import (
    NO_ROOM,
    AvatarError,
    Cancelled,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from avatar_core.pages import COMMAND
from avatar_core.validation import first_fault
from backends.colab.server.serving import ServeOptions
from backends.colab.setup.environment import Environment
from backends.colab.setup.hosting import (
    Hosting,
    in_cells,
    provide_cloudflared,
    require_ngrok_token,
)
from backends.colab.setup.ngrok_token import find_token
from backends.colab.setup.probe import look, table
from backends.colab.setup.source import fetch_program
from backends.colab.setup.trial import Trial, show_video
from backends.colab.setup.weights import fetch_weights
from backends.sadtalker.engine import EngineFailure, engine_named
from backends.sadtalker.gpu import gpus
from backends.sadtalker.runner import EngineRunner

_NAMED = "Correct SADTALKER and PYTHON in this cell, or leave both empty to have it installed."

P = ParamSpec("P")

_ENGINE = "sadtalker"
_HELP = f"Help for every message is on your computer: {COMMAND} colab"


def _plainly(
    step: Callable[Concatenate[Notebook, P], None],
) -> Callable[Concatenate[Notebook, P], None]:
    """Tell a failure in words, as the command line does, in place of a traceback."""

    @functools.wraps(step)
    def told(self: Notebook, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            step(self, *args, **kwargs)
        except (AvatarError, EnvironmentFault, InputError) as failure:
            say_failure(failure)
        except OSError as failure:
            say_failure(_of_the_machine(failure))
        except (KeyboardInterrupt, Cancelled):
            say("Stopped. Run the cell again: what was done is kept.")

    return told


class Notebook:
    """``folder`` is where everything goes. ``sadtalker`` and ``python`` name an installation that
    is there already; nothing is installed then. ``without_gpu``: the processor is to be used."""

    def __init__(
        self, folder: Path, *, sadtalker: str = "", python: str = "", without_gpu: bool = False
    ) -> None:
        self._engine = engine_named(_ENGINE)
        self._folder = folder / "avatar"
        self._installs = not sadtalker
        self._environment = Environment(self._folder / "engine-python")
        self._root = Path(sadtalker or folder / "SadTalker").expanduser().absolute()
        self._python = Path(python).expanduser() if python else self._environment.python
        self._options: BaseModel = self._engine.Options()
        self._without_gpu = without_gpu
        serving = ServeOptions(_ENGINE, self._root, self._python)
        self._hosting = Hosting(serving, self._folder / "jobs", say)

    @_plainly
    def set_up(self) -> None:
        """Install what is missing; a second time it is only looked at."""
        if self._installs:
            self._require_gpu()
            fetch_program(self._root, say)
            self._environment.create(say)
            fetch_weights(self._engine.weights, self._root, say)
        lacking = self._runner().missing()
        if lacking:
            says = "; ".join(text.rstrip(".") for text in lacking)
            advice = "Run this cell again." if self._installs else _NAMED
            raise EnvironmentFault(f"The installation is not complete: {says}.", advice=advice)
        say("Set-up is complete. Go on with cell 2.")

    @_plainly
    def check(self) -> None:
        """Print the table of what is there and what is not."""
        say("Looking (the first time takes half a minute) ...")
        rows = look(self._engine, self._root, self._python, without_gpu=self._without_gpu)
        say(table(rows))

    @_plainly
    def try_out(self, picture: str = "", sound: str = "") -> None:
        """Make one clip and show it."""
        trial = Trial(self._runner(), self._folder / "trials")
        made = trial.make(picture, sound, self._options, say)
        show_video(made)

    @_plainly
    def set_options(self, /, **options: Any) -> None:
        """Take other options for cell 3, and print how they are set elsewhere."""
        try:
            self._options = self._engine.Options.model_validate(options)
        except ValidationError as failure:
            fault = first_fault(failure)
            raise InputError(f"{fault.key}: {fault.message}") from None
        say("Cell 3 uses these options from now on. In avatar.toml on your computer they are:")
        say("\n[backends.colab]")
        for name in options:
            # JSON's texts, numbers and truth values are TOML's.
            say(f"{name} = {json.dumps(getattr(self._options, name))}")

    @_plainly
    def serve(self, tunnel: str, *, port: int = 5000) -> None:
        """Start the server, or start it anew, and print the line to copy."""
        if tunnel == "ngrok":
            require_ngrok_token()
        elif tunnel == "cloudflared":
            provide_cloudflared(self._folder, say)
        address = self._hosting.start(tunnel, port=port, without_gpu=self._without_gpu)
        say("The server is running. Copy the next line, all of it, to your computer, into a file")
        say(".env in the folder where you run avatar. It is a key: show it to nobody.\n")
        say(f"COLAB_API_URL={address}\n")
        say("There: avatar doctor, then: avatar render film.yaml --backend colab")
        if problem := self._hosting.problem:
            say(f"\nBut it cannot make clips yet: {problem}")

    @_plainly
    def look_for_token(self) -> None:
        """Say whether there is a token for ngrok; never what it is."""
        found = find_token()
        say(found.says)
        say(found.advice or "Run cell 5 (again).")

    @_plainly
    def news(self, *, follow: bool = False) -> None:
        """Print what the server does and said last; with ``follow``, until it is stopped."""
        self._hosting.report()
        if follow:
            self._hosting.follow()

    def _require_gpu(self) -> None:
        """Before anything is downloaded: another machine begins empty."""
        if not self._without_gpu and not gpus():
            raise EnvironmentFault(
                "This machine has no NVIDIA GPU. Nothing was installed.",
                advice="On Colab: Runtime > Change runtime type > T4 GPU > Save, then Runtime > "
                "Run all. If none is free there, try again later. If you can wait for hours: tick "
                "WITHOUT_GPU in this cell.",
            )

    def _runner(self) -> EngineRunner:
        return EngineRunner(self._engine, self._root, str(self._python))


def say(text: str) -> None:
    print(text, flush=True)


def say_failure(failure: AvatarError | EnvironmentFault | InputError) -> None:
    """What happened and what to do, and the last lines of the engine if it was one."""
    say(f"\nThis did not work: {failure.message}")
    if isinstance(failure, EngineFailure) and failure.log_tail:
        say("The last lines of the engine:")
        for line in failure.log_tail[-8:]:
            say(f"    {line}")
    if failure.advice:
        say(f"What to do: {in_cells(failure.advice)}")
    say(_HELP)


def _of_the_machine(failure: OSError) -> EnvironmentFault:
    if failure.errno in NO_ROOM:
        return DiskFull(failure.filename)
    about = f"{failure.filename}: " if failure.filename else ""
    return EnvironmentFault(
        f"{about}{failure.strerror or failure}.",
        advice="Run the cell again. If it stays so: Runtime > Disconnect and delete runtime, then "
        "begin anew.",
    )
