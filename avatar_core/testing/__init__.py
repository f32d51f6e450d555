"""What a backend's author needs to test it: shipped with the package, imported by nothing in it.

Names are loaded when they are first used: neither pytest nor av is needed to import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar_core.lazy import exports

if TYPE_CHECKING:
    from avatar_core.testing.chaos import ChaosBackend, Happening
    from avatar_core.testing.clock import VirtualClock
    from avatar_core.testing.conformance import AvatarBackendContract
    from avatar_core.testing.http_server import ScriptedServer
    from avatar_core.testing.http_steps import Answer, Cut, Raw, Recorded, Silence, redirect
    from avatar_core.testing.media import accept_any, fake_clip, judge_fakes
    from avatar_core.testing.remote_jobs import RemoteJob, RemoteJobs
    from avatar_core.testing.scripted import Call, ScriptedBackend, ScriptedOptions
    from avatar_core.testing.steps import (
        Step,
        Turn,
        bad_clip,
        by_ambition,
        crash,
        deliver,
        fail,
        hang,
        remote,
    )

_HOME = {
    "avatar_core.testing.chaos": "ChaosBackend Happening".split(),
    "avatar_core.testing.clock": ["VirtualClock"],
    "avatar_core.testing.conformance": ["AvatarBackendContract"],
    "avatar_core.testing.http_server": ["ScriptedServer"],
    "avatar_core.testing.http_steps": "Answer Cut Raw Recorded Silence redirect".split(),
    "avatar_core.testing.media": "accept_any fake_clip judge_fakes".split(),
    "avatar_core.testing.remote_jobs": "RemoteJob RemoteJobs".split(),
    "avatar_core.testing.scripted": "Call ScriptedBackend ScriptedOptions".split(),
    "avatar_core.testing.steps": (
        "Step Turn bad_clip by_ambition crash deliver fail hang remote".split()
    ),
}
__all__ = [
    "Answer",
    "AvatarBackendContract",
    "Call",
    "ChaosBackend",
    "Cut",
    "Happening",
    "Raw",
    "Recorded",
    "RemoteJob",
    "RemoteJobs",
    "ScriptedBackend",
    "ScriptedOptions",
    "ScriptedServer",
    "Silence",
    "Step",
    "Turn",
    "VirtualClock",
    "accept_any",
    "bad_clip",
    "by_ambition",
    "crash",
    "deliver",
    "fail",
    "fake_clip",
    "hang",
    "judge_fakes",
    "redirect",
    "remote",
]

__getattr__ = exports(__name__, _HOME)
