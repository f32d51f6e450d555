"""A backend that bills by blocks of time, so that short scenes are cheaper together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from avatar_core.backend import AvatarClip, AvatarRequest, Capabilities, Cost, Job
from renderer.result import RenderResult
from support_films import MovingBackend

BLOCK = 4.0
PRICE = Decimal("0.10")


def blocks(seconds: float) -> int:
    return max(1, math.ceil(seconds / BLOCK))


class BlockBackend(MovingBackend):
    """Bills every block of four seconds that is begun."""

    name = "blocks"
    capabilities = Capabilities(costs_money=True, max_seconds=60.0)

    def estimate(self, request: AvatarRequest) -> Cost:
        return Cost(PRICE * blocks(request.duration))

    def cheaper_together(self, requests: Sequence[AvatarRequest], joined: AvatarRequest) -> bool:
        return blocks(joined.duration) < sum(blocks(request.duration) for request in requests)

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        clip = super().generate(request, job)
        return replace(clip, cost=self.estimate(request))


def paid(result: RenderResult) -> Decimal:
    return sum((c.amount for scene in result.scenes for c in scene.costs), Decimal(0))
