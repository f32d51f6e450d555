"""How long to wait before asking again: exponential backoff with full jitter.

The formula is the "full jitter" of Marc Brooker's "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015): uniform between nothing and min(cap, base * 2^n).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from avatar_core.policy.settings import RetrySettings


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds; ``source`` is where the chance comes from."""

    settings: RetrySettings
    source: random.Random

    def pause(self, retry: int) -> float:
        """The pause before the ``retry``-th retry (from 1)."""
        # Beyond this power any cap is reached, and a float would overflow.
        longest = self.settings.delay * 2.0 ** min(retry - 1, 32)
        return self.source.uniform(0.0, min(self.settings.max_delay, longest))
