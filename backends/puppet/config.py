"""Options of the puppet backend."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_LARGEST_SEED = 2**63 - 1


class PuppetOptions(BaseModel):
    """How lively the presenter is. Every factor is 1 for an ordinary speaker and 0 for none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expressiveness: Annotated[
        float,
        Field(ge=0, le=2, description="how far the mouth opens and the brows and nods follow it"),
    ] = 1.0
    head_motion: Annotated[
        float, Field(ge=0, le=2, description="how much head and shoulders move")
    ] = 1.0
    blink: Annotated[
        float, Field(ge=0, le=3, description="how often the eyes blink; 2 is twice as often")
    ] = 1.0
    gaze: Annotated[
        float, Field(ge=0, le=2, description="how far the eyes glance away from the viewer")
    ] = 1.0
    lead: Annotated[
        float, Field(ge=0, le=0.3, description="seconds by which the lips precede the sound")
    ] = 0.1
    seed: Annotated[
        int,
        Field(ge=0, le=_LARGEST_SEED, description="another number moves the same scene otherwise"),
    ] = 0
    focus: Annotated[
        float,
        Field(ge=0, le=1, description="which part of a tall portrait stays: 0 its top, 1 its end"),
    ] = 0.15
    cutout: Annotated[
        bool,
        Field(description="what is transparent in the portrait shows the scene's background"),
    ] = False
