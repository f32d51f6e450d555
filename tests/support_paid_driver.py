"""A render in a process of its own that dies by its own hand at an exact moment, or is watched.

The interpreter tells an audit hook of everything that a process does to the world, right before
it does it: files opened, renamed and removed, connections made. So a moment is said as what was
done before it, and nothing of the program is patched.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support_paid_service import Account
from support_processes import Process

_HERE = Path(__file__).parent


class Killer:
    """Kills its process at the last of ``moments``, each a regular expression for an event and
    its arguments, which must come in this order."""

    def __init__(self, moments: Sequence[str]) -> None:
        self._moments = [re.compile(moment) for moment in moments]

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._moments and self._moments[0].search(f"{event} {arguments}"):
            self._moments.pop(0)
            if not self._moments:
                os.kill(os.getpid(), signal.SIGKILL)


class Watcher:
    """Writes down which artifacts its process puts into a store."""

    def __init__(self, file: Path) -> None:
        self._log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and str(arguments[0]).endswith("note.json"):
            path = Path(arguments[1])
            os.write(self._log, f"{path.parts[-3]}/{path.name}\n".encode())


def render(arguments: list[str]) -> None:
    """SCRIPT TARGET [--kill MOMENT ...] [--watch FILE]"""
    parser = argparse.ArgumentParser()
    parser.add_argument("script", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--kill", nargs="+", default=[])
    parser.add_argument("--watch", type=Path)
    wanted = parser.parse_args(arguments)
    from renderer.renderer import SmartVideoRenderer
    from renderer.script.models import VideoScript

    film = VideoScript.model_validate_json(wanted.script.read_text(encoding="utf-8"))
    if wanted.kill:
        sys.addaudithook(Killer(wanted.kill))
    if wanted.watch:
        sys.addaudithook(Watcher(wanted.watch))
    with SmartVideoRenderer() as renderer:
        result = renderer.render(film, wanted.target)
    print(*(scene.backend for scene in result.scenes))


def render_still(arguments: list[str]) -> None:
    """SCRIPT TARGET MOMENT: by `static`; it kills itself at the event of this number."""
    from avatar_core.events import Event
    from renderer.renderer import SmartVideoRenderer
    from renderer.script.models import VideoScript

    script, target, moment = arguments
    seen: list[Event] = []

    def kill_at(event: Event) -> None:
        seen.append(event)
        if str(len(seen)) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    film = VideoScript.model_validate_json(Path(script).read_text(encoding="utf-8"))
    SmartVideoRenderer("static", workers=1, on_event=kill_at).render(film, target)


def be_a_user(account: Account, folder: Path) -> dict[str, str]:
    """Install the plugin and write the settings of somebody who pays; returns the environment."""
    site = folder / "site"
    info = site / "paid-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paid\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[avatar_core]\npaid = support_paid_backend\n")
    (folder / "avatar.toml").write_text(
        f'backend = "paid"\ncache_dir = "{folder / "cache"}"\nreport = false\n'
        "retry.delay = 0\ndeadline.check = 100\n"
        f'[backends.paid]\nurl = "{account.url}"\ntoken = "{account.token}"\n',
        encoding="utf-8",
    )
    (folder / "out").mkdir()
    ours = ("AVATAR_", "COLAB_", "DID_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    paths = [str(site), str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**plain, "PYTHONPATH": os.pathsep.join(paths)}


def start(script: Path, target: Path, *options: str, env: dict[str, str], cwd: Path) -> Process:
    """Begin a render as its user would, in a new process."""
    return Process(render, [str(script), str(target), *options], env, cwd)
