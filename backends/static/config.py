"""Options of the static backend."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class StaticOptions(BaseModel):
    """``focus`` says which part of a portrait stays when it does not fit: 0 is its top, 1 its
    bottom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    focus: Annotated[float, Field(ge=0, le=1)] = 0.15
