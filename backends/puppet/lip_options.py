"""How lively the lips are and how far they run ahead of the voice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LipOptions:
    """``lead``: seconds by which the lips precede the sound (people's do by about 0.1).
    ``expressiveness``: 0 a mouth that stays shut, 1 natural, 2 theatrical. ``seed`` chooses the
    small differences between one "a" and the next, ``variety`` their size (0 none, 1 natural)."""

    lead: float = 0.1
    expressiveness: float = 1.0
    seed: int = 0
    variety: float = 1.0
