"""One step less ambitious: the enhancer that crashes less, then the face alone without any.

The notebook's client takes the same steps as the backend for an own GPU.
"""

from __future__ import annotations

from typing import TypeVar

from avatar_core.errors import AvatarError
from backends.sadtalker.options import SadTalkerOptions

Options = TypeVar("Options", bound=SadTalkerOptions)

_FLOOR = {"preprocess": "crop", "still": True, "enhancer": "none", "background_enhancer": "none"}
# What another enhancer would not change.
_NOT_THE_ENHANCER = frozenset({"face_at_edge", "cuda_loop", "host_memory", "too_long"})


def safer_options(options: Options, error: AvatarError) -> Options | None:
    """``options`` one step down the ladder, None at its foot.

    gfpgan -> RestoreFormer -> the cropped face without enhancer, at 256 pixels. A failure that
    another enhancer would not change (by the ``code`` of an engine's failure) skips that step, and
    where the GPU's memory was full the foot is one frame at a time.
    """
    code = getattr(error, "code", "")
    floor = {**_FLOOR, "size": 256, **({"batch_size": 1} if code == "gpu_memory" else {})}
    skips = code in _NOT_THE_ENHANCER
    if options.enhancer == "gfpgan" and not skips:
        return options.model_copy(update={"enhancer": "RestoreFormer"})
    lowest = options.model_copy(update=floor)
    return lowest if lowest != options else None
