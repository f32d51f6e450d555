"""The contract of avatar backends and the policy that tries them in order.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar_core.lazy import exports

if TYPE_CHECKING:
    from avatar_core.backend import (
        AvatarBackend,
        AvatarClip,
        AvatarRequest,
        Capabilities,
        Cost,
        Health,
        Job,
        Size,
    )
    from avatar_core.cancel import CancelToken
    from avatar_core.errors import AvatarError, Cancelled, Category, EnvironmentFault, InputError
    from avatar_core.hookspecs import hookimpl
    from avatar_core.speech import (
        Speech,
        SpeechEngine,
        SpeechRequest,
        TimedPhoneme,
        TimedWord,
        Voice,
    )

_HOME = {
    "avatar_core.backend": (
        "AvatarBackend AvatarClip AvatarRequest Capabilities Cost Health Job Size".split()
    ),
    "avatar_core.cancel": ["CancelToken"],
    "avatar_core.errors": "AvatarError Cancelled Category EnvironmentFault InputError".split(),
    "avatar_core.hookspecs": ["hookimpl"],
    "avatar_core.speech": (
        "Speech SpeechEngine SpeechRequest TimedPhoneme TimedWord Voice".split()
    ),
}
__all__ = [
    "AvatarBackend",
    "AvatarClip",
    "AvatarError",
    "AvatarRequest",
    "CancelToken",
    "Cancelled",
    "Capabilities",
    "Category",
    "Cost",
    "EnvironmentFault",
    "Health",
    "InputError",
    "Job",
    "Size",
    "Speech",
    "SpeechEngine",
    "SpeechRequest",
    "TimedPhoneme",
    "TimedWord",
    "Voice",
    "hookimpl",
]

__getattr__ = exports(__name__, _HOME)
