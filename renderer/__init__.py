"""From a scene script to a finished film.

Names are loaded when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renderer.renderer import SmartVideoRenderer
    from renderer.result import RenderResult, SceneResult
    from renderer.script.models import (
        Avatar,
        Background,
        Captions,
        ImageOverlay,
        Music,
        Output,
        Padding,
        Scene,
        Speaker,
        TextOverlay,
        Transition,
        VideoScript,
        Voice,
    )

_HOME = {
    "renderer.renderer": ["SmartVideoRenderer"],
    "renderer.result": ["RenderResult", "SceneResult"],
    "renderer.script.models": (
        "Avatar Background Captions ImageOverlay Music Output Padding Scene Speaker TextOverlay "
        "Transition VideoScript Voice"
    ).split(),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Avatar",
    "Background",
    "Captions",
    "ImageOverlay",
    "Music",
    "Output",
    "Padding",
    "RenderResult",
    "Scene",
    "SceneResult",
    "SmartVideoRenderer",
    "Speaker",
    "TextOverlay",
    "Transition",
    "VideoScript",
    "Voice",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'renderer' has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
