"""A SadTalker to test with: a folder as its installation leaves it, and a program that behaves as
it is told. The program is real: it is started, prints, writes files, hangs, is killed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.sadtalker.sadtalker import SADTALKER

DATA = Path(__file__).parent / "data" / "sadtalker"
LOGS: dict[str, dict[str, str]] = json.loads((DATA / "logs.json").read_text("utf-8"))
BEHAVIOURS = {
    *LOGS,
    *(
        "ok",
        "cuda_loop",
        "hang",
        "hang_deaf",
        "hang_closed",
        "die",
        "flood",
        "leave_child",
        "leave_talker",
        "unknown",
    ),
    *("enhancer_crash", "no_file", "empty_file", "broken_file", "short_video", "unnamed"),
    "late_crash",
}


def install(folder: Path, behaviour: str = "ok", **more: Any) -> Path:
    """Lay out a SadTalker in ``folder`` and return its root.

    ``behaviour`` is ``ok``; a name of `LOGS` (what the real program printed when it failed so);
    ``cuda_loop``, ``hang``, ``hang_deaf`` (ignores SIGTERM, and has a child), ``hang_closed``
    (nobody hears it any longer), ``die`` (SIGKILL), ``flood``, ``leave_child``,
    ``leave_talker`` (which prints for ever), ``unknown``, ``enhancer_crash``; ``no_file``,
    ``empty_file``, ``broken_file``, ``short_video``, ``unnamed`` (its result is nowhere named),
    ``late_crash`` (after it has named its result). ``more`` as in `behave`.
    """
    for name in SADTALKER.files:
        _touch(folder / name)
    for weight in SADTALKER.weights:
        _touch(folder / weight.path)
        if weight.bytes:
            # A hole: it has the size and takes no room.
            os.truncate(folder / weight.path, weight.bytes)
    for module in SADTALKER.modules:
        # A folder is a package to Python's finder, and never hides one that is installed.
        (folder / module).mkdir(exist_ok=True)
    shutil.copy(DATA / "inference.py", folder / "inference.py")
    shutil.copy(DATA / "logs.json", folder / "logs.json")
    behave(folder, behaviour, **more)
    return folder


def behave(
    root: Path, behaviour: str, *, when: Mapping[str, Any] | None = None, **more: Any
) -> None:
    """From now on: ``behaviour`` for calls whose arguments are ``when`` (any, by default), such
    as ``{"enhancer": "gfpgan"}``, and ``ok`` for others. ``seconds_a_frame`` slows it down."""
    assert behaviour in BEHAVIOURS, f"the stand-in does not know {behaviour!r}"
    rules = [{"do": behaviour, "when": dict(when or {}), **more}]
    (root / "behaviour.json").write_text(json.dumps(rules), encoding="utf-8")


def calls(root: Path) -> list[dict[str, Any]]:
    """Every call so far: ``do, pid, argv, cwd, environment, image, seconds, time``."""
    path = root / "calls.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []  # fmt: skip  # noqa: E501


def leftovers(root: Path) -> list[str]:
    """Scratch videos that a run has left in the program's folder."""
    return sorted(path.name for path in root.glob("*.mp4"))


def argument(call: Mapping[str, Any], name: str) -> str | None:
    """The value of ``--name`` in a call, None where it was not given."""
    argv = call["argv"]
    flag = f"--{name}"
    return argv[argv.index(flag) + 1] if flag in argv else None


def alive(pid: int) -> bool:
    """Whether a process still runs; one that has ended and was not waited for does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(pid: int) -> bool:
    """Whether a process that was killed has ended, or does soon: the kernel takes its time."""
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


__all__ = ["BEHAVIOURS", "DATA", "LOGS", "SADTALKER", "alive", "argument", "behave", "calls", "ended", "install", "leftovers"]  # fmt: skip  # noqa: E501
