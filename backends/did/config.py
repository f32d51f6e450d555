"""Options of the D-ID backend: what its current interface takes, and nothing of older ones."""

from __future__ import annotations

import ipaddress
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

API_URL = "https://api.d-id.com"


def _web_address(url: str) -> str:
    """Refuses what would send the key in the clear; a double on this computer may speak HTTP."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(f"It should be a web address, such as {API_URL}.")
    if parts.scheme == "http" and not _is_this_computer(host):
        raise ValueError("It should begin with https://, or the key could be read on its way.")
    return url.strip().rstrip("/")


def _is_this_computer(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stored_picture(url: str) -> str:
    if not url.startswith(("https://", "s3://")) or len(url.partition("://")[2]) < 1:
        raise ValueError("It should be an address that begins with https://.")
    return url


def _currency(code: str) -> str:
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise ValueError("It should be three capital letters, such as USD.")
    return code


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimedExpression(_Part):
    """From ``start_frame`` on (the service makes 25 frames a second) the face looks like this."""

    start_frame: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    expression: Literal["neutral", "happy", "serious", "surprise"]
    intensity: Annotated[float, Field(ge=0, le=1)] = 1.0


class DriverExpressions(_Part):
    """``transition_frames`` is how many frames one expression takes to become the next."""

    expressions: Annotated[tuple[TimedExpression, ...], Field(min_length=1)]
    transition_frames: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Logo(_Part):
    """A picture laid over the video; ``position`` is in pixels from the top left corner, negative
    numbers from the other side."""

    url: Annotated[str, AfterValidator(_stored_picture)]
    position: tuple[int, int]


class DidOptions(BaseModel):
    """``api_key`` and ``api_url`` hold for the whole film, all else may differ between scenes.

    What does not change the picture is left out of the cache key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_key: Annotated[
        SecretStr, Field(exclude=True, description="the key as D-ID showed it: DID_API_KEY")
    ] = SecretStr("")
    api_url: Annotated[
        str,
        AfterValidator(_web_address),
        Field(exclude=True, description="where the service is: DID_API_URL"),
    ] = API_URL
    stitch: Annotated[
        bool, Field(description="the whole photo moves; without it, a square around the face")
    ] = True
    fluent: Annotated[
        bool, Field(description="the movement's end is blended into its beginning")
    ] = False
    pad_audio: Annotated[
        float, Field(ge=0, le=60, description="seconds of silence after the words; they cost, too")
    ] = 0.0
    driver_expressions: Annotated[
        DriverExpressions | None, Field(description="which face is made when")
    ] = None
    result_format: Annotated[Literal["mp4", "mov"], Field(description="of the clip")] = "mp4"
    logo: Annotated[Logo | None, Field(description="a picture over the video")] = None
    credit_price: Annotated[
        Decimal | None,
        Field(exclude=True, ge=0, allow_inf_nan=False, description="what one credit costs you"),
    ] = None
    currency: Annotated[
        str, AfterValidator(_currency), Field(exclude=True, description="of that price")
    ] = "USD"
    delete_uploads: Annotated[
        bool, Field(exclude=True, description="delete portraits and narrations at the end")
    ] = False
    poll_seconds: Annotated[
        float,
        Field(exclude=True, gt=0, le=60, description="between two looks; grows fourfold"),
    ] = 2.5
    batch_short_scenes: Annotated[
        bool, Field(exclude=True, description="short scenes share one paid talk")
    ] = False
