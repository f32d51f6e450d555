"""What every part of the stand-in for D-ID shares: its moods, its books, its refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from avatar_core.clock import Clock
from avatar_core.testing import Recorded
from support_did_faults import error_body
from support_did_ledger import LINK_SECONDS, UPLOAD_SECONDS, Ledger

# How long a talk takes that is never done.
NEVER = 1e12
# A status, a body as it is declared, and what real bodies carry besides.
Told = tuple[int, Any, Any]


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, *words: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, error_body(status, *words)


@dataclass
class Ending:
    """How the next talks end that are made."""

    end: Literal["error", "rejected"]
    error: dict[str, Any]
    times: int | None


@dataclass
class Behaviour:
    """What a test may set at any time.

    ``rendering_seconds`` is how long a talk takes by ``clock`` (`NEVER`: for ever). ``lifelike``:
    whether answers carry what real ones do besides what is declared. ``list_names``: whether the
    list of talks tells their `name` and `user_data`; ``list_delay``: by how many seconds it
    lags. ``link_seconds``, ``upload_seconds``: how long links and uploads live. ``clip`` is what
    is wrong with every video, see `support_did_media`.
    """

    clock: Clock
    ledger: Ledger
    rendering_seconds: float = 0.05
    lifelike: bool = True
    list_names: bool = True
    list_delay: float = 0.0
    link_seconds: float = LINK_SECONDS
    upload_seconds: float = UPLOAD_SECONDS
    clip: str = "moving"
    violations: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    def blame(self, route: str, faults: list[str]) -> None:
        """The client asked for something that the description does not allow."""
        self.violations += [f"{route}: {fault}" for fault in faults]


def json_of(request: Recorded) -> Any:
    """A request's JSON; None where it is not sent as JSON."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return None
    try:
        return request.json()
    except ValueError:
        return None
