"""The kinds of values in a scene script, each with its bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import WithJsonSchema
from pydantic.types import Strict

Layout = Literal["full", "circle", "corner", "split", "none"]
Position = Literal[
    "top-left",
    "top",
    "top-right",
    "left",
    "center",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
]
Fit = Literal["cover", "contain", "blur"]
Motion = Literal["none", "zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up", "pan_down"]
Quality = Literal["draft", "standard", "high"]
# Strict, so that `duration: true` and `volume: "0.5"` are slips to be told, not to be guessed.
Number = Annotated[float, Strict()]
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Seconds = Annotated[Number, Field(ge=0, le=36_000)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Share = Annotated[Number, Field(gt=0, le=1)]
Factor = Annotated[Number, Field(ge=0.5, le=2.0)]
Color = Annotated[str, Field(pattern=r"^(#[0-9A-Fa-f]{3}|#[0-9A-Fa-f]{6}|[A-Za-z]+)$")]
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
Language = Annotated[str, Field(pattern=LANGUAGE)]


def _version(value: Any) -> Any:
    """`version: 1` is a number in YAML, and means the same."""
    return "1" if type(value) is int and value == 1 else value


def _as_text(value: Any) -> Any:
    """A variable's number as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Version = Annotated[Literal["1"], BeforeValidator(_version), WithJsonSchema({"enum": ["1", 1]})]
Variable = Annotated[
    str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})
]


def note(description: str) -> Any:
    """What the JSON Schema and the documentation say about a field."""
    return Field(description=description)


class Model(BaseModel):
    """Strict: an unknown key is an error. Frozen: a script is a value."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )
