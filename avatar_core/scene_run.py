"""One run of a chain for one scene: what is asked, until when, and what has come of it so far."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from avatar_core.backend import AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.policy.deadline import SceneDeadline
from avatar_core.trail import TrailEntry

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SceneRun:
    """``began`` is a reading of the policy's clock; ``name`` is the scene's, for messages."""

    request: AvatarRequest
    work_dir: Path
    cancel: CancelToken
    on_progress: Callable[[float, str], None]
    deadline: SceneDeadline
    on_attempt: Callable[[TrailEntry], None]
    began: float
    name: str = ""
    trail: list[TrailEntry] = field(default_factory=list)

    def note(self, entry: TrailEntry) -> None:
        """Add to the trail what has just come of an attempt, or why there was none."""
        self.trail.append(entry)
        if entry.category is not None:
            log.info("%s failed (%s): %s", entry.backend, entry.category, entry.message)
        self.on_attempt(entry)
