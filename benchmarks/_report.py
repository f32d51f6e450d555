"""The last line of every benchmark: one JSON object, and the exit status that goes with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn


def finish(
    benchmark: str, metrics: Mapping[str, Any], goals: Mapping[str, tuple[str, str, float]]
) -> NoReturn:
    """Print the result and exit, with 0 only if every goal is reached.

    ``goals`` maps a sentence to (metric, "<=" or ">=", limit).
    """
    reached = {name: _holds(metrics[metric], sign, limit) for name, (metric, sign, limit)
               in goals.items()}  # fmt: skip
    ok = all(reached.values())
    print(json.dumps({"benchmark": benchmark, "metrics": metrics, "goals": reached, "ok": ok}))
    sys.exit(0 if ok else 1)


def _holds(value: float, sign: str, limit: float) -> bool:
    return value <= limit if sign == "<=" else value >= limit
