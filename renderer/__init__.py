"""From a scene script to a finished film.

Names are loaded when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar_core.lazy import exports

if TYPE_CHECKING:
    from renderer.planning.plan import Estimate, Plan, ScenePlan
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
    "renderer.planning.plan": ["Estimate", "Plan", "ScenePlan"],
    "renderer.renderer": ["SmartVideoRenderer"],
    "renderer.result": ["RenderResult", "SceneResult"],
    "renderer.script.models": (
        "Avatar Background Captions ImageOverlay Music Output Padding Scene Speaker TextOverlay "
        "Transition VideoScript Voice"
    ).split(),
}
__all__ = [
    "Avatar",
    "Background",
    "Captions",
    "Estimate",
    "ImageOverlay",
    "Music",
    "Output",
    "Padding",
    "Plan",
    "RenderResult",
    "Scene",
    "ScenePlan",
    "SceneResult",
    "SmartVideoRenderer",
    "Speaker",
    "TextOverlay",
    "Transition",
    "VideoScript",
    "Voice",
]

__getattr__ = exports(__name__, _HOME)
