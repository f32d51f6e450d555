"""What happens to whom in a film's night: a seeded story that does not depend on who is asking.

The n-th call of a backend has the same fate under every policy, the tunnel is lost at the same
moment, and the account is empty from the same scene on. The first script for such films told of
its failures, and of some of them how often they came; the other rates are assumed. With the harsh
ones its own policy animates what it is told to have animated: 40 % of the scenes with the enhancer
and 85 % without it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from pathlib import Path

from avatar_core.backend import AvatarRequest, Cost, Size

# Told: the enhancer crashed in 60 % of the calls, the tunnel was lost for ten minutes, the quota
# was used up at scene 400 of 1,000.
ENHANCER_CRASHES = 0.60
OUTAGE_SECONDS = 600.0
QUOTA_AT = 0.4
# Assumed, for every call, whatever its options.
COLAB = {"hang": 0.02, "reset": 0.02, "server": 0.02, "truncated": 0.01, "black": 0.005}
COLAB_HARSH = {"hang": 0.10, "reset": 0.08, "server": 0.08, "truncated": 0.03, "black": 0.02}
DID_ORDER = {"rate_limit": 0.04, "lost": 0.03}
DID_JOB = {"failed": 0.02, "black": 0.01}
DID_WATCH = {"hang": 0.01, "poll": 0.05, "download": 0.03, "truncated": 0.02}
PUPPET = {"bug": 0.005}
# During the outage a call is refused within seconds, or nothing at all comes back.
SILENT = 0.5

# Seconds of work for a scene.
COLAB_SECONDS = (25.0, 70.0)
DID_SECONDS = (10.0, 30.0)
PUPPET_SECONDS = 3.0
STATIC_SECONDS = 0.1
# A narration is spoken and a scene is composed between two presenters: a constant, so that the
# rungs alone make the difference.
COMPOSING_SECONDS = 5.0

# D-ID charges by credits of 15 s begun; the price of a credit is the Lite plan's, rounded up.
CREDIT_SECONDS = 15.0
CREDIT_PRICE = Decimal("0.20")


@dataclass(frozen=True, slots=True)
class Trace:
    """One story. ``scenes`` cuts it short: the outage keeps its share of the film, the quota its
    place. ``colab`` are the rates of that backend's calls."""

    name: str
    seed: int
    scenes: int = 1000
    colab: Mapping[str, float] = field(default_factory=lambda: COLAB)

    @property
    def quota_scene(self) -> int:
        """The first scene whose order is refused."""
        return round(self.scenes * QUOTA_AT)

    @property
    def outage(self) -> tuple[float, float]:
        """From when to when the tunnel is lost, in seconds since the film began."""
        share = self.scenes / 1000
        start = self.chance("outage", 0).uniform(1800.0, 9 * 3600.0) * share
        return start, start + OUTAGE_SECONDS * share

    def chance(self, who: str, number: int) -> random.Random:
        """The source of the ``number``-th fate of ``who``: the same for every policy."""
        return random.Random(f"{self.name}/{self.seed}/{who}/{number}")

    def request(self, index: int) -> AvatarRequest:
        """What scene ``index`` (from 0) asks for."""
        return AvatarRequest(
            portrait=None,
            audio=Path("narration.wav"),
            duration=round(self.chance("scene", index).uniform(4.0, 20.0), 2),
            size=Size(512, 512),
            fps=25,
            speaker="Lan",
            key=scene_name(index),
        )


def scene_name(index: int) -> str:
    return f"scene-{index + 1:04d}"


def fate(source: random.Random, rates: Mapping[str, float]) -> str:
    """One of ``rates`` by its chance; empty where nothing goes wrong."""
    drawn = source.random()
    for name, rate in rates.items():
        if drawn < rate:
            return name
        drawn -= rate
    return ""


def price(request: AvatarRequest) -> Cost:
    """What D-ID charges for a narration."""
    return Cost(CREDIT_PRICE * ceil(request.duration / CREDIT_SECONDS))
