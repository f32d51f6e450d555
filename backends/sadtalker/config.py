"""Options of the backend ``sadtalker``: those of a job, and where SadTalker is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from avatar_core.policy.settings import Seconds
from backends.sadtalker.options import SadTalkerOptions


class SadTalkerConfig(SadTalkerOptions):
    """Where it is installed and on what it runs changes nothing in the picture, so these are
    left out of the cache key."""

    root: Annotated[
        Path | None, Field(exclude=True, description="the folder of SadTalker, with inference.py")
    ] = None
    python: Annotated[
        str | None,
        Field(exclude=True, description="the Python of SadTalker's own environment"),
    ] = None
    gpu: Annotated[
        int | None,
        Field(
            ge=-1, exclude=True, description="which GPU, counted from 0; -1: the processor, slow"
        ),
    ] = None
    silence: Annotated[
        Seconds,
        Field(exclude=True, description="seconds without a sign of life until it is killed"),
    ] = 300.0
    max_seconds: Annotated[
        Seconds | None, Field(exclude=True, description="seconds for one clip; by its length")
    ] = None
    chunk_seconds: Annotated[
        float | None,
        Field(ge=2, exclude=True, description="the longest part of a narration made at once"),
    ] = None
