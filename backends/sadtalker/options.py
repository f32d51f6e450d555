"""What a SadTalker job can be asked for, checked before anything is started."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Preprocess = Literal["crop", "extcrop", "resize", "full", "extfull"]
Enhancer = Literal["none", "gfpgan", "RestoreFormer"]
# Degrees; beyond this a face is seen from the side and falls apart.
_Angle = Annotated[int, Field(ge=-90, le=90)]
_Angles = Annotated[tuple[_Angle, ...], Field(max_length=32)]

WHOLE_PICTURE = ("full", "extfull")


class SadTalkerOptions(BaseModel):
    """The defaults are what fails least: the cropped face, a still head, no enhancer.

    The limits are those of the program itself: it has 46 pose styles, weights for two sizes, and
    divides by zero where two neighbouring angles are equal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preprocess: Annotated[
        Preprocess,
        Field(description="the face alone (crop, extcrop), the picture scaled (resize), or all of "
              "the picture with the face put back (full, extfull)"),
    ] = "crop"  # fmt: skip
    still: Annotated[bool, Field(description="the head stays as it is in the picture")] = True
    enhancer: Annotated[
        Enhancer, Field(description="what sharpens the face; the slowest part by far")
    ] = "none"
    background_enhancer: Annotated[
        Literal["none", "realesrgan"],
        Field(description="what sharpens the rest; only together with an enhancer"),
    ] = "none"
    size: Annotated[Literal[256, 512], Field(description="pixels of the face's square")] = 256
    pose_style: Annotated[int, Field(ge=0, le=45, description="how the head moves")] = 0
    expression_scale: Annotated[
        float, Field(ge=0, le=3, description="how strongly the face moves; 1 is as trained")
    ] = 1.0
    batch_size: Annotated[int, Field(ge=1, le=10, description="frames at a time")] = 2
    input_yaw: Annotated[_Angles, Field(description="degrees the head turns to, one after another")] = ()  # fmt: skip  # noqa: E501
    input_pitch: Annotated[_Angles, Field(description="degrees the head nods to")] = ()
    input_roll: Annotated[_Angles, Field(description="degrees the head tilts to")] = ()

    @model_validator(mode="after")
    def _possible(self) -> SadTalkerOptions:
        for name in ("input_yaw", "input_pitch", "input_roll"):
            if any(a == b for a, b in pairwise(getattr(self, name))):
                raise ValueError(f"{name} has two equal angles side by side: leave one of them out")
        if self.background_enhancer != "none" and self.enhancer == "none":
            raise ValueError("background_enhancer works only together with an enhancer")
        return self

    @property
    def whole_picture(self) -> bool:
        """Whether the face is put back into the picture it came from."""
        return self.preprocess in WHOLE_PICTURE
