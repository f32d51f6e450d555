"""Options of the colab backend: those of SadTalker, and where and how to ask for it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from avatar_core.secrets import reveal
from backends.colab.connection import parse_connection
from backends.sadtalker.options import SadTalkerOptions

# What only this side of the wire uses; the rest is sent to the engine.
OWN = frozenset({"url", "token", "engine", "engine_options", "wait", "patience"})


class ColabOptions(SadTalkerOptions):
    """``url`` may hold the token, as the server prints it; the two are taken apart at once.

    Neither is part of what a finished clip is kept under, so that a new address each morning
    makes nothing anew.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[
        str, Field(exclude=True, description="the address that the server prints: COLAB_API_URL")
    ] = ""
    token: Annotated[
        SecretStr, Field(exclude=True, description="the server's token, if it is not in the url")
    ] = SecretStr("")
    engine: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="which of the server's engines")
    ] = "sadtalker"
    engine_options: Annotated[
        dict[str, Any], Field(description="options of an engine other than sadtalker")
    ] = Field(default_factory=dict)
    wait: Annotated[
        float,
        Field(ge=0, le=25, exclude=True, description="seconds the server may hold one question"),
    ] = 20.0
    patience: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            exclude=True,
            description="seconds a server that went away is waited for while it has a job",
        ),
    ] = 60.0

    @model_validator(mode="before")
    @classmethod
    def _take_apart(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not values.get("url"):
            return values
        address = reveal(values["url"])
        try:
            connection = parse_connection(address)
        except (TypeError, ValueError):
            # Said below, where the complaint is about this one option.
            return values
        token = values.get("token") or connection.token
        return {**values, "url": connection.url, "token": token}

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return parse_connection(url).url if url else url

    def for_engine(self) -> dict[str, Any]:
        """What the engine is asked for, as JSON can say it."""
        if self.engine != "sadtalker":
            return dict(self.engine_options)
        mine = self.model_dump(mode="json", exclude=set(OWN))
        return {**mine, **self.engine_options}
