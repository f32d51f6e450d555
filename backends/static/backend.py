"""The last rung of every chain: the portrait as a still clip, or a card with the speaker's name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Capabilities, Health, Job
from avatar_core.errors import InputError
from backends.static.config import StaticOptions

if TYPE_CHECKING:
    from PIL.Image import Image

# Sound rarely lasts a round number of frames: 2.0000000001 s are 60 frames of 30, not 61.
_ROUNDING = 1e-6


class StaticBackend(AvatarBackend):
    """Needs no network, no model, and not even a portrait."""

    name: ClassVar[str] = "static"
    revision: ClassVar[str] = "2"
    capabilities: ClassVar[Capabilities] = Capabilities(animates=False, pace=0.1)
    Options: ClassVar[type[BaseModel]] = StaticOptions

    def check(self) -> Health:
        return Health(ok=True, message="ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        """An H.264 clip of exactly ``request.size``, rounded up to even numbers."""
        from avatar_core.still import write_still_clip

        picture, warnings = _picture(request, _options(request))
        job.progress(0.5, "drawn")
        frames = max(1, math.ceil(request.duration * request.fps - _ROUNDING))
        path = job.work_dir / "still.mp4"
        write_still_clip(picture, frames, request.fps, path)
        job.progress(1.0, "written")
        return AvatarClip(
            path=path,
            size=type(request.size)(*picture.size),
            fps=float(request.fps),
            duration=frames / request.fps,
            backend=self.name,
            still=True,
            warnings=warnings,
        )


def _options(request: AvatarRequest) -> StaticOptions:
    # As the last rung it also gets requests that were made for another backend.
    options = request.options
    return options if isinstance(options, StaticOptions) else StaticOptions()


def _picture(request: AvatarRequest, options: StaticOptions) -> tuple[Image, tuple[str, ...]]:
    """The picture to show, and a warning where it is not the portrait."""
    from avatar_core.framing import even, fill
    from avatar_core.pictures import load_picture
    from backends.static.card import draw_card

    size = even(request.size)
    if request.portrait is None:
        whose = f"{request.speaker} has" if request.speaker else "The scene has"
        warning = f"{whose} no portrait: a drawn card is shown instead."
        return draw_card(request.speaker, size), (warning,)
    try:
        return fill(load_picture(request.portrait), size, options.focus), ()
    except (InputError, MemoryError, OSError) as failure:
        reason = str(failure) or "there is not enough memory to decode it."
        warning = f"The portrait cannot be used: {reason} A drawn card is shown instead."
        return draw_card(request.speaker, size), (warning,)
